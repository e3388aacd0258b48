"""What models may say, what is refused and where, and what engines are told."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import sqlglot

from backbone.engines.dialect import (
    ALLOWED,
    HINTS,
    PARTS,
    SqlRefused,
    parse_conserves,
    parse_query,
    translate,
)
from backbone.errors import PipelineError

FIXTURES = Path(__file__).parent / "fixtures"


def cases(file: str) -> list[list[str]]:
    """The blocks of a fixture file, each the parts of one case, between lines of `---`."""
    blocks = (FIXTURES / file).read_text(encoding="utf-8").split("\n---\n")
    return [block.strip("\n").split("\n--> ") for block in blocks if block.strip()]


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute((FIXTURES / "allowed_tables.sql").read_text(encoding="utf-8"))
    return connection


@pytest.mark.parametrize(("sql", "expected"), cases("refused.sql"))
def test_refused(sql: str, expected: str) -> None:
    line, column, fragment = expected.split(" ", 2)
    with pytest.raises(SqlRefused) as caught:
        parse_query(sql, "model.sql")
    error = caught.value
    assert (error.line, error.column) == (int(line), int(column)), str(error)
    assert fragment in str(error)
    assert error.file == "model.sql"
    assert error.where == f"model.sql, line {line}, column {column}"


def test_the_message_shows_the_line_and_a_caret_under_the_word() -> None:
    with pytest.raises(PipelineError) as caught:
        parse_query("select a\nfrom formatted.x\n\tasof join formatted.y on x.t >= y.t", "m.sql")
    lines = str(caught.value).splitlines()
    assert lines[0] == "m.sql, line 3, column 2: `asof join` is not portable SQL"
    assert lines[2:4] == ["    \tasof join formatted.y on x.t >= y.t", "    \t^"]
    assert lines[-1] == "Next: edit m.sql"


def test_the_first_of_several_refusals_is_told() -> None:
    with pytest.raises(SqlRefused, match="line 1, column 8: `foo`"):
        parse_query("select foo(a) as b from formatted.x qualify bar(b)", "m.sql")


@pytest.mark.parametrize(("sql", "result"), cases("allowed.sql"))
def test_allowed(sql: str, result: str, database: duckdb.DuckDBPyConnection) -> None:
    parsed = parse_query(sql, "model.sql", {"window_start", "window_end", "least"})
    values = {"window_start": "2020-01-01 00:00:00+00", "window_end": "2020-02-01 00:00:00+00", "least": 2}
    told = translate(sql, "duckdb")
    used = {name: values[name] for name in parsed.parameters}
    cursor = database.execute(told, used)
    assert str(cursor.fetchall()) == result
    if parsed.output is not None:
        assert [column[0] for column in cursor.description] == list(parsed.output)


@pytest.mark.parametrize("sql", [sql for sql, _ in cases("allowed.sql")])
def test_allowed_sql_is_parsed_by_the_other_dialects(sql: str) -> None:
    inputs = parse_query(sql, "model.sql", {"window_start", "window_end", "least"}).inputs
    for dialect in ("spark", "postgres"):
        told = translate(sql, dialect)
        again = sqlglot.parse_one(told, read=dialect)
        tables = {f"{t.db}.{t.name}" for t in again.find_all(sqlglot.exp.Table) if t.db}
        assert tables == set(inputs)
        assert not list(again.find_all(sqlglot.exp.Command))


def test_every_allowed_class_is_in_a_case() -> None:
    seen = {type(node) for sql, _ in cases("allowed.sql") for node in sqlglot.parse_one(sql, "duckdb").walk()}
    assert {cls.__name__ for cls in ALLOWED - seen} == set()


def test_hints_are_about_what_is_not_allowed() -> None:
    allowed = {f"{cls.__name__}.{part}" for cls, parts in PARTS.items() for part in parts}
    assert not allowed & set(HINTS)


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
    ("sql", "inputs"),
    [
        ("select a from formatted.x union all select a from exploitation.y", "exploitation.y formatted.x"),
        ("with x as (select a from formatted.y) select a from x", "formatted.y"),
        ("with x as (select a from formatted.x) select x.a from x", "formatted.x"),
        ("with a as (select 1 as b), c as (select b from a) select b from c", ""),
        ("select t.a from (with c as (select a from formatted.x) select a from c) as t", "formatted.x"),
        ("select a from formatted.x where exists (select 1 from formatted.z where z.a = x.a)",
         "formatted.x formatted.z"),
        ("select a from FORMATTED.X join formatted.x as y using (a)", "formatted.x"),
    ],
)  # fmt: skip
def test_inputs(sql: str, inputs: str) -> None:
    assert parse_query(sql, "m.sql").inputs == tuple(inputs.split())


def test_a_cte_is_not_in_scope_outside_its_query() -> None:
    sql = "select t.a from (with c as (select a from formatted.x) select a from c) as t join c using (a)"
    with pytest.raises(SqlRefused, match="`c` has no zone") as caught:
        parse_query(sql, "m.sql")
    assert caught.value.column == sql.rindex("c using") + 1


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
def test_what_differs_silently_is_settled(sql: str, dialect: str, expected: str) -> None:
    told = translate(f"select {sql} as v from formatted.x", dialect)  # type: ignore[arg-type]
    assert f" {expected} AS " in told


@pytest.mark.parametrize(("dialect", "order"), [("duckdb", ""), ("spark", ""), ("postgres", " NULLS LAST")])
def test_nulls_come_last_in_descending_order(dialect: str, order: str) -> None:
    told = translate("select a from formatted.x order by a desc", dialect)  # type: ignore[arg-type]
    assert told.endswith(f"DESC{order}")


def test_conserves() -> None:
    kept = parse_conserves(
        "sum(Quantity * unit_price) from formatted.user_purchase where customer_id > 0", "spend"
    )
    assert kept.expression == "SUM(quantity * unit_price)"
    assert kept.table == "formatted.user_purchase"
    assert kept.where == "customer_id > 0"
    assert parse_conserves("count(*) from exploitation.x", "rows").where is None


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
