"""A contract: the canonical schema of a formatted table, written as a Pydantic model and compiled to SQL.

The engine checks a billion rows against it and Python checks none. So a contract can say what SQL can
check, and anything else in it is an error when it is read.
"""

from __future__ import annotations

import decimal
import hashlib
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, SchemaError

from backbone.contracts.column import Column, Rule
from backbone.contracts.conversion import accepts, failures_sql, ok_sql, read_sql, value_sql
from backbone.contracts.field_names import refuse_aliases, refuse_unusable_names
from backbone.contracts.notation import Notation
from backbone.contracts.regular_expression import UnreadablePattern, as_re2
from backbone.errors import ContractError
from backbone.quoting import quote_identifier, quote_literal

__all__ = [
    "Column",
    "Contract",
    "Key",
    "Notation",
    "Rule",
    "accepts",
    "columns",
    "failures_sql",
    "fingerprint",
    "keys",
    "ok_sql",
    "quote_identifier",
    "quote_literal",
    "read_sql",
    "value_sql",
]

FORMAT_VERSION = 3
"""Part of every fingerprint; raised when the same contract begins to give other rows."""

_TYPES = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    datetime: "TIMESTAMPTZ",
    date: "DATE",
    bytes: "BLOB",
}
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_SUPPORTED = "str, int, float, bool, Decimal, datetime, date, Literal, Enum and `T | None`"
_CHANGING_SETTINGS = (
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "str_min_length",
    "str_max_length",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Contract(BaseModel):
    """Base class of every contract; the docstring of a subclass is the meaning of the table.

    Examples
    --------
    >>> class Review(Contract):
    ...     'A review of a film.'
    ...     review_id: Annotated[str, Key]
    ...     rating: Literal[1, 2, 3] | None = None
    >>> for column in columns(Review):
    ...     print(column.name, column.sql_type, [rule.text for rule in column.rules])
    review_id VARCHAR []
    rating BIGINT ['rating in (1, 2, 3)']
    """

    # Pydantic's own validators are built where they are used; SQL checks the rows.
    model_config = ConfigDict(protected_namespaces=(), defer_build=True)


class Key:
    """Marks a field that identifies a row, as in `review_id: Annotated[str, Key]`."""


@cache
def columns(contract: type[Contract]) -> tuple[Column, ...]:
    """The columns of a contract, in the order of its fields.

    Bounds of times without an offset are in UTC. A `pattern` is searched for in the value, in RE2's dialect.

    Raises
    ------
    ContractError
        When a contract holds what SQL can't check, or contradicts itself.

    Examples
    --------
    >>> class Purchase(Contract):
    ...     quantity: int
    ...     note: str | None = None
    >>> [(column.name, column.nullable, column.optional) for column in columns(Purchase)]
    [('quantity', False, False), ('note', True, True)]
    """
    if not contract.__pydantic_fields_complete__:
        with suppress(SchemaError, PydanticUserError):
            contract.model_rebuild(raise_errors=False)
    if not contract.__pydantic_fields_complete__:
        raise ContractError(
            contract.__name__,
            "a type that it names is not known where the contract stands",
            next_step="define the contract, and what its annotations name, at the top of a module",
        )
    refuse_unusable_names(contract, Contract)
    refuse_aliases(contract)
    _refuse_python_checks(contract)
    if not contract.model_fields:
        raise ContractError(contract.__name__, "a contract without fields", next_step="give it a field")
    result = tuple(_column(contract, name, field) for name, field in contract.model_fields.items())
    seen: dict[str, str] = {}
    for column in result:
        if (twin := seen.setdefault(column.name.lower(), column.name)) != column.name:
            raise ContractError(
                f"{contract.__name__}.{column.name}",
                f"SQL takes it for the same column as {twin!r}",
                next_step="rename one of the two; case does not count",
            )
    return result


def keys(contract: type[Contract]) -> tuple[str, ...]:
    """The names of the columns that identify a row; empty when rows may repeat.

    Examples
    --------
    >>> class Review(Contract):
    ...     review_id: Annotated[str, Key]
    ...     text: str
    >>> keys(Review)
    ('review_id',)
    """
    return tuple(column.name for column in columns(contract) if column.key)


def fingerprint(contract: type[Contract], notation: Notation | None = None) -> str:
    """SHA-256 of everything that changes the formatted rows; descriptions are no part of it.

    Examples
    --------
    >>> class Purchase(Contract):
    ...     quantity: int
    >>> fingerprint(Purchase) == fingerprint(Purchase, Notation(timezone="Europe/Lisbon"))
    False
    """
    described = [{**asdict(column), "description": ""} for column in columns(contract)]
    facts = [FORMAT_VERSION, described, asdict(notation or Notation())]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class _Place(NamedTuple):
    """The field that is being read, for the messages."""

    contract: str
    field: str

    def error(self, problem: str, next_step: str) -> ContractError:
        return ContractError(f"{self.contract}.{self.field}", problem, next_step=next_step)


def _refuse_python_checks(contract: type[Contract]) -> None:
    decorators = contract.__pydantic_decorators__
    found: list[str] = []
    for kind in ("validators", "field_validators", "root_validators", "model_validators"):
        found += getattr(decorators, kind, {})
    if found:
        raise ContractError(
            contract.__name__,
            f"expected rules that SQL can check, found the validator {', '.join(found)}",
            next_step="write it as Field(ge=…, pattern=…) or the like, or check it in a step",
        )
    for setting in _CHANGING_SETTINGS:
        if contract.model_config.get(setting):
            raise ContractError(
                contract.__name__,
                f"model_config sets {setting}, which has no SQL",
                next_step="remove it; put a rule on each field, change values in a step",
            )


def _column(contract: type[Contract], name: str, field: FieldInfo) -> Column:
    place = _Place(contract.__name__, name)
    if not name:
        raise place.error("a column without a name", "name the field")
    annotation, nullable, inner = _unwrapped(place, field.annotation)
    marks = [mark for metadata in (*inner, *field.metadata) for mark in _flat(metadata)]
    key = any(mark is Key or isinstance(mark, Key) for mark in marks)
    limits = [
        limit
        for mark in marks
        if mark is not Key and not isinstance(mark, Key)
        for limit in _limits(place, mark)
    ]
    sql_type, choices, nullable_choice = _sql_type(place, annotation, dict(limits))
    nullable = nullable or nullable_choice
    if key and nullable:
        raise place.error("a key that may be null identifies nothing", "remove `| None` or `Key`")
    optional = not field.is_required()
    if optional and not (nullable and field.default is None and field.default_factory is None):
        found = "a default_factory" if field.default is PydanticUndefined else f"{field.default!r}"
        raise place.error(
            f"expected no default, or None for a field that may be null, found {found}",
            "remove the default; fill values in a step",
        )
    rules = [Rule(f"{name} is finite", "isfinite({value})")] if sql_type == "DOUBLE" else []
    if choices:
        literals = ", ".join(quote_literal(item) if isinstance(item, str) else str(item) for item in choices)
        rules.append(Rule(f"{name} in ({literals})", "{value} in (" + _braced(literals) + ")"))
    rules += [
        _rule(place, sql_type, limit, bound)
        for limit, bound in limits
        if limit not in {"max_digits", "decimal_places"}
    ]
    return Column(name, sql_type, nullable, optional, key, field.description or "", tuple(rules))


def _unwrapped(place: _Place, annotation: Any) -> tuple[Any, bool, list[Any]]:
    """The bare type, whether it may be null, and what `Annotated` said."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bare, nullable, metadata = _unwrapped(place, arguments[0])
        return bare, nullable, [*metadata, *arguments[1:]]
    if origin is typing.Union or origin is types.UnionType:
        members = [member for member in arguments if member is not types.NoneType]
        if len(members) != 1:
            raise place.error(f"expected one type, found {annotation}", "choose one type, or `T | None`")
        bare, nullable, metadata = _unwrapped(place, members[0])
        return bare, nullable or len(members) < len(arguments), metadata
    return annotation, False, []


def _flat(metadata: Any) -> Iterator[Any]:
    """Metadata that stands for several, such as StringConstraints or Field, one by one."""
    if isinstance(metadata, FieldInfo):
        for item in metadata.metadata:
            yield from _flat(item)
    elif hasattr(metadata, "__is_annotated_types_grouped_metadata__"):
        for item in metadata:
            yield from _flat(item)
    else:
        yield metadata


def _limits(place: _Place, mark: Any) -> list[tuple[str, Any]]:
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


def _sql_type(place: _Place, annotation: Any, limits: dict[str, Any]) -> tuple[str, list[str | int], bool]:
    """The SQL type, the only values allowed (none: all), and whether null is among them."""
    if annotation is Decimal:
        digits, scale = limits.get("max_digits"), limits.get("decimal_places")
        if digits is None or scale is None:
            raise place.error("a Decimal of unknown size", "add Field(max_digits=12, decimal_places=3)")
        if not 1 <= digits <= 38 or not 0 <= scale <= digits:
            raise place.error(
                f"expected 38 digits at most and no more decimals than digits, found {digits} and {scale}",
                "change max_digits or decimal_places",
            )
        return f"DECIMAL({digits},{scale})", [], False
    if annotation in _TYPES:
        return _TYPES[annotation], [], False
    if typing.get_origin(annotation) is Literal:
        choices = list(typing.get_args(annotation))
    elif inspect.isclass(annotation) and issubclass(annotation, Enum):
        choices = [member.value for member in annotation]
    else:
        name = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
        raise place.error(f"the type {name} has no column type", f"use {_SUPPORTED}")
    bare = [item for item in choices if item is not None]
    kinds = {type(item) for item in bare}
    fits = all(-(2**63) <= item < 2**63 for item in bare if isinstance(item, int))
    if kinds not in ({str}, {int}) or not fits:
        raise place.error(f"expected choices of str, or of 64-bit int, found {choices}", "use one such type")
    return _TYPES[kinds.pop()], bare, len(bare) < len(choices)


def _braced(sql: str) -> str:
    """For a place in a rule's condition, where a brace would stand for the value."""
    return sql.replace("{", "{{").replace("}", "}}")


def _rule(place: _Place, sql_type: str, limit: str, bound: Any) -> Rule:
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
            f"{name} matches {pattern}", "regexp_matches({value}, " + _braced(quote_literal(pattern)) + ")"
        )
    raise place.error(
        f"{limit}={bound!r} does not fit a column of {sql_type}", "remove it or change the type"
    )


def _comparison(place: _Place, sql_type: str, limit: str, bound: Any) -> tuple[str, str]:
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
