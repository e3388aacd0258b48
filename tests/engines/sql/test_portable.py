"""What models may say, and what is refused and where."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sql_cases import FIXTURES, cases

from backbone.engines.sql.parse import parse_query
from backbone.engines.sql.text import SqlRefused
from backbone.engines.sql.translate import translate


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


def test_the_first_of_several_refusals_is_reported() -> None:
    with pytest.raises(SqlRefused, match="line 1, column 8: `foo`"):
        parse_query("select foo(a) as b from formatted.x qualify bar(b)", "m.sql")


@pytest.mark.parametrize(("sql", "result"), cases("allowed.sql"))
def test_allowed(sql: str, result: str, database: duckdb.DuckDBPyConnection) -> None:
    query = parse_query(sql, "model.sql", {"window_start", "window_end", "least"})
    values = {"window_start": "2020-01-01 00:00:00+00", "window_end": "2020-02-01 00:00:00+00", "least": 2}
    translated = translate(sql, "duckdb")
    used = {name: values[name] for name in query.parameters}
    cursor = database.execute(translated, used)
    assert str(cursor.fetchall()) == result
    if query.output is not None:
        assert [column[0] for column in cursor.description] == list(query.output)


@pytest.mark.parametrize("sql", [sql for sql, _ in cases("allowed.sql")])
def test_allowed_sql_is_parsed_by_the_other_dialects(sql: str) -> None:
    inputs = parse_query(sql, "model.sql", {"window_start", "window_end", "least"}).inputs
    for dialect in ("spark", "postgres"):
        translated = translate(sql, dialect)
        again = sqlglot.parse_one(translated, read=dialect)
        tables = {f"{t.db}.{t.name}" for t in again.find_all(sqlglot.exp.Table) if t.db}
        assert tables == set(inputs)
        assert not list(again.find_all(sqlglot.exp.Command))


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
