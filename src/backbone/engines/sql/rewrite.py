"""What engines read differently without a word, rewritten so that each gives the same result."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from backbone.engines.sql.dialects import Dialect


def rewrite(query: exp.Query, to: Dialect) -> exp.Query:
    """The query with the one meaning that every engine gives it.

    Examples
    --------
    >>> import sqlglot
    >>> rewrite(sqlglot.parse_one("select a % b as rest from x", "duckdb"), "postgres").sql("postgres")
    'SELECT MOD(a, NULLIF(b, 0)) AS rest FROM x'
    """
    query = query.copy()
    for node in reversed(list(query.walk())):  # what is inside first: replacing copies it
        if type(node) in REWRITES:
            REWRITES[type(node)](node, to)
    return query


def _double(node: exp.Expr) -> exp.Expr:
    return exp.cast(node.copy(), exp.DType.DOUBLE)


def _division(node: exp.Expr, to: str) -> None:
    divisor = node.expression
    if not isinstance(divisor.unnest(), exp.Nullif) and not _nonzero(divisor):
        divisor.replace(exp.Nullif(this=divisor.unnest().copy(), expression=exp.Literal.number(0)))
    if isinstance(node, exp.Div):
        node.set("safe", False)
        if to != "duckdb":
            node.this.replace(_double(node.this))
    elif to == "postgres":  # a bare % would be taken for a parameter
        node.replace(exp.Anonymous(this="MOD", expressions=[node.this.copy(), node.expression.copy()]))


def _nonzero(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) != 0


def _aggregate(node: exp.Expr, to: str) -> None:
    if to == "postgres" or (to == "spark" and isinstance(node, exp.Avg)):
        values = node.this.expressions if isinstance(node.this, exp.Distinct) else [node.this]
        for value in values:
            value.replace(_double(value))


def _round(node: exp.Expr, to: str) -> None:
    if to == "postgres":
        node.this.replace(exp.cast(node.this.copy(), exp.DType.DECIMAL))


def _extract(node: exp.Expr, to: str) -> None:
    if to == "postgres":
        node.replace(exp.cast(node.copy(), exp.DType.BIGINT))


def _trunc(node: exp.Expr, to: str) -> None:
    unit = exp.Var(this=node.text("unit").upper())
    value = node.this.copy()
    if to == "postgres":
        value = exp.cast(value, exp.DType.TIMESTAMP)
    node.replace(exp.TimestampTrunc(this=value, unit=unit))


def _exp(node: exp.Expr, to: str) -> None:
    if to == "postgres":  # of a numeric it would be a numeric
        node.set("this", exp.cast(node.this.copy(), exp.DType.DOUBLE))


def _percent(node: exp.Expr, to: str) -> None:
    if to == "postgres" and "%" in node.name:
        node.set("this", node.name.replace("%", "%%"))


REWRITES: dict[type[exp.Expr], Callable[[exp.Expr, str], None]] = {
    exp.Div: _division,
    exp.Mod: _division,
    exp.Avg: _aggregate,
    exp.StddevPop: _aggregate,
    exp.StddevSamp: _aggregate,
    exp.Stddev: _aggregate,
    exp.VariancePop: _aggregate,
    exp.Variance: _aggregate,
    exp.Round: _round,
    exp.Exp: _exp,
    exp.Extract: _extract,
    exp.DateTrunc: _trunc,
    exp.Literal: _percent,
    exp.Identifier: _percent,
}
