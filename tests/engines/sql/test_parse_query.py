"""What a model's SQL says about itself."""

from __future__ import annotations

import pytest

from backbone.engines.sql.parse import parse_condition, parse_conserves, parse_query
from backbone.engines.sql.text import SqlRefused


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a from formatted.x", "SELECT  A\n  FROM Formatted.X -- a comment\n;"),
        ("select a from formatted.x", "/* why */ select a /* that */ from formatted.x"),
        (
            "select sum(a) over (order by b rows between 1 preceding and current row) as s from formatted.x",
            "select SUM(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM formatted.x",
        ),
    ],
)
def test_layout_comments_and_case_do_not_change_the_fingerprint(one: str, other: str) -> None:
    first, second = parse_query(one, "a.sql"), parse_query(other, "b.sql")
    assert first == second
    assert len(first.fingerprint) == 64


@pytest.mark.parametrize("other", ["'A'", "'a '", "1", "a"])
def test_a_literal_changes_the_fingerprint(other: str) -> None:
    sql = "select b from formatted.x where a = {}"
    assert parse_query(sql.format("'a'"), "a").fingerprint != parse_query(sql.format(other), "a").fingerprint


@pytest.mark.parametrize(
    ("sql", "output"),
    [
        ("select a, x.b, a + 1 as C from formatted.x", ("a", "b", "c")),
        ("select a from formatted.x union all select b from formatted.x", ("a",)),
        ("select * from formatted.x", None),
        ("select x.*, 1 as one from formatted.x", None),
    ],
)
def test_output(sql: str, output: tuple[str, ...] | None) -> None:
    assert parse_query(sql, "m.sql").output == output


def test_conserves() -> None:
    found = parse_conserves(
        "sum(Quantity * unit_price) from formatted.user_purchase where customer_id > 0", "spend"
    )
    assert found.expression == "SUM(quantity * unit_price)"
    assert found.table == "formatted.user_purchase"
    assert found.where == "customer_id > 0"
    assert parse_conserves("count(*) from exploitation.x", "rows").where is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alert_value is not null", "NOT alert_value IS NULL"),
        ("Total > 30 or -- for good\n  kind in ('a', 'b')", "total > 30 OR kind IN ('a', 'b')"),
        ("false", "FALSE"),
    ],
)
def test_a_condition(text: str, expected: str) -> None:
    assert parse_condition(text, "keep_where") == expected


@pytest.mark.parametrize(
    ("text", "column", "fragment"),
    [
        ("list_contains(a, 1)", 1, "`list_contains` is not portable"),
        ("a > 1 and\n  b ~ 'x'", None, "`~` is not portable"),
        ("sum(a) > 1", 1, "not a condition on a single row"),
        ("row_number() over (order by a) = 1", 1, "not a condition on a single row"),
        ("a > 1 as b", 1, "not a condition on a single row"),
        ("*", 1, "not a condition on a single row"),
        ("a, b", 1, "not one condition"),
        ("a > 1 from formatted.x", 1, "not one condition"),
        ("a in (select b from formatted.x)", 1, "not one condition"),
        ("exists (select 1 from formatted.x)", 16, "not one condition"),
        ("a > 1; select 2", 8, "a second statement"),
        ("a > 1) or (true", 6, "syntax error"),
        ("x.a > 1", 1, "`x` is no table"),
        ("a > $least", 5, "not declared"),
        ("at > now()", 6, "not portable"),
    ],
)
def test_a_condition_is_refused(text: str, column: int | None, fragment: str) -> None:
    with pytest.raises(SqlRefused, match=fragment) as caught:
        parse_condition(text, "keep_where")
    expected = (2, 5) if column is None else (1, column)
    assert (caught.value.line, caught.value.column) == expected, str(caught.value)


@pytest.mark.parametrize(
    ("text", "column", "fragment"),
    [
        ("sum(a) from x", 13, "no zone"),
        ("foo(a) from formatted.x", 1, "`foo` is not portable"),
        ("a from formatted.x", 1, "no aggregate"),
        ("sum(a), sum(b) from formatted.x", 1, "not one aggregate"),
        ("sum(a)", 1, "not one aggregate"),
        ("sum(a) from formatted.x group by b", 1, "not one aggregate"),
        ("sum(a) as b from formatted.x", 1, "without a name"),
        ("sum(a) from formatted.x where", 25, "syntax error"),
        ("sum(a) from formatted.x where t < $window_end", 35, "not declared"),
    ],
)
def test_conserves_refused(text: str, column: int, fragment: str) -> None:
    with pytest.raises(SqlRefused, match=fragment) as caught:
        parse_conserves(text, "spend")
    assert (caught.value.line, caught.value.column) == (1, column), str(caught.value)
    assert "select" not in str(caught.value).splitlines()[2].lower()
