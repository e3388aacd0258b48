"""Refuse a Parquet file with a column whose values the engine can't give as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, Binding

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DIGITS = 38  # of a decimal; the engine reads one with more as a float


def refuse_other_values(binding: Binding, columns: Sequence[pa.Field], where: str) -> None:
    """Refuse a file in which a column that a field reads has lists, structs, maps, or decimals too long.

    Unlike JSON, the file has no text of a value that holds others, which could be kept as it is written: the
    engine would give its own, such as `{'a': 1}`.
    """
    places = sorted({place for place in (*binding.places, *binding.cells) if place is not None})
    fields = [columns[place] for place in places]
    found = [f"{kind} in the column {field.name!r}" for field in fields if (kind := _other_kind(field.type))]
    if found:
        raise BatchRefused(
            where,
            f"expected one value of each field in a row, found {', '.join(found)}",
            UNTOUCHED,
            "have it delivered with a column for each value, or with the value as a text, such as JSON (a "
            "query can cast it); a value in a struct can be read by its path (columns = { city = "
            '"address.city" })',
        )


def _other_kind(kind: pa.DataType) -> str | None:
    """What a value of a type is, where it can't be given as it is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> _other_kind(pa.list_(pa.int64())), _other_kind(pa.decimal256(50, 2)), _other_kind(pa.int64())
    ('a list', 'a decimal of 50 digits', None)
    """
    import pyarrow as pa

    if pa.types.is_decimal(kind) and kind.precision > MOST_DIGITS:
        return f"a decimal of {kind.precision} digits"
    if isinstance(kind, pa.BaseExtensionType):
        return _other_kind(kind.storage_type)
    if not pa.types.is_nested(kind):
        return None
    if pa.types.is_map(kind):
        return "a map"
    return "a struct" if pa.types.is_struct(kind) else "a list"
