"""Which types a table stores for the columns that an engine describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone.errors import PipelineError

if TYPE_CHECKING:
    import pyarrow as pa


def stored_schema(schema: pa.Schema, where: str) -> pa.Schema:
    """The columns as a table stores them: no unsigned numbers, every instant in microseconds and UTC.

    Parameters
    ----------
    where : the dataset, for messages.

    Raises
    ------
    PipelineError
        When no table can store a column.
    """
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _stored(field, where)) for field in schema])


def _stored(field: pa.Field, where: str) -> pa.DataType:
    import pyarrow as pa

    kind = field.type
    if (
        pa.types.is_time(kind)
        or pa.types.is_interval(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_union(kind)
    ):
        raise PipelineError(
            where,
            f"column {field.name!r} has the type {kind}, which a table can't store",
            "Nothing was changed.",
            f"cast {field.name} to a number, text, date or timestamptz",
        )
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    wider = {"uint8": pa.int16(), "uint16": pa.int32(), "uint32": pa.int64(), "uint64": pa.decimal128(20, 0)}
    return wider.get(str(kind), kind)
