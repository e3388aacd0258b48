"""Rows of whole numbers, packed into one number each, so that sorting them is sorting one array.

NumPy sorts an array of 64-bit numbers with vector instructions, in a tenth of the time in which a database
sorts rows. A user, two counts and a yes or no seldom have more than 63 bits between them. What does not fit
into memory at once is sorted part by part.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from backbone.contract import quote_identifier

INTEGER_BITS, MOST_BITS = 31, 63
PIVOTS = 1000  # of each run of numbers, that tell where to cut all of them
KINDS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}

Fetch = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Field:
    """The place of a column in the packed number.

    Parameters
    ----------
    least : its smallest value, packed as 0.
    span : how far its largest value is from that; a null is packed as `span + 1`, and so comes last.
    shift : how many bits lie below it.
    """

    name: str
    kind: str
    least: int
    span: int
    nullable: bool
    shift: int

    @property
    def bits(self) -> int:
        return (self.span + self.nullable).bit_length()

    @property
    def packed(self) -> str:
        """SQL; a narrow integer where it can be, which costs half of a wide one."""
        end = self.shift + self.bits
        narrow = end <= INTEGER_BITS and max(abs(self.least), abs(self.least + self.span)) < 2**INTEGER_BITS
        code = f"cast({quote_identifier(self.name)} as {'integer' if narrow else 'bigint'}) - {self.least}"
        if self.nullable:
            code = f"coalesce({code}, {self.span + 1})"
        return f"({code}) * {2**self.shift}"

    def unpacked(self, number: str) -> str:
        """SQL for its value, of its own type."""
        code = f"(({number} >> {self.shift}) & {2**self.bits - 1})"
        if self.nullable:
            code = f"nullif({code}, {self.span + 1})"
        return f"cast({code} + {self.least} as {self.kind}) as {quote_identifier(self.name)}"


@dataclass(frozen=True)
class Packing:
    """How rows become numbers whose order is theirs.

    Parameters
    ----------
    sql : a query of the rows.
    fields : its columns, the one that counts most for the order first.
    rows : how many there are.
    """

    sql: str
    fields: tuple[Field, ...]
    rows: int

    @property
    def numbers(self) -> str:
        """A query of the packed rows, its column `k`."""
        narrow = [f.packed for f in self.fields if f.shift + f.bits <= INTEGER_BITS]
        wide = [f.packed for f in self.fields if f.shift + f.bits > INTEGER_BITS]
        terms = " + ".join([*wide, *([f"({' + '.join(narrow)})"] if narrow else [])])
        return f"select cast({terms} as bigint) as k from ({self.sql}) as r"

    def unpacked(self, table: str) -> str:
        """A query of the rows of a table of packed numbers, in its order."""
        return f"select {', '.join(field.unpacked('k') for field in self.fields)} from {table}"


def in_order(
    batches: Iterable[npt.NDArray[np.int64]], rows: int, most: int, scratch: Path
) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers in their order, `most` at a time; equal ones come together, be they more than that.

    What does not fit is sorted in runs that are laid down in a file, of which each part then takes its range.

    Parameters
    ----------
    batches : `rows` numbers in all.
    scratch : where the file is, which has no name.

    Yields
    ------
    The next numbers; they are overwritten by those after them.

    Examples
    --------
    >>> numbers = [np.array([5, 1, 4]), np.array([2, 9, 3, 1])]
    >>> [part.tolist() for part in in_order(numbers, 7, 7, Path("."))]
    [[1, 1, 2, 3, 4, 5, 9]]
    """
    room = np.empty(min(rows, most), dtype=np.int64)
    if rows <= most:
        yield room[: sum(_filled(batches, room))]
        return
    apart = max(most // PIVOTS, 1)
    with tempfile.TemporaryFile(prefix="numbers-", dir=scratch) as file:
        runs: list[_Run] = []
        for filled in _filled(batches, room):
            runs.append(_Run(file, file.tell(), filled, apart, room[:filled:apart].copy()))
            room[:filled].tofile(file)
        pivots = np.sort(np.concatenate([run.pivots for run in runs]))
        # Of each run a part may hold up to `apart` numbers more than its pivots stand for.
        every = max(most // apart - len(runs), 1)
        starts = [0] * len(runs)
        for end in [*np.unique(pivots[every::every]), None]:
            stops = [run.size if end is None else run.before(end) for run in runs]
            size, filled = sum(stops) - sum(starts), 0
            if size > len(room):
                room = np.empty(size, dtype=np.int64)
            for run, i, j in zip(runs, starts, stops, strict=True):
                run.read(i, room[filled : filled + j - i])
                filled += j - i
            starts = stops
            if size:
                room[:size].sort()
                yield room[:size]


@dataclass(frozen=True)
class _Run:
    """Numbers in order that lie in a file, from a byte on; it is read, for what is mapped counts as memory.

    Parameters
    ----------
    apart, pivots : every so manieth of them.
    """

    file: BinaryIO
    begin: int
    size: int
    apart: int
    pivots: npt.NDArray[np.int64]

    def read(self, first: int, into: npt.NDArray[np.int64]) -> None:
        """Fill an array with the numbers from a position on."""
        self.file.seek(self.begin + 8 * first)
        self.file.readinto(into.data)  # type: ignore[attr-defined, unused-ignore]

    def before(self, end: np.int64) -> int:
        """How many are below a number."""
        place = int(np.searchsorted(self.pivots, end))
        if place == 0:
            return 0
        first = (place - 1) * self.apart
        between = np.empty(min(self.apart, self.size - first), dtype=np.int64)
        self.read(first, between)
        return first + int(np.searchsorted(between, end))


def _filled(batches: Iterable[npt.NDArray[np.int64]], room: npt.NDArray[np.int64]) -> Iterator[int]:
    """How much of the room holds sorted numbers, as often as it is full, and at the end."""
    filled = 0
    for batch in batches:
        while len(batch):
            taken = batch[: len(room) - filled]
            room[filled : filled + len(taken)] = taken
            filled, batch = filled + len(taken), batch[len(taken) :]
            if filled == len(room):
                room.sort()
                yield filled
                filled = 0
    if filled:
        room[:filled].sort()
        yield filled


def packing(
    sql: str,
    columns: Sequence[tuple[str, str]],
    sorting: Sequence[str],
    fetch: Fetch,
) -> Packing | None:
    """How to pack the rows of a query so that they sort by some columns, then by the others.

    Parameters
    ----------
    columns : names and SQL types of the query's columns.
    fetch : runs a query.

    Returns
    -------
    None where a column holds anything but whole numbers, or all together need more than 63 bits.
    """
    if not all(kind in KINDS for _, kind in columns):
        return None
    kinds = dict(columns)
    names = [*sorting, *(name for name, _ in columns if name not in sorting)]
    extents = ", ".join(f"count({c}), min({c}), max({c})" for c in map(quote_identifier, names))
    rows, *found = fetch(f"select count(*), {extents} from ({sql}) as r")[0]
    fields: list[Field] = []
    shift = 0
    for index in reversed(range(len(names))):
        present, least, most = found[3 * index : 3 * index + 3]
        low, high = int(least or 0), int(most or 0)
        field = Field(names[index], kinds[names[index]], low, high - low, present < rows, shift)
        fields.insert(0, field)
        shift += field.bits
    return Packing(sql, tuple(fields), rows) if 0 < shift <= MOST_BITS else None
