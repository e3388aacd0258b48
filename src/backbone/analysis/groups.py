"""Chunks of complete groups: what every kernel is given, cut from rows in the order of their groups.

A kernel is never called for one group. Whatever sorts the rows (an engine, or the file they lie in) hands
over Arrow batches; here they are cut into chunks of many complete groups, and a kernel works on several
chunks at a time, one per core. This module knows no engine.

A group that is larger than a chunk is written to a file in `scratch` while it arrives and handed to the
kernel alone, mapped into memory: the operating system keeps of it what there is room for.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

CHUNK_BYTES = 16_000_000  # of values; several chunks are in memory at a time, one for each core and one more

Offsets = npt.NDArray[np.int64]
Values = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Groups:
    """Many complete groups of rows.

    Parameters
    ----------
    keys : one row per group, its columns those that identify a group.
    offsets : shape (groups + 1,); group `i` holds the rows from `offsets[i]` to before `offsets[i + 1]`.
        No group is empty.
    values : name to array of shape (rows,), read-only. Instants and dates are integers, as Arrow holds them.

    Examples
    --------
    >>> rows = pa.table({"user": ["a", "a", "b"], "x": [1.0, 2.0, 5.0]})
    >>> (groups,) = chunks(rows.to_batches(), by=["user"])
    >>> groups.keys.to_pydict(), groups.offsets.tolist(), groups.values["x"].tolist()
    ({'user': ['a', 'b']}, [0, 2, 3], [1.0, 2.0, 5.0])
    """

    keys: pa.RecordBatch
    offsets: Offsets
    values: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def part(self, first: int, last: int) -> Groups:
        """The groups from one position to before another."""
        start, end = int(self.offsets[first]), int(self.offsets[last])
        values = (
            self.values.part(start, end)
            if isinstance(self.values, _Columns)
            else {name: values[start:end] for name, values in self.values.items()}
        )
        return Groups(self.keys.slice(first, last - first), self.offsets[first : last + 1] - start, values)


@dataclass(frozen=True)
class LargeGroups:
    """What happens to a group that is larger than a chunk.

    Parameters
    ----------
    scratch : where it is laid down; the system's temporary folder unless given.
    note : called with the number of its rows.
    """

    scratch: Path | None = None
    note: Callable[[int], object] = field(default=lambda rows: None)


IN_TEMPORARY_FILES = LargeGroups()


class _Columns(Mapping[str, Values]):
    """Arrays by name, joined of the pieces in which they came when they are first asked for.

    So they are joined by whoever works on them, on a core of its own, and what lies within one piece is not
    copied.
    """

    def __init__(self, columns: Mapping[str, pa.ChunkedArray]) -> None:
        self._columns = columns
        self._joined: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        if name not in self._joined:
            self._joined[name] = _numbers(_joined(self._columns[name].chunks))
        return self._joined[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def part(self, start: int, end: int) -> _Columns:
        """The rows from one position to before another."""
        return _Columns({name: column.slice(start, end - start) for name, column in self._columns.items()})


class Kernel(Protocol):
    """A pure function from many complete groups of rows to result rows.

    `backbone.testing.check_kernel` states the laws that every kernel obeys.
    """

    def schema(self, keys: pa.Schema) -> pa.Schema:
        """The columns of the result, where the groups are identified by `keys`."""

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        """The result rows of these groups, in the order of the groups."""


def undivided(groups: Groups) -> Iterable[Groups]:
    """A chunk as one part."""
    return (groups,)


def one_by_one(groups: Groups) -> Iterator[Groups]:
    """Each group alone: for few and large ones, so that all cores have work."""
    return (groups.part(i, i + 1) for i in range(len(groups)))


def map_chunks(
    kernel: Kernel,
    batches: Iterable[pa.RecordBatch],
    by: Sequence[str],
    *,
    threads: int = 1,
    chunk_bytes: int = CHUNK_BYTES,
    large: LargeGroups = IN_TEMPORARY_FILES,
    parts: Callable[[Groups], Iterable[Groups]] = undivided,
) -> Iterator[pa.RecordBatch]:
    """Run a kernel over rows that arrive in the order of their groups; results keep that order.

    The first batch of the result is empty: it tells the columns where there are no groups.

    Parameters
    ----------
    batches : as for `chunks`, and at least one, which may be empty.
    threads : how many chunks are worked on at a time; a kernel must let go of the interpreter's lock
        (Numba's `nogil`) to gain by it.
    chunk_bytes, large : as for `chunks`.
    parts : cuts a chunk into what the kernel is called with, where results are larger than their rows.
    """
    batches = iter(batches)
    first = next(batches)
    keys = pa.schema([first.schema.field(name) for name in by])
    expected = kernel.schema(keys)
    yield pa.RecordBatch.from_pylist([], schema=expected)

    def result(done: Future[pa.RecordBatch]) -> pa.RecordBatch:
        rows = done.result()
        if not rows.schema.equals(expected):
            raise TypeError(
                f"{type(kernel).__name__} returned the columns {_listed(rows.schema)}; "
                f"its schema says {_listed(expected)}"
            )
        return rows

    batches = chain([first], batches)
    with ThreadPoolExecutor(threads, thread_name_prefix="kernel") as pool:
        pending: deque[Future[pa.RecordBatch]] = deque()
        try:
            for groups in chunks(batches, by, chunk_bytes=chunk_bytes, large=large):
                for part in parts(groups):
                    pending.append(pool.submit(kernel, part))
                    if len(pending) > threads:
                        yield result(pending.popleft())
            while pending:
                yield result(pending.popleft())
        finally:
            for waiting in pending:
                waiting.cancel()


def _listed(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def chunks(
    batches: Iterable[pa.RecordBatch],
    by: Sequence[str],
    *,
    chunk_bytes: int = CHUNK_BYTES,
    large: LargeGroups = IN_TEMPORARY_FILES,
) -> Iterator[Groups]:
    """Cut rows into chunks of complete groups.

    Parameters
    ----------
    batches : the rows; those of a group lie together. The columns beside the key hold numbers, instants or
        dates without nulls (a missing number is NaN).
    by : the columns that identify a group; with none, all rows are one group.
    chunk_bytes : of values. A group is cut off only where it ends, so chunks vary around this.
    large : what happens to each group that is larger than a chunk.
    """
    waiting: list[pa.RecordBatch] = []  # rows of groups whose end has not been seen
    size = 0
    spilled: _Spilled | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        if spilled is not None:
            ends = _starts([spilled.last, batch], by)
            if len(ends) == 1:
                spilled.append(batch)
                continue
            rest = int(ends[1]) - 1
            spilled.append(batch.slice(0, rest))
            large.note(spilled.rows)
            yield spilled.groups()
            spilled, batch = None, batch.slice(rest)
        waiting.append(batch)
        size += _value_bytes(batch, by)
        if size < chunk_bytes:
            continue
        starts = _starts(waiting, by)
        if len(starts) > 1:  # the last group may go on
            yield _groups(waiting, by, starts)
            waiting = _from(waiting, int(starts[-1]))
            size = sum(_value_bytes(b, by) for b in waiting)
        if size >= chunk_bytes:
            spilled = _Spilled(waiting, by, large.scratch)
            waiting, size = [], 0
    if spilled is not None:
        large.note(spilled.rows)
        yield spilled.groups()
    elif waiting:
        starts = _starts(waiting, by)
        yield _groups(waiting, by, starts, last=True)


def _starts(batches: Sequence[pa.RecordBatch], by: Sequence[str]) -> Offsets:
    """Where groups begin in the rows of some batches."""
    changed = np.zeros(0, dtype=np.bool_)
    for index, name in enumerate(by):
        differs = _differs(_joined([batch.column(name) for batch in batches]))
        changed = np.logical_or(changed, differs, out=changed) if index else differs
    return np.append(0, np.flatnonzero(changed) + 1)


def _differs(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Shape (rows - 1,): whether each value differs from the one before it; nulls are equal."""
    if column.null_count == 0 and pa.types.is_integer(column.type):
        values = column.to_numpy(zero_copy_only=True)
        return np.asarray(values[1:] != values[:-1])
    codes = column if pa.types.is_dictionary(column.type) else None
    if codes is not None:
        column = codes.dictionary_decode()
    before, after = column.slice(0, len(column) - 1), column.slice(1)
    unequal = pc.fill_null(pc.not_equal(before, after), True)
    both_null = pc.and_(pc.is_null(before), pc.is_null(after))
    return np.asarray(pc.and_not(unequal, both_null).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _groups(
    batches: Sequence[pa.RecordBatch], by: Sequence[str], starts: Offsets, *, last: bool = False
) -> Groups:
    """The groups of some batches: all of them, or all but the last."""
    rows = sum(batch.num_rows for batch in batches)
    offsets = np.append(starts, rows) if last else starts
    first = offsets[:-1]
    end = int(offsets[-1])
    table = pa.Table.from_batches(batches)
    values = {name: table.column(name).slice(0, end) for name in table.column_names if name not in by}
    for name, column in values.items():
        _check_numbers(column, name)
    return Groups(_keys(table, by, first), offsets, _Columns(values))


def _keys(rows: pa.Table, by: Sequence[str], first: Offsets) -> pa.RecordBatch:
    if not by:  # all rows are one group, which nothing identifies
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(first), type=pa.struct([])))
    taken = rows.select(list(by)).take(pa.array(first)).combine_chunks()
    return taken.to_batches()[0]


