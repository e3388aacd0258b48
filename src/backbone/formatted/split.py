"""A malformed file taken apart into good records and the lines that are none, without losing a byte."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from backbone.formatted.grammar import CR, LF, Grammar
from backbone.formatted.lines import LineCounter, Lines, Positions
from backbone.formatted.records import Chunk, Ends, Mask, record_ends

NOT_CLOSED = "a quoted field is not closed"
QUOTE_INSIDE = (
    'has a quote inside an unquoted field, so that its fields can be read in two ways (quote = "" reads '
    "quotes as ordinary characters)"
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A physical line that is no record, or the several lines of one record that is not accepted.

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
    records : how many records the cleaned file has.
    lines : the lines of the original file on which they begin.
    good_bytes : size of the cleaned file.
    """

    broken: list[Broken]
    records: int
    lines: Lines
    good_bytes: int


def split(path: Path, grammar: Grammar, cleaned: Path) -> Split:
    r"""Copy the good records of a file to `cleaned`, and list the lines that are none.

    Where no record begins, one physical line is broken and the next one is tried: a quote that is never
    closed costs one line. A record over several lines that only has the wrong number of fields is broken as
    a whole, unless one of its lines is a good record without any quote. A record whose last field may go on
    in a broken line, because that ends in a quote that nothing opens, is broken too.

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
    with path.open("rb") as source, cleaned.open("wb") as target:
        if grammar.body >= size:
            return Split([], 0, LineCounter(1).found(), 0)
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Splitting(data, grammar, target).split()


@dataclass(frozen=True)
class _Stretch:
    """Good records between two places of the file; `line` is that of the first.

    `kind` says how their ends are found: by the parity of quotes (`run`), at every line end (`lines`), or at
    the end of the stretch alone (`one`).
    """

    start: int
    stop: int
    line: int
    kind: str


class _Splitting:
    """One pass over a file; the last stretch of good records waits until what follows it is known."""

    def __init__(self, data: mmap.mmap, grammar: Grammar, target: IO[bytes]) -> None:
        self._data, self._grammar, self._target = data, grammar, target
        self._size = len(data)
        self._broken: list[Broken] = []
        self._lines = LineCounter(grammar.body_line)
        self._waiting: _Stretch | None = None
        self._passed = 0  # lines since then
        self._since = 0  # how many were broken before it
        self._open = False  # whether its last record may still go on
        self._good_bytes = 0

    def split(self) -> Split:
        position, line = self._grammar.body, self._grammar.body_line
        while position < self._size:
            stop, kind = self._good_until(position)
            if stop > position:
                self._write_waiting()
                self._waiting = _Stretch(position, stop, line, kind)
                self._since, self._open = len(self._broken), True
                line += self._data[position:stop].count(self._grammar.eol)
                position = stop
                continue
            stop = self._broken_until(position)
            raw = self._data[position:stop]
            record = self._without_end(raw)
            reason = _reason(record, self._grammar)
            if self._open and _closes(record, reason, self._grammar):
                self._break_last(line)
            self._broken.append(Broken(line, record, reason))
            lines = raw.count(self._grammar.eol)
            line, self._passed = line + lines, self._passed + lines
            position = stop
        self._write_waiting()
        return Split(self._broken, self._lines.records, self._lines.found(), self._good_bytes)

    def _good_until(self, position: int) -> tuple[int, str]:
        """Where the good records from `position` on end, at most `max_record` bytes further."""
        grammar, pattern = self._grammar, self._grammar.pattern
        limit = min(position + grammar.max_record, self._size)
        for kind, expression in (("run", pattern.run), ("lines", pattern.lines)):
            if kind == "run" and not grammar.parity_tells:
                continue
            found = expression.match(self._data, position, limit)
            if found and found.end() > position:
                return found.end(), kind
        one = pattern.one.match(self._data, position, limit)
        if one and (limit == self._size or self._data[one.end() - 1] == grammar.line_end):
            return one.end(), "one"
        if grammar.columns > 1 and self._size - position == 1 and self._data[position] == CR:
            return self._size, "one"
        return position, ""

    def _broken_until(self, position: int) -> int:
        """Where the broken line, or the record of several lines with the wrong number of fields, ends."""
        data, size, grammar = self._data, self._size, self._grammar
        stop = data.find(grammar.eol, position) + 1 or size
        if grammar.quote is None:
            return stop
        limit = min(position + grammar.max_record, size)
        found = grammar.pattern.lexical.match(data, position, limit)
        if not found or found.end() <= stop or (limit < size and data[found.end() - 1] != grammar.line_end):
            return stop
        inner, quote = stop, grammar.quote.encode()
        while inner < found.end():
            following = data.find(grammar.eol, inner) + 1 or size
            alone = grammar.pattern.one.match(data, inner, following)
            if alone and alone.end() == following and data.find(quote, inner, following) < 0:
                return stop
            inner = following
        return found.end()

    def _break_last(self, line: int) -> None:
        """Move the last record of the waiting stretch to the broken ones, if its last field is unquoted."""
        assert self._waiting is not None and self._grammar.quote is not None
        waiting, self._open = self._waiting, False
        _, found, blank = self._taken_apart(waiting)
        records = np.flatnonzero(~blank) if blank is not None else np.arange(found.ends.size)
        if not records.size:
            return
        last = int(records[-1])
        start = waiting.start + (int(found.ends[last - 1]) - 1 if last else 0)
        stop = waiting.start + int(found.ends[last]) - 1
        record = self._without_end(self._data[start:stop])
        if record.rstrip(b" ").endswith(self._grammar.quote.encode()):
            return
        before = waiting.line + self._data[waiting.start : start].count(self._grammar.eol)
        reason = f"may go on in line {line:,}, which ends in a quote that nothing opens"
        self._broken.insert(self._since, Broken(before, record, reason))
        self._passed += self._data[start : waiting.stop].count(self._grammar.eol)
        self._waiting = replace(waiting, stop=start)

    def _write_waiting(self) -> None:
        """Copy the good records that wait, and note on which lines they begin."""
        if self._waiting is not None and self._waiting.stop > self._waiting.start:
            chunk, found, blank = self._taken_apart(self._waiting)
            self._lines.add(found.every, found.ends, blank)
            ended = bytes(chunk.data[-1:]) == self._grammar.eol
            if not ended and bytes(chunk.data[2:]) != b"\r":
                self._lines.add_last()
            good = _with_newlines(chunk, found.ends, ended, self._grammar)
            self._target.write(good)
            self._good_bytes += len(good)
        self._lines.skip(self._passed)
        self._waiting, self._passed = None, 0

    def _taken_apart(self, stretch: _Stretch) -> tuple[Chunk, Ends, Mask | None]:
        """The bytes of a stretch, where its records end, and which of those are blank lines."""
        data = bytearray(self._grammar.eol * 2 + self._data[stretch.start : stretch.stop])
        chunk = Chunk(data, np.frombuffer(data, dtype=np.uint8), len(data) - 2, stretch.start)
        if stretch.kind == "run":
            found = record_ends(chunk, self._grammar, 0)
        else:
            every = np.flatnonzero(chunk.places(self._grammar.line_end))
            ends = every
            if stretch.kind == "one":
                ends = every[-1:] if data.endswith(self._grammar.eol) else every[:0]
            found = Ends(every, ends, None, 0)
        return chunk, found, found.blank(chunk, self._grammar)

    def _without_end(self, raw: bytes) -> bytes:
        record = raw.removesuffix(self._grammar.eol)
        return record.removesuffix(b"\r") if self._grammar.line_end == LF else record


def _with_newlines(chunk: Chunk, ends: Positions, ended: bool, grammar: Grammar) -> bytes:
    """The same records, each ended by a newline alone."""
    view = chunk.view.copy()
    if grammar.line_end == CR:
        view[ends] = LF
        good = view[2:].tobytes()
    else:
        stays = np.ones(view.size, dtype=np.bool_)
        stays[ends - 1] = view[ends - 1] != CR
        stays[:2] = False
        good = view[stays].tobytes()
    return good if ended else good.removesuffix(b"\r") + b"\n"


def _closes(record: bytes, reason: str, grammar: Grammar) -> bool:
    """Whether a broken line may be the end of a quoted field that lacks its first quote."""
    if grammar.quote is None or reason == NOT_CLOSED:
        return False
    quote = grammar.quote.encode()
    return record.rstrip(b" ").endswith(quote) and record.count(quote) % 2 == 1


def _reason(raw: bytes, grammar: Grammar) -> str:
    """What is wrong with a broken line."""
    pattern, fields, position = grammar.pattern, 1, 0
    if len(raw) >= grammar.max_record:
        return f"is longer than {grammar.max_record:,} bytes"
    other = b"\r" if grammar.line_end == LF else b"\n"
    if other not in raw and (grammar.quote is None or grammar.quote.encode() not in raw):
        return f"has {raw.count(grammar.delimiter.encode()) + 1} fields, expected {grammar.columns}"
    while True:
        quoted = pattern.opening.match(raw, position) is not None
        found = (pattern.quoted if quoted else pattern.plain).match(raw, position)
        if found is None:
            return NOT_CLOSED
        position = found.end()
        if position == len(raw):
            return (
                QUOTE_INSIDE
                if fields == grammar.columns
                else f"has {fields} fields, expected {grammar.columns}"
            )
        if raw[position] != ord(grammar.delimiter):
            if quoted:
                return "text after a closing quote"
            return f"a {'carriage return' if grammar.line_end == LF else 'line feed'} outside quotes"
        position += 1
        fields += 1
