"""Numbers in their order, of which only so many are in memory at a time.

NumPy sorts an array of 64-bit numbers with vector instructions, in a tenth of the time in which a database
sorts rows. What does not fit into memory is sorted in runs, which are laid down in a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

PIVOTS = 1000  # of each run of numbers, that tell where to cut all of them
SMALL = 1_000_000  # numbers that one core sorts in a hundredth of a second


def in_order(
    batches: Iterable[npt.NDArray[np.int64]], rows: int, most: int, scratch: Path, threads: int = 1
) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers in their order, `most` at a time; equal ones come together, be they more than that.

    What does not fit is sorted in runs that are laid down in a file, of which each part then takes its range.

    Parameters
    ----------
    batches : `rows` numbers in all.
    scratch : where the file is, which has no name.
    threads : on how many cores they are sorted.

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
        yield room[: sum(_filled(batches, room, threads))]
        return
    stride = max(most // PIVOTS, 1)
    with tempfile.TemporaryFile(prefix="numbers-", dir=scratch) as file:
        runs: list[_Run] = []
        for filled in _filled(batches, room, threads):
            runs.append(_Run(file, file.tell(), filled, stride, room[:filled:stride].copy()))
            room[:filled].tofile(file)
        pivots = np.sort(np.concatenate([run.pivots for run in runs]))
        # Of each run a part may hold up to `stride` numbers more than its pivots stand for.
        every = max(most // stride - len(runs), 1)
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
                _sort(room[:size], threads)
                yield room[:size]


@dataclass(frozen=True)
class _Run:
    """Numbers in order that lie in a file, from a byte on; it is read, for what is mapped counts as memory.

    Parameters
    ----------
    pivots : every `stride`-th of them.
    """

    file: BinaryIO
    begin: int
    size: int
    stride: int
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
        first = (place - 1) * self.stride
        between = np.empty(min(self.stride, self.size - first), dtype=np.int64)
        self.read(first, between)
        return first + int(np.searchsorted(between, end))


def _filled(
    batches: Iterable[npt.NDArray[np.int64]], room: npt.NDArray[np.int64], threads: int
) -> Iterator[int]:
    """How much of the room holds sorted numbers, as often as it is full, and at the end."""
    filled = 0
    for batch in batches:
        while len(batch):
            taken = batch[: len(room) - filled]
            room[filled : filled + len(taken)] = taken
            filled, batch = filled + len(taken), batch[len(taken) :]
            if filled == len(room):
                _sort(room, threads)
                yield filled
                filled = 0
    if filled:
        _sort(room[:filled], threads)
        yield filled


def _sort(numbers: npt.NDArray[np.int64], threads: int) -> None:
    """Sort an array in place: cut where its quantiles are, and each part on a core."""
    if threads == 1 or len(numbers) < SMALL:
        numbers.sort()
        return
    cuts = [part * len(numbers) // threads for part in range(1, threads)]
    numbers.partition(cuts)
    with ThreadPoolExecutor(threads, thread_name_prefix="sort") as pool:
        for _ in pool.map(np.ndarray.sort, np.split(numbers, cuts)):
            pass