def _from(batches: Sequence[pa.RecordBatch], row: int) -> list[pa.RecordBatch]:
    """The rows of some batches from a position on."""
    rest = []
    for batch in batches:
        if row < batch.num_rows:
            rest.append(batch.slice(row))
        row = max(0, row - batch.num_rows)
    return rest


def _joined(arrays: Sequence[pa.Array]) -> pa.Array:
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)


def _check_numbers(column: pa.Array | pa.ChunkedArray, name: str) -> None:
    kind = column.type
    if column.null_count:
        raise ValueError(
            f"column {name!r} holds nulls; a kernel's values hold none (a missing number is NaN)"
        )
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_duration(kind)
    ):
        raise TypeError(f"column {name!r} is {kind}; a kernel's values are numbers, instants or dates")


def _numbers(column: pa.Array) -> Values:
    """A column's values without copying them."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind) or pa.types.is_duration(kind):
        column = column.view(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.view(pa.int32())
    values: Values = column.to_numpy(zero_copy_only=True)
    values.flags.writeable = False
    return values


def _value_bytes(batch: pa.RecordBatch, by: Sequence[str]) -> int:
    return int(batch.num_rows) * 8 * max(len(batch.schema) - len(by), 1)


class _Spilled:
    """One group, laid down in a file while it arrives: one column after the other cannot be, so one each."""

    def __init__(self, batches: Sequence[pa.RecordBatch], by: Sequence[str], scratch: Path | None) -> None:
        self.rows = 0
        self._by = by
        self._first = pa.Table.from_batches([batches[0].slice(0, 1)])
        self._names = [name for name in batches[0].schema.names if name not in by]
        self._kinds: dict[str, np.dtype[np.generic]] = {}
        self._files = {}
        for name in self._names:
            descriptor, path = tempfile.mkstemp(prefix="group-", dir=scratch)
            Path(path).unlink()  # gone when it is closed, however the process ends
            self._files[name] = os.fdopen(descriptor, "w+b")
        for batch in batches:
            self.append(batch)

    def append(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows == 0:
            return
        for name in self._names:
            _check_numbers(batch.column(name), name)
            values = _numbers(batch.column(name))
            self._kinds[name] = values.dtype
            values.tofile(self._files[name])
        self.rows += batch.num_rows
        self.last = batch.slice(batch.num_rows - 1)

    def groups(self) -> Groups:
        values: dict[str, Values] = {}
        for name, file in self._files.items():
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            values[name] = np.frombuffer(mapped, dtype=self._kinds[name])
            file.close()
        keys = _keys(self._first, self._by, np.zeros(1, dtype=np.int64))
        return Groups(keys, np.array([0, self.rows], dtype=np.int64), values)
