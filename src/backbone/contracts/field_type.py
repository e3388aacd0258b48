"""The column type of a field's annotation."""

from __future__ import annotations

import inspect
import types
import typing
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

from backbone.contracts.field_place import FieldPlace

_TYPES = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    datetime: "TIMESTAMPTZ",
    date: "DATE",
    bytes: "BLOB",
}
_SUPPORTED = "str, int, float, bool, Decimal, datetime, date, Literal, Enum and `T | None`"


def unwrap(place: FieldPlace, annotation: Any) -> tuple[Any, bool, list[Any]]:
    """The bare type, whether it may be null, and what `Annotated` said."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bare, nullable, metadata = unwrap(place, arguments[0])
        return bare, nullable, [*metadata, *arguments[1:]]
    if origin is typing.Union or origin is types.UnionType:
        members = [member for member in arguments if member is not types.NoneType]
        if len(members) != 1:
            raise place.error(f"expected one type, found {annotation}", "choose one type, or `T | None`")
        bare, nullable, metadata = unwrap(place, members[0])
        return bare, nullable or len(members) < len(arguments), metadata
    return annotation, False, []


def sql_type_of(
    place: FieldPlace, annotation: Any, limits: dict[str, Any]
) -> tuple[str, list[str | int], bool]:
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
