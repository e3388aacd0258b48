"""Rows packed into numbers sort and come back as a database sorts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.engines.duckdb.database import Database, own_database
from backbone.engines.duckdb.engine import DuckdbEngine
from backbone.engines.duckdb.packing import number_sort
from backbone.engines.duckdb.packing.number_sort import in_order
from backbone.engines.duckdb.packing.packing import Packing, packing

KINDS = {
    "user": pa.int64(),
    "small": pa.int8(),
    "name": pa.string(),
    "at": pa.timestamp("us", "UTC"),
    "local": pa.timestamp("us"),
    "day": pa.date32(),
    "unsigned": pa.uint16(),
    "flag": pa.bool_(),
}
REPEATED = 200  # times each row, for that is what texts are packed for
SQL = "select * from t"


@pytest.fixture(name="database", scope="module")
def _database() -> Iterator[Database]:
    with own_database("200MB", 2) as database:
        yield database


def _packing(database: Database, rows: pa.Table, sorting: tuple[str, ...] = ("user",)) -> Packing | None:
    database.take("t", rows)
    return packing(SQL, database.columns(SQL), sorting, lambda sql: database.stream(sql).read_all(), 20_000)


def _sorted(database: Database, found: Packing, most: int) -> list[tuple[object, ...]]:
    """As an engine does it: part by part."""
    rows: list[tuple[object, ...]] = []
    for name, places in found.places.items():
        database.take(name, places)
    numbers = (batch.column("k").to_numpy() for batch in database.stream(found.numbers))
    for part in in_order(numbers, found.rows, most, database.scratch):
        database.take("packed", found.table(part))
        rows += database.fetch(found.unpacked("packed"))
    return rows


HOURS = st.integers(-4, 4).map(lambda n: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=n))
LOCAL = st.sampled_from([datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 0, 1), datetime(2025, 12, 31, 23, 59)])
ROW = st.tuples(
    st.integers(-5, 40),
    st.none() | st.integers(-128, 127),
    st.none() | st.sampled_from(["", "a", "B", "ä", "a b", "a\U0001f600", "\x00"]),
    st.none() | HOURS,
    LOCAL,
    st.none() | st.dates(date(1969, 12, 28), date(1970, 1, 3)),
    st.integers(0, 500),
    st.none() | st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, min_size=1, max_size=30), st.integers(8, 60))
def test_rows_come_back_as_they_were_in_the_order_of_a_database(
    database: Database, rows: list[tuple[object, ...]], most: int
) -> None:
    columns = zip(*rows * REPEATED, strict=True)
    table = pa.table({n: pa.array(c, k) for (n, k), c in zip(KINDS.items(), columns, strict=True)})
    found = _packing(database, table)
    if found is None:
        assert table["name"].null_count == table.num_rows or len(set(rows)) == 1
        return
    names = ", ".join(f'"{name}"' for name in KINDS)
    expected = database.fetch(f"select * from t order by {names}")
    assert _sorted(database, found, most) == expected
    assert _sorted(database, found, len(rows) * REPEATED) == expected
    assert database.columns(found.unpacked("packed")) == database.columns(SQL)


def test_the_ends_of_a_wide_range(database: Database) -> None:
    user = [2**60, -(2**60), 0, 2**60]
    found = _packing(database, pa.table({"user": user, "small": pa.array([0, 1, 1, 1], pa.int8())}))
    assert found is not None
    assert _sorted(database, found, 10) == [(-(2**60), 1), (0, 1), (2**60, 0), (2**60, 1)]


def test_what_needs_more_than_63_bits_is_not_packed(database: Database) -> None:
    assert _packing(database, pa.table({"user": [2**62, -(2**62)], "x": [1, 0]})) is None


@pytest.mark.parametrize(
    "column", ["1.5 * n", "cast(n as text)", "cast(null as text)", "repeat('x', 20_001)", "n::hugeint"]
)
def test_what_is_no_whole_number_and_no_frequent_text_is_not_packed(database: Database, column: str) -> None:
    database.create("rows", f"select n as user, {column} as x from range(100) as r(n)")
    assert _packing(database, database.stream("select * from rows").read_all()) is None


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_what_never_comes_is_not_packed(database: Database, kind: str) -> None:
    sql = f"select n as user, {kind} '2026-01-01' as x from range(9) as r(n)"
    for never in ("infinity", "-infinity"):
        database.create("t2", f"{sql} union all select 9, {kind} '{never}'")
        database.drop("t")
        database.create("t", "select * from t2")
        found = packing(SQL, database.columns(SQL), ["user"], lambda q: database.stream(q).read_all(), 1_000)
        assert found is None


def test_the_largest_unit_that_divides_instants(database: Database) -> None:
    for unit, step in (("hour", 3_600_000_000), ("minute", 1_000_000), ("microsecond", 1)):
        sql = (
            f"select timestamptz '1969-12-31 00:00+00' + n * interval '1 {unit}' as at from range(99) as r(n)"
        )
        found = packing(sql, database.columns(sql), ["at"], lambda q: database.stream(q).read_all(), 1_000)
        assert found is not None
        assert [(field.unit, field.span) for field in found.fields] == [
            (step, 98 * (60 if unit == "minute" else 1))
        ]


@given(
    st.lists(st.lists(st.integers(-9, 9) | st.integers(-(2**60), 2**60), max_size=40), max_size=9),
    st.integers(1, 30),
)
def test_numbers_come_in_order_part_by_part(batches: list[list[int]], most: int) -> None:
    numbers = [np.array(batch, dtype=np.int64) for batch in batches]
    rows = sum(map(len, numbers))
    with TemporaryDirectory() as scratch:
        found = [part.copy() for part in in_order(numbers, rows, most, Path(scratch))]
        assert list(Path(scratch).iterdir()) == []
    assert [n for part in found for n in part.tolist()] == sorted(n for batch in batches for n in batch)
    for one, other in pairwise(found):
        assert one[-1] < other[0]  # equal ones are in the same part


def test_parts_are_as_large_as_they_may_be_and_no_larger() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.lognormal(10, 3, 100_000).astype(np.int64) * 100_000 + np.arange(100_000)  # far from even
    with TemporaryDirectory() as scratch:
        sizes = [len(part) for part in in_order([numbers], 100_000, 10_000, Path(scratch))]
    assert sum(sizes) == 100_000
    assert max(sizes) <= 10_000
    assert len(sizes) <= 12


@pytest.mark.parametrize("threads", [2, 3])
def test_several_cores_sort_as_one_does(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(number_sort, "SMALL", 1)
    rng = np.random.default_rng(1)
    for rows in (1, 2, 5, 10_000):
        numbers = rng.integers(-50, 2**40, rows)
        with TemporaryDirectory() as scratch:
            (found,) = in_order([numbers], rows, rows, Path(scratch), threads)
        assert found.tolist() == sorted(numbers.tolist())


def test_the_order_of_columns_is_that_of_the_sorting(database: Database) -> None:
    found = _packing(database, pa.table({"a": [1, 1, 0], "user": [3, 2, 2], "b": [5, 6, 7]}), ("user", "b"))
    assert found is not None
    assert [field.name for field in found.fields] == ["user", "b", "a"]
    assert _sorted(database, found, 10) == [(2, 6, 1), (2, 7, 0), (3, 5, 1)]


@pytest.mark.parametrize(
    ("columns", "distinct"),
    [
        ({"user": [1, 2, 1], "n": [1, 1, 2]}, True),
        ({"user": [1, 2, 1], "n": [1, 1, 1]}, False),
        ({"user": [1, None, None], "n": [1, 1, 1]}, False),
        ({"user": [1, None, 2], "n": [None, None, None]}, True),
        ({"user": [1, 1], "n": ["a", "b"]}, True),
        ({"user": [1, 1], "n": ["a", "a"]}, False),
        ({"user": [2**62, -(2**62), 2**62], "n": [7, 7, 7]}, False),
        ({"user": [], "n": []}, True),
        ({"user": [5, 5]}, False),
    ],
)
def test_whether_rows_are_distinct(
    database: Database, monkeypatch: pytest.MonkeyPatch, columns: dict[str, list[object]], distinct: bool
) -> None:
    engine = DuckdbEngine(database)
    sql = f"select * from {engine.put(pa.table(columns))}"
    assert engine.are_distinct(sql) == distinct
    monkeypatch.setattr("backbone.engines.duckdb.engine.FEWEST_PACKED", 0)
    assert engine.are_distinct(sql) == distinct
