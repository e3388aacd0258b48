"""What is rewritten for engines that differ silently."""

from __future__ import annotations

import pytest

from backbone.engines.sql.dialects import Dialect
from backbone.engines.sql.translate import translate


@pytest.mark.parametrize(
    ("sql", "dialect", "expected"),
    [
        ("a / b", "duckdb", '"a" / NULLIF("b", 0)'),
        ("a / b", "spark", "CAST(`a` AS DOUBLE) / NULLIF(`b`, 0)"),
        ("a / b", "postgres", 'CAST("a" AS DOUBLE PRECISION) / NULLIF("b", 0)'),
        ("a / 2", "duckdb", '"a" / 2'),
        ("a / nullif(b, 0)", "duckdb", '"a" / NULLIF("b", 0)'),
        ("avg(a / b)", "postgres",
         'AVG(CAST(CAST("a" AS DOUBLE PRECISION) / NULLIF("b", 0) AS DOUBLE PRECISION))'),
        ("a % 2", "postgres", 'MOD("a", 2)'),
        ("concat(a, b)", "spark", "CONCAT(COALESCE(`a`, ''), COALESCE(`b`, ''))"),
        ("round(a, 2)", "postgres", 'ROUND(CAST("a" AS DECIMAL), 2)'),
        ("extract(year from a)", "postgres", 'CAST(EXTRACT(YEAR FROM "a") AS BIGINT)'),
        ("date_trunc('day', a::date)", "spark", "DATE_TRUNC('DAY', CAST(`a` AS DATE))"),
        ("a::timestamptz", "spark", "CAST(`a` AS TIMESTAMP)"),
        ("'5 %'", "postgres", "'5 %%'"),
        (r"'\d'", "spark", r"'\\d'"),
        ("$window_start", "spark", ":window_start"),
        ("$window_start", "postgres", "%(window_start)s"),
        ("User", "postgres", '"user"'),
    ],
)  # fmt: skip
def test_what_differs_silently_is_rewritten(sql: str, dialect: Dialect, expected: str) -> None:
    translated = translate(f"select {sql} as v from formatted.x", dialect)
    assert f" {expected} AS " in translated


@pytest.mark.parametrize(("dialect", "order"), [("duckdb", ""), ("spark", ""), ("postgres", " NULLS LAST")])
def test_nulls_come_last_in_descending_order(dialect: Dialect, order: str) -> None:
    translated = translate("select a from formatted.x order by a desc", dialect)
    assert translated.endswith(f"DESC{order}")
