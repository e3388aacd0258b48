"""What a column's type can be used for: as a number, a text, a key."""

from __future__ import annotations

import pyarrow as pa


def is_float(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind))


def is_integer(kind: pa.DataType) -> bool:
    """Whether all values are whole numbers that fit into 64 bits."""
    return bool(pa.types.is_integer(kind))


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def can_be_key(kind: pa.DataType) -> bool:
    """Whether values can be put in an order that every engine has."""
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_interval(kind))


def sql_float(kind: pa.DataType) -> str:
    """The SQL type of a floating-point number."""
    return "real" if kind == pa.float32() else "double"
