"""The physical line on which each record of a text file begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
NONE: Positions = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Lines:
    """Stretches of records that begin on consecutive lines.

    Attributes
    ----------
    rows : shape (k,), the ordinal, from 0, of the first record of each stretch, rising.
    lines : shape (k,), the line, from 1, on which that record begins.

    Examples
    --------
    >>> lines = Lines(np.array([0, 10]), np.array([2, 15]))
    >>> lines.of(np.array([0, 9, 10])).tolist()
    [2, 11, 15]
    """

    rows: Positions
    lines: Positions

    @property
    def distance(self) -> int | None:
        """What to add to an ordinal to get the line, where that is the same for all records."""
        if self.rows.size > 1:
            return None
        return int(self.lines[0] - self.rows[0]) if self.rows.size else 1

    def of(self, rows: Positions) -> Positions:
        """The lines on which some records begin."""
        stretch = np.searchsorted(self.rows, rows, side="right") - 1
        return self.lines[stretch] + (rows - self.rows[stretch])

    def batches(
        self, records: int, size: int = 1 << 17, width: int = 1
    ) -> Iterator[tuple[Positions, Positions]]:
        """All rows in order, so many at a time, with their lines; each record makes `width` of them.

        Examples
        --------
        >>> lines = Lines(np.array([0, 1]), np.array([2, 5]))
        >>> [(rows.tolist(), of.tolist()) for rows, of in lines.batches(2, width=2)]
        [([0, 1, 2, 3], [2, 2, 5, 5])]
        """
        rows = records * width
        for start in range(0, rows, size):
            part = np.arange(start, min(start + size, rows), dtype=np.int64)
            yield part, self.of(part if width == 1 else part // width)


class LineCounter:
    """Notes where records begin, from the places of line ends, stretch of bytes by stretch of bytes.

    Memory grows by 16 bytes for each record of several lines and each gap between records.
    """

    def __init__(self, line: int) -> None:
        self.records = 0
        self._line = self._begun = line  # of the next byte, of the record that holds it
        self._rows: list[Positions] = []
        self._lines: list[Positions] = []
        self._distance: int | None = None

    def add(self, every: Positions, ends: Positions, blank: NDArray[np.bool_] | None) -> None:
        """Take in a stretch.

        Parameters
        ----------
        every : the places of all line ends.
        ends : of those that end a record or a blank line.
        blank : shape of `ends`, which of them end a blank line that is no record; None for none.
        """
        plain = blank is None and ends.size == every.size and self._begun == self._line
        if plain and ends.size and self._line - self.records == self._distance:
            self.records += ends.size
        elif ends.size:
            after = np.searchsorted(every, ends) + (self._line + 1)
            begun = np.concatenate(([self._begun], after[:-1]))
            if blank is not None:
                begun = begun[~blank]
            self._note(begun)
            self._begun = int(after[-1])
        self._line += every.size
        if plain:
            self._begun = self._line

    def add_last(self) -> None:
        """Take in a last record that no line end follows."""
        self._note(np.array([self._begun], dtype=np.int64))

    def skip(self, lines: int) -> None:
        """Pass over lines that are no records."""
        self._line += lines
        self._begun = self._line

    def found(self) -> Lines:
        """The records taken in so far."""
        if not self._rows:
            return Lines(NONE, NONE)
        return Lines(np.concatenate(self._rows), np.concatenate(self._lines))

    def _note(self, begun: Positions) -> None:
        if not begun.size:
            return
        distance = begun - np.arange(self.records, self.records + begun.size, dtype=np.int64)
        changed = np.empty(begun.size, dtype=np.bool_)
        changed[0] = distance[0] != self._distance
        np.not_equal(distance[1:], distance[:-1], out=changed[1:])
        places = np.flatnonzero(changed)
        if places.size:
            self._rows.append(places + self.records)
            self._lines.append(begun[places])
        self._distance = int(distance[-1])
        self.records += begun.size
