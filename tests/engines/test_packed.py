"""Rows packed into numbers sort and come back as a database sorts them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.engines import own_engine
from backbone.engines.packed import Packing, packing
from backbone.engines.protocol import Engine

KINDS = {"user": pa.int64(), "small": pa.int8(), "unsigned": pa.uint16(), "flag": pa.bool_()}
SQL = "select * from t"


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[Engine]:
    with own_engine("200MB", 2) as engine:
        yield engine


def _packing(engine: Engine, rows: pa.Table, sorting: tuple[str, ...] = ("user",)) -> Packing | None:
    engine.show("t", rows)
    return packing(SQL, engine.columns(SQL), sorting, engine.fetch)


def _sorted(engine: Engine, found: Packing, most: int) -> list[tuple[object, ...]]:
    """As an engine does it: range by range."""
    rows: list[tuple[object, ...]] = []
    for low, high, count in found.ranges(engine.fetch, most):
        numbers = engine.stream(f"select k from ({found.numbers}) as n where k >= {low} and k < {high}")
        k = np.sort(numbers.read_all().column("k").to_numpy())
        assert len(k) == count <= most
        engine.take("packed", pa.table({"k": k}))
        rows += engine.fetch(found.unpacked("packed"))
    return rows


ROW = st.tuples(
    st.integers(-5, 40),
    st.none() | st.integers(-128, 127),
    st.integers(0, 65535),
    st.none() | st.booleans(),
)


@given(st.lists(ROW, min_size=1, max_size=60), st.integers(8, 60))
def test_rows_come_back_as_they_were_in_the_order_of_a_database(
    engine: Engine, rows: list[tuple[object, ...]], most: int
) -> None:
    columns = zip(*rows, strict=True)
    table = pa.table({n: pa.array(c, k) for (n, k), c in zip(KINDS.items(), columns, strict=True)})
    found = _packing(engine, table)
    if found is None:  # every row is the same
        assert len(set(rows)) == 1
        return
    expected = engine.fetch('select * from t order by "user", small, unsigned, flag')
    ranges = found.ranges(engine.fetch, most)
    if ranges:
        assert _sorted(engine, found, most) == expected
    assert _sorted(engine, found, len(rows)) == expected
    assert engine.columns(found.unpacked("packed")) == engine.columns(SQL)


def test_the_ends_of_a_wide_range(engine: Engine) -> None:
    user = [2**60, -(2**60), 0, 2**60]
    found = _packing(engine, pa.table({"user": user, "small": pa.array([0, 1, 1, 1], pa.int8())}))
    assert found is not None
    assert _sorted(engine, found, 10) == [(-(2**60), 1), (0, 1), (2**60, 0), (2**60, 1)]


def test_what_needs_more_than_63_bits_is_not_packed(engine: Engine) -> None:
    assert _packing(engine, pa.table({"user": [2**62, -(2**62)], "x": [1, 0]})) is None


@pytest.mark.parametrize("column", [pa.array([1.5, 2.0]), pa.array(["a", "b"])])
def test_what_is_no_whole_number_is_not_packed(engine: Engine, column: pa.Array) -> None:
    assert _packing(engine, pa.table({"user": [2, 1], "x": column})) is None


def test_more_rows_that_lie_together_than_may_be_sorted_at_once_have_no_ranges(engine: Engine) -> None:
    found = _packing(engine, pa.table({"user": [*range(1000), *[7] * 100]}))
    assert found is not None
    assert found.ranges(engine.fetch, 50) == []
    assert sum(rows for _, _, rows in found.ranges(engine.fetch, 200)) == 1100


def test_the_order_of_columns_is_that_of_the_sorting(engine: Engine) -> None:
    found = _packing(engine, pa.table({"a": [1, 1, 0], "user": [3, 2, 2], "b": [5, 6, 7]}), ("user", "b"))
    assert found is not None
    assert [field.name for field in found.fields] == ["user", "b", "a"]
    assert _sorted(engine, found, 10) == [(2, 6, 1), (2, 7, 0), (3, 5, 1)]


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
def test_whether_rows_are_distinct(engine: Engine, columns: dict[str, list[object]], distinct: bool) -> None:
    engine.show("t", pa.table(columns))
    assert engine.are_distinct(SQL) == distinct
