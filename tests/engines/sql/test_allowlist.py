"""The allow-list and its hints, against the cases and each other."""

from __future__ import annotations

import sqlglot
from sql_cases import cases

from backbone.engines.sql.allowlist import HINTS, PARTS


def test_every_allowed_class_is_in_a_case() -> None:
    seen = {type(node) for sql, _ in cases("allowed.sql") for node in sqlglot.parse_one(sql, "duckdb").walk()}
    assert {cls.__name__ for cls in PARTS.keys() - seen} == set()


def test_hints_are_about_what_is_not_allowed() -> None:
    allowed = {f"{cls.__name__}.{part}" for cls, parts in PARTS.items() for part in parts}
    assert not allowed & set(HINTS)
