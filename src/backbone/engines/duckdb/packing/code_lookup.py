"""Columns of packed rows by way of tables: what few different values become is worked out once for each.

A column that was packed has so many codes. What SQL makes of it alone is worked out for those, and each row
then takes its own from there: a fraction of what unpacking, converting and copying it costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from backbone.engines.duckdb.packing.packing import Field, Packing

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CODES = 1 << 20
FEW_ROWS = 100_000  # for fewer, asking costs more than it saves
BATCH_ROWS = 1_000_000
BLOCK_ROWS = 1 << 16  # worked on at a time, in a core's cache
KEYS = {
    "TINYINT": np.int8,
    "SMALLINT": np.int16,
    "INTEGER": np.int32,
    "BIGINT": np.int64,
    "UTINYINT": np.uint8,
    "USMALLINT": np.uint16,
    "UINTEGER": np.uint32,
}

Unpacked = Callable[[str, "pa.Table"], "pa.Table | None"]


@dataclass(frozen=True)
class Column:
    """A column of the result: of a field the code plus `least`, or what stands for the code in `values`."""

    name: str
    field: Field
    kind: pa.DataType
    values: npt.NDArray[np.generic] | None = None

    def of(self, numbers: npt.NDArray[np.int64]) -> pa.Array:
        """Its values in packed rows."""
        import pyarrow as pa

        kind = KEYS[self.field.kind] if self.values is None else self.values.dtype
        found = np.empty(len(numbers), dtype=kind)
        for begin in range(0, len(numbers), BLOCK_ROWS):
            codes = numbers[begin : begin + BLOCK_ROWS] >> self.field.shift
            codes &= 2**self.field.bits - 1
            into = found[begin : begin + BLOCK_ROWS]
            if self.values is None:
                np.add(codes, self.field.least, out=into, casting="unsafe")
            else:
                np.take(self.values, codes, out=into, mode="clip")
        return pa.Array.from_buffers(self.kind, len(found), [None, pa.py_buffer(found)])


def batches(columns: Sequence[Column], numbers: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """Packed rows as batches of some columns."""
    import pyarrow as pa

    names = [column.name for column in columns]
    for begin in range(0, len(numbers), BATCH_ROWS):
        some = numbers[begin : begin + BATCH_ROWS]
        yield pa.RecordBatch.from_arrays([column.of(some) for column in columns], names)


def code_lookup(
    packing: Packing, by: Sequence[str], values: Mapping[str, str], unpacked: Unpacked
) -> list[Column] | None:
    """How to tell the keys of packed rows, and what SQL makes of their columns.

    Parameters
    ----------
    by : columns that are handed on as they are.
    values : names to expressions over the columns.
    unpacked : runs a query that names a table `handed`, which it is given too; None where it fails.

    Returns
    -------
    None where rows are few, a key is no integer, or an expression is not of one column with few codes, or
    gives anything but numbers or instants, or a null.
    """
    import pyarrow as pa

    fields = {field.name: field for field in packing.fields}
    if packing.rows < FEW_ROWS or not all(fields[name].kind in KEYS for name in by):
        return None
    columns = [Column(name, fields[name], pa.from_numpy_dtype(KEYS[fields[name].kind])) for name in by]
    for name, expression in values.items():
        named = [f for f in packing.fields if re.search(rf"\b{re.escape(f.name)}\b", expression)]
        if len(named) != 1 or named[0].span >= MOST_CODES:
            return None
        found = _of_each_code(replace(named[0], shift=0), expression, unpacked)
        if found is None:
            return None
        columns.append(Column(name, named[0], *found))
    return columns


def _of_each_code(
    field: Field, expression: str, unpacked: Unpacked
) -> tuple[pa.DataType, npt.NDArray[np.generic]] | None:
    """What an expression gives for each code of a field, in their order."""
    import pyarrow as pa

    codes = np.arange(field.span + 1 + field.nullable, dtype=np.int64)
    texts = {field.texts.name: field.found(codes)} if field.texts else {}
    rows = f"select {field.unpacked('handed')} from handed"  # no code beside it, which its name may hide
    table = unpacked(f"select {expression} as value from ({rows}) as r", pa.table({"k": codes, **texts}))
    value = None if table is None else table["value"].combine_chunks()
    if (
        value is None
        or len(value) != len(codes)
        or value.null_count
        or not (
            pa.types.is_integer(value.type)
            or pa.types.is_floating(value.type)
            or pa.types.is_timestamp(value.type)
        )
    ):
        return None
    width = value.type.bit_width // 8
    begin = value.offset * width
    return value.type, np.frombuffer(value.buffers()[1], dtype=f"i{width}", count=len(value), offset=begin)
