"""Whether rows lie in order, told while they pass by."""

from __future__ import annotations

import math
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.engines import own_engine
from backbone.engines.order import is_ascending

ROW = st.tuples(st.integers(0, 3), st.none() | st.text("ab", max_size=2), st.integers(-2, 2))


@given(st.lists(ROW, max_size=12), st.booleans(), st.integers(1, 5))
def test_rows_ascend_where_each_is_larger_than_the_one_before(
    rows: list[tuple[int, str | None, int]], in_order: bool, batch: int
) -> None:
    if in_order:
        rows = sorted({row for row in rows if row[1] is not None})
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    kinds = (pa.int32(), pa.string(), pa.timestamp("us", "UTC"))
    table = pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], names=["a", "b", "c"])
    missing = any(value is None for row in rows for value in row)
    expected = not missing and all(a < b for a, b in pairwise(rows))
    assert is_ascending(table.to_batches(max_chunksize=batch)) == expected


@pytest.mark.parametrize("values", [[math.nan], [math.nan, math.nan], [math.nan, 1.0], [1.0, math.nan]])
def test_what_is_no_number_is_not_larger_than_anything(values: list[float]) -> None:
    assert not is_ascending(pa.table({"a": values}).to_batches())


def test_an_engine_is_asked_about_a_query() -> None:
    with own_engine("200MB", 2) as engine:
        t = engine.stage("select unnest(range(300000)) as a")
        assert engine.is_ascending(f"select a from {t}")
        assert not engine.is_ascending(f"select a // 2 as b from {t}")
        assert not engine.is_ascending(f"select -a as b from {t}")
        assert engine.is_ascending(f"select a from {t} where false")
        n = engine.stage(f"select a, nullif(a, 7) as b from {t}")
        assert engine.is_ascending(f"select a::double as b from {t}")
        assert not engine.is_ascending(f"select a, b from {n}")
        assert not engine.is_ascending(f"select a::double as a, b from {n}")
        assert engine.fetch(f"select count(*) from {t}") == [(300000,)], (
            "it is done with the rows it has read"
        )
