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
    for batch, descends, _ in _compared(batches, columns):
        if descends:
            raise OutOfOrder
        yield batch


def is_ascending(batches: Iterable[pa.RecordBatch]) -> bool:
    """Whether every row is larger than the one before it, the first column counting most.

    No more is read than tells. A row with a null or a NaN is not larger than anything, nor is one with what
    Arrow does not compare.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"user": [1, 1, 2], "at": [7, 8, 3]})
    >>> is_ascending([batch]), is_ascending([batch.select(["user"])])
    (True, False)
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for batch, descends, repeats in _compared(batches, None):
            if descends or repeats:
                return False
            for column in batch.columns:
                is_float = pa.types.is_floating(column.type)
                if column.null_count or (is_float and pc.any(pc.is_nan(column)).as_py()):
                    return False
    except pa.ArrowNotImplementedError:  # a list or a struct
        return False
    return True


def ascends(batches: Iterable[pa.RecordBatch]) -> bool:
    """Whether every row is larger than the one before it; True of types that Arrow does not compare.

    A null or a NaN is larger than nothing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    batches = list(batches)
    for batch in batches:
        for column in batch.columns:
            is_float = pa.types.is_floating(column.type)
            if column.null_count or (is_float and pc.any(pc.is_nan(column)).as_py()):
                return False
    try:
        return not any(descends or repeats for _, descends, repeats in _compared(batches, None))
    except pa.ArrowNotImplementedError:
        return True


def _compared(
    batches: Iterable[pa.RecordBatch], columns: Sequence[str] | None
) -> Iterator[tuple[pa.RecordBatch, bool, bool]]:
    """Batches, each with whether a row is smaller than the one before it, and whether one equals it."""
    last: pa.RecordBatch | None = None
    for batch in batches:
        descends = repeats = False
        if batch.num_rows:
            keys = batch if columns is None else batch.select(list(columns))
            parts = [[column] for column in keys.columns]
            descends, repeats = _against_before(parts)
            if last is not None and not descends:
                joint = [[a, b.slice(0, 1)] for a, b in zip(last.columns, keys.columns, strict=True)]
                descends, again = _against_before(joint)
                repeats |= again
            last = keys.slice(batch.num_rows - 1)
        yield batch, descends, repeats


def _against_before(columns: Sequence[list[pa.Array]]) -> tuple[bool, bool]:
    """Whether a row is smaller than the one before it, and, where none is, whether one equals it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    equal: Any = None  # which rows are as the one before them, so far
    for parts in columns:
        column = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        if column.null_count:
            return True, False
        if pa.types.is_timestamp(column.type):
            column = column.view(pa.int64())
        if pa.types.is_integer(column.type):
            values = column.to_numpy(zero_copy_only=True)
            smaller = values[1:] < values[:-1]
            if equal is not None:
                smaller &= equal
            if smaller.any():
                return True, False
            same = values[1:] == values[:-1]
        else:
            before, after = column.slice(0, len(column) - 1), column.slice(1)
            same = pc.equal(after, before).to_numpy(zero_copy_only=False)
            # In groups most rows are as the one before: which of two is smaller is asked of the others only.
            other = pa.array(np.flatnonzero(~same if equal is None else ~same & equal))
            if pc.any(pc.less(after.take(other), before.take(other))).as_py():
                return True, False
        equal = same if equal is None else np.logical_and(same, equal)
        if not equal.any():
            return False, False
    return False, True
