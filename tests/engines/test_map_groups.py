"""Rows handed over group by group, sorted only where they have to be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.analysis.group_task import KernelTask
from backbone.analysis.groups import Groups, map_chunks
from backbone.engines import open_engine, own_engine
from backbone.engines.duckdb.database import Database
from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation
from function_task import FunctionTask


class First:
    """A kernel: the first `x` of each group, and how many rows it has."""

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, pa.field("first", pa.float64()), pa.field("rows", pa.int64())])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        first = np.asarray(groups.values["x"])[groups.offsets[:-1]]
        return pa.RecordBatch.from_arrays(
            [*groups.keys.columns, pa.array(first), pa.array(np.diff(groups.offsets))],
            schema=self.schema(groups.keys.schema),
        )


@pytest.fixture(name="engine")
def _engine() -> Iterator[Engine]:
    with own_engine("200MB", 2) as engine:
        yield engine


def _mapped(engine: Engine, sql: str, by: list[str], order: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
    relation = engine.map_groups(sql, KernelTask(First(), by, {"x": "cast(x as double)"}, order))
    found = engine.fetch(f"select * from {relation}")
    assert len(found) == relation.rows
    return found


def test_unsorted_rows_are_sorted(engine: Engine) -> None:
    rng = np.random.default_rng(1)
    user = rng.permutation(np.repeat(np.arange(5_000), 7))
    t = engine.put(pa.table({"user": user, "x": rng.integers(0, 1000, len(user))}))
    found = _mapped(engine, f"select user, x from {t}", ["user"], ("x",))
    expected = engine.fetch(f"select user, min(x), count(*) from {t} group by 1 order by 1")
    assert found == expected


def test_rows_in_order_are_taken_as_they_lie(engine: Engine) -> None:
    t = engine.put(pa.table({"user": [1, 1, 2], "x": [9, 3, 4]}))
    assert _mapped(engine, f"select user, x from {t}", ["user"]) == [(1, 9.0, 2), (2, 4.0, 1)]


def test_rows_that_had_to_be_sorted_do_not_depend_on_how_they_lay(engine: Engine) -> None:
    t = engine.put(pa.table({"user": [2, 1, 1], "x": [4, 9, 3]}))
    u = engine.put(pa.table({"user": [1, 2, 1], "x": [3, 4, 9]}))
    assert _mapped(engine, f"select user, x from {t}", ["user"]) == _mapped(
        engine, f"select user, x from {u}", ["user"]
    )


def test_disorder_that_shows_late_starts_the_work_again(engine: Engine) -> None:
    user = np.append(np.arange(2_500_000) // 5, [0])
    t = engine.put(pa.table({"user": user, "x": np.ones(len(user))}))
    found = _mapped(engine, f"select user, x from {t}", ["user"])
    assert len(found) == 500_000
    assert found[0] == (0, 1.0, 6)


def test_several_keys_texts_and_an_order(engine: Engine) -> None:
    rows = {"job": ["b", "a", "b", "a"], "city": ["x", "y", "x", "x"], "x": [2, 3, 1, 4]}
    t = engine.put(pa.table(rows))
    found = _mapped(engine, f"select job, city, x from {t}", ["job", "city"], ("x",))
    assert found == [("a", "x", 4.0, 1), ("a", "y", 3.0, 1), ("b", "x", 1.0, 2)]


def test_an_order_that_is_handed_over_too_is_one_column(engine: Engine) -> None:
    t = engine.put(pa.table({"user": [2, 1, 1], "x": [4, 9, 3], "y": [1, 1, 2]}))
    seen: list[list[str]] = []

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            seen.append(batch.schema.names)
            yield batch

    task = FunctionTask(["user"], {"a": '"x"', "b": "-y"}, work, order=["x", "y"])
    found = engine.map_groups(f"select * from {t}", task)
    assert engine.fetch(f"select * from {found}") == [(1, 3, -2), (1, 9, -1), (2, 4, -1)]
    assert set(map(tuple, seen)) == {("user", "a", "b")}, "what tells the order alone is not handed over"


def test_results_in_many_batches_are_joined_in_their_order(engine: Engine) -> None:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield next(batches)
        for first in range(0, 300_000, 1_000):
            yield pa.record_batch({"user": np.arange(first, first + 1_000)})

    t = engine.put(pa.table({"user": [1]}))
    found = engine.map_groups(f"select * from {t}", FunctionTask(["user"], {}, work))
    assert found.rows == 300_000
    assert engine.fetch(f"select count(*), min(user - rowid), max(user - rowid) from {found}") == [
        (300_000, 0, 0)
    ]


def test_no_rows_give_an_empty_table_with_its_columns(engine: Engine) -> None:
    t = engine.put(pa.table({"user": pa.array([], pa.int64()), "x": pa.array([], pa.float64())}))
    assert _mapped(engine, f"select user, x from {t}", ["user"]) == []
    found = engine.map_groups(f"select user, x from {t}", KernelTask(First(), ["user"], {"x": "x"}))
    assert engine.describe(f"select * from {found}").names == ["user", "first", "rows"]


def test_parquet_files_and_one_pass_streams_can_be_put(engine: Engine, tmp_path: Path) -> None:
    table = pa.table({"user": [1, 2], "x": [1.0, 2.0], "unused": ["a", "b"]})
    pq.write_table(table, tmp_path / "it's a file.parquet")
    t = engine.put(tmp_path / "it's a file.parquet", ["user", "x"])
    assert engine.describe(f"select * from {t}").names == ["user", "x"]
    assert _mapped(engine, f"select * from {t}", ["user"]) == [(1, 1.0, 1), (2, 2.0, 1)]
    u = engine.put(table.to_reader(), ["user", "x"])
    assert engine.describe(f"select * from {u}").names == ["user", "x"]
    assert _mapped(engine, f"select * from {u}", ["user"]) == [(1, 1.0, 1), (2, 2.0, 1)]
    engine.drop(t, u)


@pytest.mark.parametrize("to_file", [False, True])
def test_an_error_in_the_work_is_the_error_that_is_raised(engine: Engine, to_file: bool) -> None:
    def broken(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield next(batches)
        raise ArithmeticError("no")

    t = engine.put(pa.table({"user": [1]}))
    with pytest.raises(ArithmeticError):
        engine.map_groups(f"select * from {t}", FunctionTask(["user"], {}, broken), to_file=to_file)
    assert engine.fetch("select 1") == [(1,)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_result_may_be_a_file_while_it_is_made(tmp_path: Path, threads: int) -> None:
    with own_engine("200MB", threads) as engine:
        _file_and_table(engine, tmp_path)


def _file_and_table(engine: Engine, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    user = rng.permutation(np.repeat(np.arange(200_000), 3))
    t = engine.put(pa.table({"user": user, "x": rng.integers(0, 1000, len(user))}))
    work = partial(map_chunks, First(), by=["user"], threads=2, chunk_bytes=100_000)
    task = FunctionTask(["user"], {"x": "cast(x as double)"}, work, order=["x"])

    def mapped(to_file: bool) -> Relation:
        select = "user as u, first, 'a' as kind"
        found = engine.map_groups(f"select * from {t}", task, select=select, to_file=to_file)
        assert found.rows == 200_000
        return found

    table, file = mapped(to_file=False), mapped(to_file=True)
    listed = f"select u, first, kind from {table}"
    assert engine.describe(f"select * from {file}") == engine.describe(listed)
    assert engine.fetch(f"select * from {file}") == engine.fetch(listed)

    other = engine.stage("select 1 as a")
    written, expected = engine.write(file, tmp_path), engine.write(table, tmp_path)
    assert (written.rows, written.schema) == (expected.rows, expected.schema)
    assert pq.read_table(written.files[0]).to_pydict() == pq.read_table(expected.files[0]).to_pydict()
    (path,) = written.files
    engine.drop(file)
    assert not path.exists()
    assert engine.fetch(f"select * from {other}") == [(1,)]
    assert engine.fetch(f"select count(*) from {table}") == [(200_000,)]


def test_a_file_that_has_been_published_can_be_dropped(engine: Engine, tmp_path: Path) -> None:
    t = engine.put(pa.table({"user": [1, 2], "x": [3, 4]}))
    found = engine.map_groups(f"select * from {t}", FunctionTask(["user"], {"x": "x"}), to_file=True)
    (file,) = engine.write(found, tmp_path).files
    file.rename(tmp_path / "published.parquet")
    engine.drop(found)
    assert pq.read_table(tmp_path / "published.parquet").to_pydict() == {"user": [1, 2], "x": [3, 4]}


def test_no_rows_are_no_file_to_publish(engine: Engine, tmp_path: Path) -> None:
    t = engine.put(pa.table({"user": pa.array([], pa.int64())}))
    found = engine.map_groups(f"select * from {t}", FunctionTask(["user"], {}), to_file=True)
    written = engine.write(found, tmp_path)
    assert (written.files, written.rows, written.schema.names) == ((), 0, ["user"])


def test_disorder_that_shows_late_starts_a_file_again(engine: Engine) -> None:
    user = np.append(np.arange(2_500_000) // 5, [0])
    t = engine.put(pa.table({"user": user, "x": np.ones(len(user))}))
    found = engine.map_groups(f"select * from {t}", KernelTask(First(), ["user"], {"x": "x"}), to_file=True)
    assert engine.fetch(f"select count(*), min(rows), max(rows) from {found}") == [(500_000, 5, 6)]


def test_what_does_not_fit_into_memory_goes_into_a_folder_that_was_not_there(tmp_path: Path) -> None:
    database = Database(memory_limit="60MB", threads=1, scratch=tmp_path / "project" / "run")
    many = "select (i * 7919) % 4000037 as user, cast(i as double) / 3 as x from range(4000000) as r(i)"
    with open_engine("duckdb", database) as engine:
        assert engine.stage(f"select * from ({many}) as r order by user").rows == 4_000_000
    database.close()
