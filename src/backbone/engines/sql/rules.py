"""What an allowed expression must also keep to, whatever stands around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlglot import exp

from backbone.engines.sql.allowlist import (
    COLUMNS_BY_NAME,
    EXTRACT_UNITS,
    HINTS,
    INTERVAL_UNITS,
    ORDERED_WINDOWS,
    TRUNC_UNITS,
    TYPES,
)

Complaint = tuple[str, str, str]  # what is found, the portable way, the words that find it
Rule = Callable[[exp.Expr], Iterator[Complaint]]


def _limited(node: exp.Expr) -> Iterator[Complaint]:
    if (node.args.get("limit") or node.args.get("offset")) and not node.args.get("order"):
        word = "LIMIT" if node.args.get("limit") else "OFFSET"
        yield f"`{word.lower()}` without `order by` keeps any rows", "add `order by`", word


def _star(node: exp.Expr) -> Iterator[Complaint]:
    if not isinstance(node.parent, (exp.Select, exp.Count, exp.Column)):
        yield "`*` is found where one column is expected", COLUMNS_BY_NAME, ""


def _identifier(node: exp.Expr) -> Iterator[Complaint]:
    if node.args.get("quoted") and node.name != node.name.lower():
        yield f'"{node.name}" has capitals, which engines treat differently', "write it in lower case", ""


def _ordered(node: exp.Expr) -> Iterator[Complaint]:
    if isinstance(node.this, exp.Var):
        yield "`order by all` is not portable SQL", "list the columns of `order by`", "ORDER BY ALL"


def _case_branch(node: exp.Expr) -> Iterator[Complaint]:
    if not isinstance(node.parent, exp.Case):
        yield "`if` is not portable SQL", HINTS["If"][1], "IF"


def _distinct(node: exp.Expr) -> Iterator[Complaint]:
    if len(node.expressions) > 1:
        hint = "count the rows of `select distinct …` in a CTE"
        yield "`distinct` over several columns is not portable SQL", hint, "DISTINCT"


def _counts(node: exp.Expr) -> Iterator[Complaint]:
    if not node.this:
        yield "`count()` is not portable SQL", "write `count(*)`", ""


def _like(node: exp.Expr) -> Iterator[Complaint]:
    if "\\" in node.expression.name and isinstance(node.expression, exp.Literal):
        hint = "only DuckDB takes it for itself; write `like … escape '!'` with another sign"
        yield "a backslash is found in a pattern", hint, ""


def _interval(node: exp.Expr) -> Iterator[Complaint]:
    unit = node.text("unit").upper()
    is_integer = isinstance(node.this, exp.Literal) and re.fullmatch(r"-?\d+", node.this.name)
    if not is_integer or unit.removesuffix("S") not in INTERVAL_UNITS:
        yield (
            "this interval is not portable SQL",
            "write a whole number and a unit: `interval '2 hours'`",
            "INTERVAL",
        )


def _substring(node: exp.Expr) -> Iterator[Complaint]:
    start = node.args.get("start")
    if isinstance(start, exp.Neg) or (isinstance(start, exp.Literal) and start.name == "0"):
        yield "engines differ on a substring that starts before 1", "count from 1", ""


def _split_part(node: exp.Expr) -> Iterator[Complaint]:
    index, delimiter = node.args.get("part_index"), node.args.get("delimiter")
    number = index.this if isinstance(index, exp.Neg) else index
    counted = isinstance(number, exp.Literal) and not number.is_string and number.name.strip("0").isdigit()
    if not counted:
        yield "engines differ on a part that is not counted from 1 or -1", "write a whole number but 0", ""
    if not (isinstance(delimiter, exp.Literal) and delimiter.is_string and delimiter.name):
        yield "engines differ on an empty separator", "write one between quotes", ""


def _unit(units: frozenset[str], part: str) -> Rule:
    def rule(node: exp.Expr) -> Iterator[Complaint]:
        unit = node.text(part).upper()
        if unit not in units:
            allowed = ", ".join(sorted(units)).lower()
            yield f"the unit `{unit.lower()}` is not portable", f"allowed are {allowed}", unit

    return rule


def _cast(node: exp.Expr) -> Iterator[Complaint]:
    to = node.args["to"]
    kind = to.this if isinstance(to, exp.DataType) else None
    if kind not in TYPES:
        hint = (
            "use boolean, smallint, integer, bigint, real, double, decimal(p, s), text, date, "
            "timestamp or timestamptz"
        )
        name = to.sql(dialect="duckdb").lower()
        yield f"the type `{name}` is not portable", hint, name.upper()
    elif kind in exp.DataType.INTEGER_TYPES and _fraction(node.this):
        hint = "DuckDB rounds and Spark cuts off; write `cast(round(…) as …)` or `cast(floor(…) as …)`"
        yield "a fraction is cast to a whole number", hint, ""


def _fraction(node: exp.Expr) -> bool:
    """Whether a value visibly has decimals."""
    if isinstance(node, (exp.Div, exp.Avg)):
        return True
    if isinstance(node, exp.Literal):
        return not node.is_string and not node.name.isdigit()
    if isinstance(node, exp.Cast):
        return node.to.this in exp.DataType.REAL_TYPES
    if isinstance(node, (exp.Paren, exp.Neg)):
        return _fraction(node.this)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        return _fraction(node.this) or _fraction(node.expression)
    return False


def _window(node: exp.Expr) -> Iterator[Complaint]:
    if isinstance(node.this, ORDERED_WINDOWS) and not node.args.get("order"):
        yield "this window function needs an order", "write `over (… order by …)`", ""


def _frame(node: exp.Expr) -> Iterator[Complaint]:
    if str(node.args.get("kind")).upper() not in ("ROWS", "RANGE"):
        yield "`groups` frames are not portable SQL", "use `rows` or `range`", "GROUPS"


RULES: dict[type[exp.Expr], Rule] = {
    exp.Select: _limited,
    exp.Union: _limited,
    exp.Intersect: _limited,
    exp.Except: _limited,
    exp.Subquery: _limited,
    exp.Star: _star,
    exp.Identifier: _identifier,
    exp.Ordered: _ordered,
    exp.If: _case_branch,
    exp.Distinct: _distinct,
    exp.Count: _counts,
    exp.Like: _like,
    exp.Interval: _interval,
    exp.Substring: _substring,
    exp.SplitPart: _split_part,
    exp.Extract: _unit(EXTRACT_UNITS, "this"),
    exp.TimestampTrunc: _unit(TRUNC_UNITS, "unit"),
    exp.DateTrunc: _unit(TRUNC_UNITS, "unit"),
    exp.Cast: _cast,
    exp.Window: _window,
    exp.WindowSpec: _frame,
}
