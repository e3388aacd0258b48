"""The rules that a field's metadata demands, such as `Field(ge=0)`, as SQL."""

from __future__ import annotations

import decimal
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic.fields import FieldInfo

from backbone.contracts.column import Rule
from backbone.contracts.field_place import FieldPlace
from backbone.contracts.regular_expression import UnreadablePattern, as_re2
from backbone.quoting import quote_literal

_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def limits_of(place: FieldPlace, mark: Any) -> list[tuple[str, Any]]:
    """What one piece of metadata demands, as in [("ge", 0)]."""
    known = {*_SIGNS, "multiple_of", "min_length", "max_length", "pattern", "max_digits", "decimal_places"}
    package = type(mark).__module__.partition(".")[0]
    names = [*getattr(mark, "__dict__", {}), *getattr(mark, "__dataclass_fields__", {})]
    demands = {name: getattr(mark, name) for name in names}
    demands = {name: demand for name, demand in demands.items() if demand is not None and demand is not False}
    if package not in {"annotated_types", "pydantic"} or not names or not known.issuperset(demands):
        raise place.error(
            f"found {mark!r}, which has no SQL",
            f"use {', '.join(sorted(known))}, or check it in a step",
        )
    return list(demands.items())


def each_mark(metadata: Any) -> Iterator[Any]:
    """Metadata that stands for several, such as StringConstraints or Field, one by one."""
    if isinstance(metadata, FieldInfo):
        for item in metadata.metadata:
            yield from each_mark(item)
    elif hasattr(metadata, "__is_annotated_types_grouped_metadata__"):
        for item in metadata:
            yield from each_mark(item)
    else:
        yield metadata


def rule_of(place: FieldPlace, sql_type: str, limit: str, bound: Any) -> Rule:
    """The rule that one limit demands of the values of a column."""
    name = place.field
    if limit in _SIGNS:
        return Rule(*_comparison(place, sql_type, limit, bound))
    if limit == "multiple_of" and sql_type == "BIGINT" and type(bound) is int and 0 < bound < 2**63:
        return Rule(f"{name} is a multiple of {bound}", f"{{value}} % {bound} = 0")
    if limit == "min_length" and sql_type == "VARCHAR":
        return Rule(f"length({name}) >= {int(bound)}", f"length({{value}}) >= {int(bound)}")
    if limit == "max_length" and sql_type == "VARCHAR":
        return Rule(f"length({name}) <= {int(bound)}", f"length({{value}}) <= {int(bound)}")
    if limit == "pattern" and sql_type == "VARCHAR":
        try:
            pattern = as_re2(bound)
        except UnreadablePattern as error:
            raise place.error(
                f"RE2, which checks a pattern, can't read {bound!r}: {error}",
                "write it without (no look-around, no back-references), or check it in a step",
            ) from None
        return Rule(
            f"{name} matches {pattern}", "regexp_matches({value}, " + braced(quote_literal(pattern)) + ")"
        )
    raise place.error(
        f"{limit}={bound!r} does not fit a column of {sql_type}", "remove it or change the type"
    )


def braced(sql: str) -> str:
    """For a place in a rule's condition, where a brace would stand for the value."""
    return sql.replace("{", "{{").replace("}", "}}")


def _comparison(place: FieldPlace, sql_type: str, limit: str, bound: Any) -> tuple[str, str]:
    """The text and the condition of a bound, whose literal has the type of the column."""
    sign, shown = _SIGNS[limit], str(bound)
    number = type(bound) in (int, float, Decimal) and Decimal(bound).is_finite()
    if number and sql_type == "DOUBLE" and abs(bound) <= sys.float_info.max:
        literal = f"cast('{float(bound)!r}' as double)"
    elif number and (sql_type == "BIGINT" or sql_type.startswith("DECIMAL")):
        exact = _grid_bound(sql_type, limit, Decimal(str(bound)))
        if isinstance(exact, bool):
            return f"{place.field} {sign} {shown}", str(exact).lower()
        literal = f"cast('{exact:f}' as {sql_type})"
    elif sql_type == "DATE" and type(bound) is date:
        literal = f"cast('{bound.isoformat()}' as date)"
    elif sql_type == "TIMESTAMPTZ" and isinstance(bound, datetime):
        instant = bound.replace(tzinfo=UTC) if bound.tzinfo is None else bound.astimezone(UTC)
        literal, shown = f"make_timestamptz({(instant - _EPOCH) // timedelta(microseconds=1)})", str(instant)
    else:
        raise place.error(
            f"{limit}={bound!r} is no bound for {sql_type}", "use a bound of the field's own type"
        )
    return f"{place.field} {sign} {shown}", f"{{value}} {sign} {literal}"


def _grid_bound(sql_type: str, limit: str, bound: Decimal) -> Decimal | bool:
    """The bound in the digits of the column, or the answer when the column can't reach it."""
    digits, scale = map(int, re.findall(r"\d+", sql_type)) if sql_type != "BIGINT" else (19, 0)
    exact = decimal.Context(prec=50)
    most = 2**63 - 1 if sql_type == "BIGINT" else exact.scaleb(Decimal(10**digits - 1), -scale)
    least = -(2**63) if sql_type == "BIGINT" else exact.minus(Decimal(most))
    if bound > most:
        return limit in {"le", "lt"}
    if bound < least:
        return limit in {"ge", "gt"}
    rounding = decimal.ROUND_CEILING if limit in {"ge", "lt"} else decimal.ROUND_FLOOR
    return bound.quantize(Decimal(1).scaleb(-scale), rounding, exact)
