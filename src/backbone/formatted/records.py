"""How many records a CSV file has, counted independently of the engine that parses it.

It works on the plain bytes of a file on disk, in bounded memory: a newline ends a record when an even number
of quotes precedes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backbone.formatted.grammar import CR, LF, SPACE, Grammar

CHUNK = 1 << 19
"""Bytes looked at in one go."""

Positions = NDArray[np.int64]


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


def chunks(path: Path, body: int, chunk: int) -> Iterator[Chunk]:
    """Read the file from `body` on; the one buffer is reused."""
    data = bytearray(chunk + 2)
    data[:2] = b"\n\n"
    view = np.frombuffer(data, dtype=np.uint8)
    window = memoryview(data)[2:]
    with path.open("rb", buffering=0) as file:
        file.seek(body)
        offset = body
        while size := file.readinto(window):
            yield Chunk(data, view[: size + 2], size, offset)
            data[:2] = data[size : size + 2]
            offset += size


def record_ends(chunk: Chunk, grammar: Grammar, odd: int) -> tuple[Positions, Positions, int]:
    """Positions in `view` of all newlines, and of those that end a record or a blank line; the new parity."""
    view = chunk.view
    newline = view == LF
    newline[:2] = False
    if not chunk.has(grammar.quote_byte):
        newlines = np.flatnonzero(newline)
        return newlines, newlines[:0] if odd else newlines, odd
    quote = view == grammar.quote_byte
    quote[:2] = False
    marks = np.flatnonzero(newline | quote)
    quotes = quote[marks]
    inside = (np.cumsum(quotes, dtype=np.int32) + odd) & 1 == 1
    opened = marks[quotes & inside]
    before, comma = view[opened - 1], ord(grammar.delimiter)
    clear = (before == comma) | (before == LF) | (before == grammar.quote_byte)
    if not clear.all():
        odd_ones = opened[~clear]
        earlier = view[odd_ones - 2]
        if not ((view[odd_ones - 1] == SPACE) & ((earlier == comma) | (earlier == LF))).all():
            raise Unclear
    return marks[~quotes], marks[~quotes & ~inside], int(inside[-1])


def count_records(path: Path, grammar: Grammar, chunk: int = CHUNK) -> int | None:
    r"""Number of records in a file, by the parity of its quotes, or None when that can't tell.

    Parameters
    ----------
    path : an uncompressed file.
    grammar : how its records are written; the number of `columns` only matters in that a blank line is a
        record when there is one column.
    chunk : bytes in memory at a time.

    Returns
    -------
    None when a character other than the quote escapes quotes, when a quote is never closed or stands inside
    an unquoted field, and when all line endings are lone carriage returns.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_bytes(b'1,"x\ny"\n\n2,z')
    >>> count_records(path, Grammar(columns=2))
    2
    >>> _ = path.write_bytes(b'1,"x\n2,z')
    >>> count_records(path, Grammar(columns=2)) is None
    True
    """
    if not grammar.parity_tells:
        return None
    records = odd = 0
    newlines = returns = False
    last = b"\n\n"
    for part in chunks(path, grammar.body, chunk):
        view, has_return = part.view, part.has(CR) or part.data[1] == CR
        returns = returns or has_return
        last = bytes(part.data[part.size : part.size + 2])
        try:
            every, ends, odd = record_ends(part, grammar, odd)
        except Unclear:
            return None
        newlines = newlines or bool(every.size)
        records += ends.size
        if grammar.columns > 1:
            before = view[ends - 1]
            records -= int(np.count_nonzero(before == LF))
            if has_return:
                records -= int(np.count_nonzero((before == CR) & (view[ends - 2] == LF)))
    if odd or (returns and not newlines):
        return None
    return records + int(last[-1:] != b"\n" and last != b"\n\r")
