"""A malformed file taken apart into good records and the lines that are none, without losing a byte."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backbone.formatted.grammar import CR, LF, Grammar
from backbone.formatted.records import Chunk, Positions, Unclear, record_ends


@dataclass(frozen=True, slots=True)
class Broken:
    """A physical line that is no record, or the several lines of one record with the wrong number of fields.

    Attributes
    ----------
    line : physical line number, from 1, in the original file.
    raw : its bytes without the line ending.
    reason : what is wrong with it, as the end of a sentence that begins with "line 7".
    """

    line: int
    raw: bytes
    reason: str


@dataclass(frozen=True)
class Split:
    """A malformed file taken apart.

    Attributes
    ----------
    broken : the lines that are no records, in order.
    segments : shape (k,), the 0-based lines of the cleaned file at which a stretch without gaps begins.
    origins : shape (k,), the physical line numbers, from 1, of the same lines in the original file.
    good_bytes : size of the cleaned file.
    """

    broken: list[Broken]
    segments: Positions
    origins: Positions
    good_bytes: int

    def original_lines(self, lines: Positions) -> Positions:
        """Line numbers in the original file of lines of the cleaned file, both from 1.

        Examples
        --------
        >>> split = Split([], np.array([0, 10]), np.array([2, 15]), 99)
        >>> split.original_lines(np.array([1, 10, 11])).tolist()
        [2, 11, 15]
        """
        zero_based = np.asarray(lines, dtype=np.int64) - 1
        if not zero_based.size:
            return zero_based
        segment = np.searchsorted(self.segments, zero_based, side="right") - 1
        return self.origins[segment] + (zero_based - self.segments[segment])


def split(path: Path, grammar: Grammar, cleaned: Path) -> Split:
    r"""Copy the good records of a file to `cleaned`, and list the lines that are none.

    Where no record begins, one physical line is broken and the next one is tried: a quote that is never
    closed costs one line. A record over several lines that only has the wrong number of fields is broken as
    a whole, unless one of its lines is a good record without any quote.

    Parameters
    ----------
    path : an uncompressed file.
    grammar : how its records should be written.
    cleaned : overwritten; every line ending outside quotes becomes a newline (read it with
        `new_line='\n'`), blank lines stay, and a last record that lacks its newline gets one.

    Returns
    -------
    The broken lines in memory; the good bytes never are.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_bytes(b'1,"x\n2,y\n3,z,3')
    >>> for line in split(folder / "a.csv", Grammar(columns=2), folder / "b.csv").broken:
    ...     print(line.line, line.raw, line.reason)
    1 b'1,"x' a quoted field is not closed
    3 b'3,z,3' has 3 fields, expected 2
    >>> (folder / "b.csv").read_bytes()
    b'2,y\n'
    """
    size = path.stat().st_size
    broken: list[Broken] = []
    segments: list[int] = []
    origins: list[int] = []
    good_bytes = good_lines = 0
    position, line = grammar.body, grammar.body_line
    adjoins = False  # whether the record at `position` follows the one written last
    with path.open("rb") as source, cleaned.open("wb") as target:
        if position >= size:
            none = np.empty(0, dtype=np.int64)
            return Split(broken, none, none, 0)
        data = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        with data:
            while position < size:
                stop = _good_until(data, grammar, position, size)
                if stop > position:
                    good = _with_newlines(data[position:stop], grammar)
                    if not adjoins:
                        segments.append(good_lines)
                        origins.append(line)
                    target.write(good)
                    lines = good.count(b"\n")
                    good_bytes += len(good)
                    good_lines += lines
                    line += lines
                    position, adjoins = stop, True
                    continue
                stop = _broken_until(data, grammar, position, size)
                raw = data[position:stop]
                record = raw.removesuffix(b"\n").removesuffix(b"\r")
                broken.append(Broken(line, record, _reason(record, grammar)))
                line += raw.count(b"\n")
                position, adjoins = stop, False
    return Split(broken, np.array(segments, dtype=np.int64), np.array(origins, dtype=np.int64), good_bytes)


def _good_until(data: mmap.mmap, grammar: Grammar, position: int, size: int) -> int:
    """Where the good records from `position` on end, at most `max_record` bytes further."""
    limit = min(position + grammar.max_record, size)
    found = grammar.pattern.run.match(data, position, limit)
    stop = found.end() if found else position
    if stop == position and limit == size:
        last = grammar.pattern.one.match(data, position, size)
        if last and last.end() == size:
            return size
        if grammar.columns > 1 and size - position == 1 and data[position] == CR:
            return size
    return stop


def _broken_until(data: mmap.mmap, grammar: Grammar, position: int, size: int) -> int:
    """Where the broken line, or the record of several lines with the wrong number of fields, ends."""
    stop = data.find(b"\n", position) + 1 or size
    if grammar.quote is None:
        return stop
    limit = min(position + grammar.max_record, size)
    found = grammar.pattern.lexical.match(data, position, limit)
    if not found or found.end() <= stop or (limit < size and data[found.end() - 1] != LF):
        return stop
    inner, quote = stop, grammar.quote.encode()
    while inner < found.end():
        following = data.find(b"\n", inner) + 1 or size
        alone = grammar.pattern.one.match(data, inner, following)
        if alone and alone.end() == following and data.find(quote, inner, following) < 0:
            return stop
        inner = following
    return found.end()


def _with_newlines(good: bytes, grammar: Grammar) -> bytes:
    """The same records, each ended by a newline alone."""
    if b"\r" in good:
        if grammar.quote is None or grammar.quote.encode() not in good:
            good = good.replace(b"\r\n", b"\n")
        else:
            try:
                good = _without_returns(good, grammar)
            except Unclear:
                good = grammar.pattern.line_ends.sub(rb"\1", good)
        good = good.removesuffix(b"\r")
    return good if good.endswith(b"\n") else good + b"\n"


def _without_returns(good: bytes, grammar: Grammar) -> bytes:
    """The same, by the parity of quotes."""
    if not grammar.parity_tells:
        raise Unclear
    data = bytearray(b"\n\n" + good)
    view = np.frombuffer(data, dtype=np.uint8)
    _, ends, _ = record_ends(Chunk(data, view, len(good), 0), grammar, 0)
    kept = np.ones(view.size, dtype=np.bool_)
    kept[ends - 1] = view[ends - 1] != CR
    kept[:2] = False
    return view[kept].tobytes()


def _reason(raw: bytes, grammar: Grammar) -> str:
    """What is wrong with a broken line."""
    pattern, fields, position = grammar.pattern, 1, 0
    if len(raw) >= grammar.max_record:
        return f"is longer than {grammar.max_record:,} bytes"
    if b"\r" not in raw and (grammar.quote is None or grammar.quote.encode() not in raw):
        return f"has {raw.count(grammar.delimiter.encode()) + 1} fields, expected {grammar.columns}"
    while True:
        quoted = pattern.opening.match(raw, position) is not None
        found = (pattern.quoted if quoted else pattern.plain).match(raw, position)
        if found is None:
            return "a quoted field is not closed"
        position = found.end()
        if position == len(raw):
            return f"has {fields} fields, expected {grammar.columns}"
        if raw[position] != ord(grammar.delimiter):
            return "text after a closing quote" if quoted else "a carriage return outside quotes"
        position += 1
        fields += 1
