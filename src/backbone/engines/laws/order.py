"""Laws of the questions whether rows ascend, and whether they are distinct."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

from backbone.engines.laws.examples import DAY, count, put_columns
from backbone.engines.protocol import Engine


def rows_ascend_where_each_is_larger_than_the_one_before(engine: Engine, folder: Path) -> None:
    nan = math.nan
    cases: list[tuple[bool, dict[str, list[Any]]]] = [
        (True, {"a": [1, 2, 3]}), (False, {"a": [1, 1]}), (False, {"a": [2, 1]}), (True, {"a": [5]}),
        (False, {"a": [1, None]}), (False, {"a": [None, 1]}), (False, {"a": [1.0, nan]}),
        (False, {"a": [nan]}),
        (True, {"a": ["B", "a", "ä"]}), (False, {"a": ["a", "B"]}), (True, {"a": [DAY, DAY + timedelta(1)]}),
        (True, {"a": [1, 1, 2], "b": [1, 2, 0]}), (False, {"a": [1, 1], "b": [2, 2]}),
        (False, {"a": [1, 2], "b": [1, None]}), (False, {"a": [1, 1], "b": [2.5, 1.5]}),
    ]  # fmt: skip
    for expected, columns in cases:
        rows = put_columns(engine, columns)
        assert engine.is_ascending(f"select * from {rows}") == expected, columns
        assert engine.is_ascending(f"select * from {rows} where 1 = 2"), "no rows ascend"
        assert count(engine, rows) == len(columns["a"])


def rows_are_distinct_where_none_repeats(engine: Engine, folder: Path) -> None:
    nan = math.nan
    cases: list[tuple[bool, dict[str, list[Any]]]] = [
        (True, {"a": [3, 1, 2]}), (False, {"a": [1, 2, 1]}), (True, {"a": [1, None]}),
        (False, {"a": [None, None]}),
        (True, {"a": [1.0, nan]}), (False, {"a": [nan, nan]}), (True, {"a": ["a", "A", "ä", ""]}),
        (True, {"a": [1, 1], "b": [None, 1]}), (False, {"a": [1, 1], "b": [None, None]}),
        (False, {"a": [DAY, DAY], "b": [True, True]}),
    ]  # fmt: skip
    for expected, columns in cases:
        rows = put_columns(engine, columns)
        assert engine.are_distinct(f"select * from {rows}") == expected, columns
        assert engine.are_distinct(f"select * from {rows} where 1 = 2"), "no rows are distinct"
