"""Whether rows arrive in order, told while they pass by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class OutOfOrder(Exception):
    """A row came after one that it should have come before."""


def in_order(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The same batches, for as long as no row is smaller than the one before it.

    Raises
    ------
    OutOfOrder
        Before the first batch is handed on that holds a smaller row, or a null in one of the columns.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"user": [1, 1, 2], "at": [7, 8, 3]})
    >>> [b.num_rows for b in in_order([batch], ["user", "at"])]
    [3]
    >>> list(in_order([batch, batch], ["user"]))
    Traceback (most recent call last):
    backbone.engines.order.OutOfOrder
    """
    last: pa.RecordBatch | None = None
    for batch in batches:
        if batch.num_rows:
            if last is not None and _descends(
                [[last.column(c), batch.column(c).slice(0, 1)] for c in columns]
            ):
                raise OutOfOrder
            if _descends([[batch.column(c)] for c in columns]):
                raise OutOfOrder
            last = batch.slice(batch.num_rows - 1).select(list(columns))
        yield batch


def _descends(columns: Sequence[list[pa.Array]]) -> bool:
    """Whether a row is smaller than the one before it, the first column counting most."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    equal: Any = None  # which rows are as the one before them, so far; changed in place, for arrays cost most
    for parts in columns:
        column = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        if column.null_count:
            return True
        if pa.types.is_integer(column.type):
            values = column.to_numpy(zero_copy_only=True)
            smaller = values[1:] < values[:-1]
            if equal is not None:
                smaller &= equal
            if smaller.any():
                return True
            same = values[1:] == values[:-1]
        else:
            before, after = column.slice(0, len(column) - 1), column.slice(1)
            same = pc.equal(after, before).to_numpy(zero_copy_only=False)
            # In groups most rows are as the one before: which of two is smaller is asked of the others only.
            other = pa.array(np.flatnonzero(~same if equal is None else ~same & equal))
            if pc.any(pc.less(after.take(other), before.take(other))).as_py():
                return True
        equal = same if equal is None else np.logical_and(same, equal, out=equal)
        if not equal.any():
            return False
    return False
