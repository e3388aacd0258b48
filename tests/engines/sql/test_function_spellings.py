"""The functions of each dialect, tried on a server that speaks it: the laws hold there too.

There is no engine for these dialects yet. A stand-in has as much of one as the laws of functions ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation
from backbone.engines.sql.function_laws import FUNCTION_LAWS
from backbone.engines.sql.functions import SPELLINGS, SqlFunctions
from conftest import Postgres

Law = Callable[[Engine, Path], None]


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


class OnPostgres:
    """Tables and queries of a PostgreSQL server, in UTC."""

    functions = SqlFunctions("postgres")

    def __init__(self, connection: Any) -> None:
        self._connection, self._tables = connection, 0
        with closing(connection.cursor()) as cursor:
            cursor.execute("set time zone 'UTC'")

    def put(self, data: pa.Table) -> Relation:
        self._tables += 1
        name = f"put_{self._tables}"
        with closing(self._connection.cursor()) as cursor:
            cursor.adbc_ingest(name, data, mode="create", temporary=True)
        return Relation(name)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            return _rows(cursor.fetch_arrow_table())


class OnSpark:
    """Tables and queries of a Spark session, in UTC."""

    functions = SqlFunctions("spark")

    def __init__(self, session: Any) -> None:
        self._session, self._tables = session, 0

    def put(self, data: pa.Table) -> Relation:
        self._tables += 1
        name = f"put_{self._tables}"
        self._session.createDataFrame(data).createOrReplaceTempView(name)
        return Relation(name)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return _rows(self._session.sql(sql).toArrow())


@pytest.fixture(name="on_postgres", scope="module")
def _on_postgres(postgres: Postgres) -> Iterator[Engine]:
    import adbc_driver_postgresql.dbapi as postgresql

    postgres.create("spellings")
    with closing(postgresql.connect(postgres.url("spellings"), autocommit=True)) as connection:
        yield cast("Engine", OnPostgres(connection))


@pytest.fixture(name="on_spark", scope="module")
def _on_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is in the dependency group `bench` only")
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder),
    }
    try:
        session = sql.SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    except Exception as error:  # as without Java
        pytest.skip(f"no Spark session could be started: {error}")
    try:
        yield cast("Engine", OnSpark(session))
    finally:
        session.stop()


def _laws_of(dialect: str) -> list[Any]:
    """The laws, of which one is expected to fail where a dialect has no spelling of its function."""
    missing = {name for name, spelt in SPELLINGS.items() if dialect not in spelt}
    assert missing == ({"first_struct"} if dialect == "postgres" else set())
    reason = f"{dialect} has no structs that are named without a type"
    gap = pytest.mark.xfail(reason=reason, raises=NotImplementedError)
    gaps = {"the_first_struct_of_a_list_is_found"} if missing else set()
    return [
        pytest.param(law, id=law.__name__, marks=[gap] if law.__name__ in gaps else [])
        for law in FUNCTION_LAWS
    ]


@pytest.mark.parametrize("law", _laws_of("postgres"))
def test_the_spellings_of_postgres_obey_the_law(on_postgres: Engine, tmp_path: Path, law: Law) -> None:
    law(on_postgres, tmp_path)


@pytest.mark.parametrize("law", _laws_of("spark"))
def test_the_spellings_of_spark_obey_the_law(on_spark: Engine, tmp_path: Path, law: Law) -> None:
    law(on_spark, tmp_path)
