"""The portable SQL of models: what is allowed, what a model reads, how other engines say it.

A model is one `SELECT` in DuckDB's dialect. SQLGlot translates it to Spark 4 and PostgreSQL 15, but passes
what it doesn't know through without a word, so only the syntax in `allowlist.py` is allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from backbone.engines.sql.allowlist import AGGREGATES
from backbone.engines.sql.portable import PortableCheck, output_name, projections
from backbone.engines.sql.text import SqlText

WINDOW_PARAMETERS = frozenset({"window_start", "window_end"})


@dataclass(frozen=True)
class ParsedQuery:
    """What a model's SQL says about itself.

    Attributes
    ----------
    inputs : the tables it reads, as `zone.table`, sorted; CTEs and aliases excluded.
    parameters : the names after `$`.
    normalised : the same for texts that differ in white space, comments and case only.
    fingerprint : sha256 of `normalised`, in hexadecimal.
    output : the names of the result's columns; None where `*` leaves them to the schema.
    """

    inputs: tuple[str, ...]
    parameters: frozenset[str]
    normalised: str
    fingerprint: str
    output: tuple[str, ...] | None


@dataclass(frozen=True)
class Conserved:
    """A sum that a model must keep: an aggregate over one source table.

    Attributes
    ----------
    expression : the aggregate.
    table : `zone.table`.
    where : the condition on the table's rows; None when all count.
    """

    expression: str
    table: str
    where: str | None


def parse_query(sql: str, name: str, parameters: Iterable[str] = WINDOW_PARAMETERS) -> ParsedQuery:
    """Parse a model, and refuse what isn't portable.

    Parameters
    ----------
    sql : one `SELECT` in DuckDB's dialect.
    name : the file's name, for messages.
    parameters : the declared names after `$`.

    Raises
    ------
    SqlRefused
        At the first place of the text that breaks a rule.

    Examples
    --------
    >>> query = parse_query(
    ...     "select r.user_id, count(*) as reviews from formatted.review r "
    ...     "where r.reviewed_at < $window_end group by r.user_id", "reviews.sql")
    >>> query.inputs, query.output, sorted(query.parameters)
    (('formatted.review',), ('user_id', 'reviews'), ['window_end'])
    >>> parse_query("select user_id, count(*) as n from formatted.review group by all", "reviews.sql")
    Traceback (most recent call last):
    ...
    backbone.engines.sql.text.SqlRefused: reviews.sql, line 1, column 53: `group by all` is not portable SQL
    <BLANKLINE>
        select user_id, count(*) as n from formatted.review group by all
                                                            ^
    List the columns of `group by`
    Next: edit reviews.sql
    """
    text = SqlText(sql, name)
    query = text.query()
    check = PortableCheck(text, parameters)
    check.query(query)
    check.finish()
    normalised = _normalised(query)
    fingerprint = hashlib.sha256(normalised.encode()).hexdigest()
    names = [output_name(column) for column in projections(query)]
    output = tuple(name for name in names if name)
    return ParsedQuery(
        tuple(sorted(check.inputs)),
        frozenset(check.used),
        normalised,
        fingerprint,
        output if len(output) == len(names) else None,
    )


def parse_conserves(text: str, name: str) -> Conserved:
    """Parse what a model must conserve: `aggregate from zone.table [where condition]`.

    Parameters
    ----------
    text : the aggregate, the table and the condition.
    name : where it is written, for messages.

    Raises
    ------
    SqlRefused
        When it isn't an aggregate over one table, in portable SQL.

    Examples
    --------
    >>> parse_conserves("sum(quantity) from formatted.purchase where customer_id is not null", "spend")
    Conserved(expression='SUM(quantity)', table='formatted.purchase', where='NOT customer_id IS NULL')
    """
    shape = (
        "write `aggregate from zone.table where condition`, such as `sum(quantity) from formatted.purchase`"
    )
    sql_text = SqlText(f"select {text}", name, prefix=len("select "))
    query = sql_text.query()
    check = PortableCheck(sql_text, ())
    check.query(query, named=False)
    extra = {key for key, value in query.args.items() if value} - {"expressions", "from_", "where"}
    columns = query.expressions
    if extra or len(columns) != 1 or not query.args.get("from_") or list(query.find_all(exp.Subquery)):
        check.refuse(query, "this is not one aggregate over one table", shape)
    elif isinstance(columns[0], exp.Alias) or columns[0].find(exp.Window):
        check.refuse(columns[0], "an aggregate without a name or a window is expected", shape)
    elif not columns[0].find(*AGGREGATES):
        check.refuse(columns[0], "no aggregate is found", shape)
    check.finish()
    where = query.args.get("where")
    table = query.args["from_"].this
    return Conserved(
        _normalised(columns[0]),
        f"{table.db}.{table.name}".lower(),
        _normalised(where.this) if where else None,
    )


def parse_condition(text: str, name: str) -> str:
    """Parse a condition over the columns of one table, and return it without comments.

    Parameters
    ----------
    text : the condition.
    name : where it is written, for messages.

    Raises
    ------
    SqlRefused
        When it isn't one condition, in portable SQL.

    Examples
    --------
    >>> parse_condition("alert_value is not null -- for good", "keep_where")
    'NOT alert_value IS NULL'
    """
    shape = "write a condition over the columns of the table, such as `alert_value is not null`"
    sql_text = SqlText(f"select {text}", name, prefix=len("select "))
    query = sql_text.query()
    check = PortableCheck(sql_text, ())
    check.query(query, named=False)
    extra = {key for key, value in query.args.items() if value} - {"expressions"}
    columns = query.expressions
    if extra or len(columns) != 1 or any(found is not query for found in query.find_all(exp.Query)):
        check.refuse(query, "this is not one condition", shape)
    elif isinstance(columns[0], (exp.Alias, exp.Star)) or columns[0].find(exp.Window, *AGGREGATES):
        check.refuse(columns[0], "this is not a condition on a single row", shape)
    check.finish()
    return _normalised(columns[0])


def _normalised(node: exp.Expr) -> str:
    node = node.copy()
    for spec in node.find_all(exp.WindowSpec):
        for part, value in spec.args.items():
            if isinstance(value, str):
                spec.set(part, value.upper())
    return node.sql(dialect="duckdb", normalize=True, comments=False)
