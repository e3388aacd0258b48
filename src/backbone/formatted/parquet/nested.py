"""The columns of a Parquet file, and the values within its structs that fields read: `address.city`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backbone.formatted.binding import path_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ParquetColumns:
    """The columns of a file, then the values in structs that a path leads into.

    Attributes
    ----------
    fields : of each its type, under the name that a field asks for.
    nested : of the values, as in `RawFile`.
    """

    fields: tuple[pa.Field, ...]
    nested: tuple[tuple[int, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def own(self) -> tuple[str, ...]:
        """The names of the file's own columns."""
        return self.names[: len(self.fields) - len(self.nested)]

    @property
    def within(self) -> frozenset[str]:
        """The names of the values in structs, and of the columns that these are in."""
        values = self.names[len(self.own) :]
        return frozenset([*values, *(self.own[column] for column, *_ in self.nested)])


def parquet_columns(schema: pa.Schema, wanted: Sequence[str]) -> ParquetColumns:
    """The columns of a file, and the values in those structs that a wanted name leads into.

    Examples
    --------
    >>> import pyarrow as pa
    >>> address = pa.struct({"city": pa.string(), "geo": pa.struct({"lat": pa.float64()})})
    >>> found = parquet_columns(pa.schema({"id": pa.int64(), "address": address}), ["address.city"])
    >>> found.names, found.nested
    (('id', 'address', 'address.city', 'address.geo.lat'), ((1, 0), (1, 1, 0)))
    """
    import pyarrow as pa

    heads = {path[0] for name in wanted if (path := path_of(name))}
    found: list[tuple[pa.Field, tuple[int, ...]]] = []
    for column, field in enumerate(schema):
        if field.name in heads and pa.types.is_struct(field.type):
            found += _values(field, field.name, (column,))
    return ParquetColumns((*schema, *(field for field, _ in found)), tuple(path for _, path in found))


def _values(field: pa.Field, name: str, path: tuple[int, ...]) -> Iterator[tuple[pa.Field, tuple[int, ...]]]:
    """The values in a struct, and in the structs in it."""
    import pyarrow as pa

    if not pa.types.is_struct(field.type):
        yield field.with_name(name), path
        return
    for step in range(field.type.num_fields):
        inner = field.type.field(step)
        yield from _values(inner, f"{name}.{inner.name}", (*path, step))
