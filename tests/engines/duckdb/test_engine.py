"""What an engine leaves behind in its database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.engines import open_engine
from backbone.engines.duckdb.database import Database, own_database
from function_task import FunctionTask

SCHEMA = pa.schema([("n", pa.int64())])


@pytest.fixture(name="database")
def _database() -> Iterator[Database]:
    with own_database("200MB", 2) as database:
        yield database


def _there(database: Database) -> set[str]:
    """The tables, views and schemas of a database, and the files it has written."""
    found = {
        name
        for kind in ("table", "view", "schema")
        for (name,) in database.fetch(f"select {kind}_name from duckdb_{kind}s() where not internal")
    }
    return (found - {"main"}) | {file.name for file in database.scratch.rglob("*.parquet")}


def test_what_is_not_finished_is_gone(database: Database) -> None:
    with open_engine("duckdb", database) as engine:
        with engine.staging(SCHEMA) as staging:
            staging.add("select 1")
            assert len(_there(database)) == 1
        assert _there(database) == set()
        with pytest.raises(ZeroDivisionError), engine.staging(SCHEMA) as staging:
            staging.add("select 1")
            raise ZeroDivisionError
        assert _there(database) == set()
        with engine.staging(SCHEMA) as staging:
            staging.add("select 1")
            found = staging.finish()
        assert _there(database) == {found.name}


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("sql", ["select cast(1 as bigint) as n", "select cast(null as bigint) as n"])
def test_what_a_task_made_before_it_failed_is_gone(database: Database, sql: str, to_file: bool) -> None:
    def broken(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches
        yield pa.record_batch({"n": range(3_000_000)})
        raise ValueError("no")

    with open_engine("duckdb", database) as engine:
        with pytest.raises(ValueError, match=r"no"):
            engine.map_groups(sql, FunctionTask(["n"], {}, broken), to_file=to_file)
        assert _there(database) == set()


def test_closing_drops_what_is_left_and_nothing_else(database: Database, tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2]})
    pq.write_table(table, tmp_path / "n.parquet")
    database.take("sales", table)
    with open_engine("duckdb", database) as one, open_engine("duckdb", database) as other:
        staged = one.stage("select 1 as n")
        of_other = other.stage("select 2 as n")
        bound, put = one.bind(staged), one.put(tmp_path / "n.parquet")
        mapped = one.map_groups("select * from sales", FunctionTask(["n"], {}), to_file=True)
        schema, _, view = bound.name.partition(".")
        found = _there(database)
        (file,) = found - {"sales", staged.name, of_other.name, schema, view, put.name, mapped.name}
        assert file.endswith(".parquet")
        assert (staged.name in found, of_other.name != staged.name) == (True, True)
        other.close()
        assert one.fetch(f"select n from {staged}") == [(1,)]
    assert _there(database) == {"sales"}
    assert database.fetch("select sum(n) from sales") == [(3,)]
