"""How many records a CSV file has, and whether each has its fields, told by another way than the reader's.

It works on the plain bytes of a file on disk, in bounded memory: a newline or a delimiter counts when an
even number of quotes precedes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backbone.formatted.csv.grammar import CR, LF, SPACE, Grammar
from backbone.formatted.csv.lines import LineCounter, Lines, Positions
from backbone.formatted.csv.passed_over import has_such_line

CHUNK = 1 << 19
"""Bytes looked at in one go."""

Mask = NDArray[np.bool_]


class Unclear(Exception):
    """A quote inside an unquoted field: the parity of quotes says nothing."""


@dataclass
class Chunk:
    """A stretch of the file in memory; two bytes that precede it come first."""

    data: bytearray
    view: NDArray[np.uint8]
    size: int
    offset: int  # of view[2] in the file

    def has(self, byte: int) -> bool:
        return byte >= 0 and self.data.find(byte, 2, self.size + 2) >= 0

    def places(self, byte: int) -> Mask:
        """Where a byte stands, in `view`."""
        found: Mask = self.view == byte
        found[:2] = False
        return found


def chunks(path: Path, grammar: Grammar, chunk: int) -> Iterator[Chunk]:
    """Read the file from `body` on; the one buffer is reused."""
    data = bytearray(chunk + 2)
    data[:2] = grammar.eol * 2
    view = np.frombuffer(data, dtype=np.uint8)
    window = memoryview(data)[2:]
    with path.open("rb", buffering=0) as file:
        file.seek(grammar.body)
        offset = grammar.body
        while size := file.readinto(window):
            yield Chunk(data, view[: size + 2], size, offset)
            data[:2] = data[size : size + 2]
            offset += size


@dataclass(frozen=True)
class Ends:
    """Where lines and records of a stretch end, as positions in its `view`.

    `every` are all line ends and `ends` those outside quotes; `inside` marks the bytes in quotes (None for
    none), and `odd` is 1 where the stretch ends in quotes.
    """

    every: Positions
    ends: Positions
    inside: Mask | None
    odd: int

    def blank(self, chunk: Chunk, grammar: Grammar) -> Mask | None:
        """Which of the ends end a blank line that is no record; None where there is none."""
        if grammar.columns == 1:
            return None
        before = chunk.view[self.ends - 1]
        blank: Mask = before == grammar.line_end
        if grammar.line_end == LF:
            returned = before == CR
            if returned.any():
                blank |= returned & (chunk.view[self.ends - 2] == LF)
        return blank if blank.any() else None


def record_ends(chunk: Chunk, grammar: Grammar, odd: int) -> Ends:
    """Where the records of a stretch end, by the parity of quotes; `odd` where it begins in quotes.

    Raises
    ------
    Unclear
        When a quote opens in the middle of an unquoted field.
    """
    line_end = chunk.places(grammar.line_end)
    every = np.flatnonzero(line_end)
    if not chunk.has(grammar.quote_byte):
        inside = np.ones(chunk.view.size, dtype=np.bool_) if odd else None
        return Ends(every, every[:0] if odd else every, inside, odd)
    quote = chunk.places(grammar.quote_byte)
    inside = _odd_so_far(quote, odd)
    opened = np.flatnonzero(quote & inside)
    _refuse_unclear(chunk, grammar, opened)
    ends = every[~inside[every]] if every.size else every
    return Ends(every, ends, inside, int(inside[-1]))


def _odd_so_far(marks: Mask, odd: int) -> Mask:
    """Whether an odd number of marks lies at or before each place (of the whole file: `odd` before it).

    Marks are packed 64 to a word, whose prefix parities are six shifts.
    """
    packed = np.packbits(marks, bitorder="little")
    words = np.zeros(-(-packed.size // 8), dtype=np.uint64)
    words.view(np.uint8)[: packed.size] = packed
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(shift)
    carried = np.bitwise_xor.accumulate(words >> np.uint64(63))
    carried = np.concatenate(([np.uint64(0)], carried[:-1])) ^ np.uint64(odd)
    words ^= np.uint64(0) - carried
    bits = np.unpackbits(words.view(np.uint8), bitorder="little", count=marks.size)
    return bits.view(np.bool_)


def _refuse_unclear(chunk: Chunk, grammar: Grammar, opened: Positions) -> None:
    view, comma = chunk.view, ord(grammar.delimiter)
    before = view[opened - 1]
    clear = (before == comma) | (before == grammar.line_end) | (before == grammar.quote_byte)
    if not clear.all():
        others = opened[~clear]
        earlier = view[others - 2]
        spaced = (view[others - 1] == SPACE) & ((earlier == comma) | (earlier == grammar.line_end))
        if not spaced.all():
            raise Unclear


@dataclass(frozen=True)
class Survey:
    """A file in which every record has its fields: how many there are, and on which lines they begin."""

    records: int
    lines: Lines


def survey(path: Path, grammar: Grammar, chunk: int = CHUNK) -> Survey | None:
    r"""Count the records of a file and the fields of each, by the parity of quotes.

    Parameters
    ----------
    path : an uncompressed file.
    grammar : how its records are written.
    chunk : bytes in memory at a time.

    Returns
    -------
    None when a line may be passed over, when a record has another number of fields, when a character other
    than the quote escapes quotes, when a quote is never closed or stands inside an unquoted field, and when a
    carriage return outside quotes belongs to no line ending.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'1,"x\ny"\n\n2,z')
    >>> found = survey(path, Grammar(columns=2))
    >>> found.records, found.lines.of(np.array([0, 1])).tolist()
    (2, [1, 4])
    >>> _ = path.write_bytes(b'1,x\n2,z,')
    >>> survey(path, Grammar(columns=2)) is None
    True
    """
    if not grammar.parity_tells or has_such_line(path, grammar.body, grammar.eol, grammar.beginnings):
        return None
    lines = LineCounter(grammar.body_line)
    odd, fields, returns = 0, 0, 0  # fields: delimiters so far of the record that is not yet ended
    last = grammar.eol * 2
    for part in chunks(path, grammar, chunk):
        try:
            found = record_ends(part, grammar, odd)
        except Unclear:
            return None
        odd, last = found.odd, bytes(part.data[part.size : part.size + 2])
        blank = found.blank(part, grammar)
        full = _full(part, grammar, found, blank, fields)
        if full is None:
            return None
        fields = full
        if grammar.line_end == LF:
            returns += _lone_returns(part, found)
        elif part.has(LF) and (part.places(LF) & ~_or_none(found.inside, part)).any():
            return None
        lines.add(found.every, found.ends, blank)
    if last[-1:] != grammar.eol and last != b"\n\r":
        if fields != grammar.columns - 1:
            return None
        lines.add_last()
    if last[-1:] == b"\r" and grammar.line_end == LF:
        returns -= 1  # half of the last line's ending
    if odd or returns:
        return None
    return Survey(lines.records, lines.found())


def _or_none(inside: Mask | None, chunk: Chunk) -> Mask:
    return np.zeros(chunk.view.size, dtype=np.bool_) if inside is None else inside


def _full(chunk: Chunk, grammar: Grammar, found: Ends, blank: Mask | None, begun: int) -> int | None:
    """The delimiters of the record that is not ended; None if one that is has too few or too many."""
    delimiters = chunk.places(ord(grammar.delimiter))
    if found.inside is not None:
        delimiters &= ~found.inside
    if grammar.columns == 1:
        return None if delimiters.any() else 0
    places, ends = np.flatnonzero(delimiters), found.ends
    if not ends.size:
        return begun + places.size
    each = grammar.columns - 1
    first = each - begun  # what the first record lacks
    if blank is None and first >= 0:
        # The last delimiter of every record lies before its end, and the next one after it.
        full = ends if first else ends[1:]  # of the others, all lie in an earlier stretch
        last = places[first - 1 if first else each - 1 :: each][: full.size]
        following = places[first::each][: ends.size]
        exact = last.size == full.size and not (last > full).any()
        exact = exact and not (following < ends[: following.size]).any()
        return int(places.size - first - each * (ends.size - 1)) if exact else None
    before = np.searchsorted(places, ends)
    counts = np.diff(before, prepend=-begun)
    if blank is not None:
        if counts[blank].any():
            return None
        counts = counts[~blank]
    return None if (counts != each).any() else int(places.size - before[-1])


def _lone_returns(chunk: Chunk, found: Ends) -> int:
    """Carriage returns outside quotes, less the line endings that they belong to."""
    paired = int(np.count_nonzero(chunk.view[found.ends - 1] == CR)) if found.ends.size else 0
    if not chunk.has(CR):
        return -paired
    returns = chunk.places(CR)
    if found.inside is not None:
        returns &= ~found.inside
    return int(np.count_nonzero(returns)) - paired
