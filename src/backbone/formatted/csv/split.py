"""A malformed file taken apart into good records and the lines that are none, without losing a byte."""

from __future__ import annotations

import mmap
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np

from backbone.formatted.csv.grammar import CR, LF, Grammar
from backbone.formatted.csv.line_fault import AFTER_QUOTE, NOT_CLOSED, QUOTE_INSIDE, line_fault
from backbone.formatted.csv.lines import LineCounter, Lines, Positions
from backbone.formatted.csv.passed_over import FOOTER
from backbone.formatted.csv.records import Chunk, Ends, Mask, record_ends
from backbone.formatted.csv.two_ways import readable_in_two_ways

PAIRED = "has a quote that may end a text begun in a broken line before it"
STRAY_BESIDE = "has a quote inside an unquoted field, next to a line with broken quotes"
BESIDE = "spans several lines, next to a line with broken quotes"
TWO_WAYS = "spans several lines, and its quotes do not show whether these are one text or records"
RECORDS_BACK = 10


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
    passed : how many lines were passed over, by kind.
    """

    broken: list[Broken]
    records: int
    lines: Lines
    good_bytes: int
    passed: Counter[str] = field(default_factory=Counter)


def split(path: Path, grammar: Grammar, cleaned: Path, skip: int = 0) -> Split:
    r"""Copy the good records of a file to `cleaned`, and list the lines that are none.

    Where no record begins, one physical line is broken and the next one is tried: a quote that is never
    closed costs one line. A record over several lines that only has the wrong number of fields is broken as
    a whole. A record that a line with broken quotes casts doubt on is broken too: one of several lines beside
    it, one that may go on in it, and the next one with an odd number of quotes. In a file with a broken line
    so is every record that can be read in two ways (`readable_in_two_ways`).

    Parameters
    ----------
    path : an uncompressed file.
    grammar : how its records should be written.
    cleaned : overwritten; every line ending outside quotes becomes a newline (read it with
        `new_line='\n'`), blank lines stay, and a last record that lacks its newline gets one.
    skip : how many lines to write before, which are blank.

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
    1 b'1,"x' has a quoted field that is not closed
    3 b'3,z,3' has 3 fields, expected 2
    >>> (folder / "b.csv").read_bytes()
    b'2,y\n'
    """
    size = path.stat().st_size
    with path.open("rb") as source, cleaned.open("wb") as target:
        target.write(b"\n" * skip)
        if grammar.body >= size:
            return Split([], 0, LineCounter(1).found(), 0)
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            refused: set[int] = set()
            begin = target.tell()  # after the lines before the records
            while True:
                splitting = _Splitting(data, grammar, target, refused)
                found = splitting.split()
                if not found.broken or not splitting.in_two_ways:
                    return found
                refused |= splitting.in_two_ways
                target.seek(begin)
                target.truncate()


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
    """One pass over a file; the last stretch of good records waits until what follows it is known.

    `refused` are the places of records that are not accepted. `in_two_ways` are the places of others that are
    not accepted either if a line of the file is broken.
    """

    def __init__(self, data: mmap.mmap, grammar: Grammar, target: IO[bytes], refused: Set[int]) -> None:
        self._data, self._grammar, self._target = data, grammar, target
        self._size = len(data)
        self._refused = sorted(refused)
        self.in_two_ways: set[int] = set()
        self._broken: list[Broken] = []
        self._lines = LineCounter(grammar.body_line)
        self._waiting: _Stretch | None = None
        self._last: tuple[_Stretch, list[tuple[int, bytes]]] | None = None  # the last records of a stretch
        self._passed = 0  # lines since then
        self._since = 0  # how many were broken before it
        self._open = False  # whether its last records may still go on
        self._beside = False  # whether the line before had its quotes broken
        self._after_broken = False  # whether it was broken at all
        self._odd = False  # whether an odd number of quotes stand in the lines broken so far
        self._good_bytes = 0
        self._footer = 0  # the line on which the footer begins
        self._beginnings = [(one.kind, re.compile(one.pattern)) for one in grammar.beginnings]
        self._passed_lines = Counter[str]()

    def split(self) -> Split:
        position, line, eol = self._grammar.body, self._grammar.body_line, self._grammar.eol
        while position < self._size:
            if self._grammar.beginnings and (stop := self._passed_over(position, line)):
                line, self._passed, position = line + 1, self._passed + 1, stop
                continue
            stop, kind = self._good_until(position)
            reason = self._doubtful(position) if stop > position else ""
            if stop > position and self._footer and not reason:
                reason = f"is below the footer, which begins in line {self._footer:,}"
            doubtful = bool(reason)
            if stop > position and not doubtful:
                stop = self._before_odd_quote(position, self._before_refused(position, stop), kind)
                self._write_waiting()
                self._waiting = _Stretch(position, stop, line, kind)
                self._since, self._open = len(self._broken), True
                self._beside = self._after_broken = False
                line += self._data[position:stop].count(eol)
                position = stop
                continue
            stop = self._one_until(position) if doubtful else self._broken_until(position)
            raw = self._data[position:stop]
            record = self._without_end(raw)
            reason = reason or line_fault(record, self._grammar)
            self._break_before(record, reason, line, doubtful)
            self._broken.append(Broken(line, record, reason))
            lines = raw.count(eol)
            line, self._passed = line + lines, self._passed + lines
            position = stop
        self._write_waiting()
        return Split(
            self._broken, self._lines.records, self._lines.found(), self._good_bytes, self._passed_lines
        )

    def _passed_over(self, position: int, line: int) -> int:
        """Where the line ends that is passed over here; 0 for one that is not."""
        data, grammar = self._data, self._grammar
        stop = data.find(grammar.eol, position) + 1 or self._size
        text = data[position : min(stop, position + grammar.max_record)]
        is_blank = grammar.columns > 1 and not text.strip(b"\r\n")
        if is_blank and self._footer:
            return stop
        kind = next((kind for kind, pattern in self._beginnings if pattern.match(data, position)), "")
        limit = min(position + grammar.max_record, self._size)
        is_rest = self._footer and not kind and grammar.pattern.one.match(data, position, limit) is None
        if is_blank or not (kind or is_rest) or stop - position > len(text):
            return 0
        quotes = text.count(grammar.quote.encode()) if grammar.quote is not None else 0
        if quotes % 2 or (is_rest and quotes):
            return 0  # it may be a piece of a text
        if kind == FOOTER:
            self._footer = self._footer or line
        self._passed_lines[kind or FOOTER] += 1
        return stop

    def _doubtful(self, position: int) -> str:
        """Why a record that could be accepted is not, beside what was broken before it; empty for none."""
        if self._next_refused(position) == position:
            return TWO_WAYS
        if self._grammar.quote is None or not (self._beside or self._odd or self._after_broken):
            return ""
        first = self._data[position : self._one_until(position)]
        if self._beside and self._grammar.eol in first[:-1]:
            return BESIDE
        if self._beside and self._has_stray_quote(self._without_end(first)):
            return STRAY_BESIDE
        if first.count(self._grammar.quote.encode()) % 2:
            return PAIRED
        return ""

    def _has_stray_quote(self, record: bytes) -> bool:
        """Whether a quote stands in an unquoted field, or quotes are broken."""
        return self._grammar.pattern.plainly.fullmatch(record) is None

    def _before_odd_quote(self, position: int, stop: int, kind: str) -> int:
        """Where a stretch is cut, so that a line with an odd number of quotes comes first in the next one."""
        if not self._odd or kind != "lines" or self._grammar.quote is None:
            return stop
        data = np.frombuffer(self._data[position:stop], dtype=np.uint8)
        ends = np.flatnonzero(data == self._grammar.line_end)
        quotes = np.searchsorted(np.flatnonzero(data == self._grammar.quote_byte), ends)
        odd = np.flatnonzero(np.diff(quotes, prepend=0) % 2)
        return position + int(ends[odd[0] - 1]) + 1 if odd.size and odd[0] else stop

    def _next_refused(self, position: int) -> int:
        """Where the first refused record from `position` on begins."""
        place = bisect_left(self._refused, position)
        return self._refused[place] if place < len(self._refused) else self._size

    def _before_refused(self, position: int, stop: int) -> int:
        """Where a stretch is cut, so that a refused record comes first in the next one."""
        return min(stop, self._next_refused(position))

    def _one_until(self, position: int) -> int:
        """Where the one record from `position` on ends."""
        found = self._grammar.pattern.one.match(
            self._data, position, min(position + self._grammar.max_record, self._size)
        )
        return found.end() if found else position + 1

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
        return found.end()

    def _break_before(self, record: bytes, reason: str, line: int, doubtful: bool) -> None:
        """Move the last records of the waiting stretch to the broken ones where a broken line casts doubt.

        Those are records of several lines right before one whose quotes are broken, which may have taken in
        lines that are records. And where a broken line ends in a quote that nothing opens, the record that
        may go on until there: the last one or, if that has no quote, the nearest before it that has one.
        """
        if self._grammar.quote is None:
            return
        quote, paired = self._grammar.quote.encode(), reason == PAIRED
        odd = record.count(quote) % 2 == 1
        self._odd = False if paired else self._odd != odd
        self._beside = not paired and (odd or reason in (NOT_CLOSED, AFTER_QUOTE, BESIDE))
        self._after_broken = not paired
        closes = not doubtful and self._may_close(record, reason)
        if self._waiting is None or not self._open or not (self._beside or closes):
            return
        first_after = self._since == len(self._broken)
        records = self._last_of_waiting(self._waiting)
        count = 0
        while first_after and count < len(records) and self._grammar.eol in records[count][1][:-1]:
            count += 1
        if closes:
            quoted = (i for i, (_, text) in enumerate(records) if quote in text)
            count = max(count, next(quoted, 0) + 1)
        moved = []
        for start, text in records[:count]:
            begun = self._waiting.line + self._data[self._waiting.start : start].count(self._grammar.eol)
            why = (
                f"may continue in line {line:,}, which ends in a quote without a beginning"
                if closes
                else BESIDE
            )
            moved.append(Broken(begun, self._without_end(text), why))
        if moved:
            self._open = False
            start = records[len(moved) - 1][0]
            self._broken[self._since : self._since] = reversed(moved)
            self._passed += self._data[start : self._waiting.stop].count(self._grammar.eol)
            self._waiting = replace(self._waiting, stop=start)

    def _may_close(self, record: bytes, reason: str) -> bool:
        """Whether a broken line may be the end of a quoted text that begins in a record before it."""
        assert self._grammar.quote is not None
        quote = self._grammar.quote.encode()
        first = record.partition(self._grammar.eol)[0].strip()
        if not first.endswith(quote) or reason == QUOTE_INSIDE or (reason == NOT_CLOSED and first != quote):
            return False
        few = first.count(self._grammar.delimiter.encode()) < self._grammar.columns - 1
        alone = not first.strip(quote)
        return first.count(quote) % 2 == 1 or (few and (alone or self._has_stray_quote(first)))

    def _last_of_waiting(self, stretch: _Stretch) -> list[tuple[int, bytes]]:
        """The last records of the waiting stretch (up to 2 MB), found once for all broken lines behind it."""
        if self._last is None or self._last[0] is not stretch:
            self._last = stretch, self._last_records(stretch)
        return self._last[1]

    def _last_records(self, stretch: _Stretch) -> list[tuple[int, bytes]]:
        """Where the last records of a stretch begin, and their bytes, the last one first."""
        _, found, blank = self._taken_apart(stretch)
        starts = stretch.start + np.concatenate(([0], found.ends - 1))
        if stretch.kind == "one" and not found.ends.size:
            return [(stretch.start, self._data[stretch.start : stretch.stop])]
        records = np.arange(found.ends.size) if blank is None else np.flatnonzero(~blank)
        last = [(int(starts[i]), int(starts[i + 1])) for i in records[: -RECORDS_BACK - 1 : -1]]
        return [(start, self._data[start:stop]) for start, stop in last]

    def _write_waiting(self) -> None:
        """Copy the good records that wait, and note on which lines they begin."""
        if self._waiting is not None and self._waiting.stop > self._waiting.start:
            chunk, found, blank = self._taken_apart(self._waiting)
            self._lines.add(found.every, found.ends, blank)
            self.in_two_ways.update(readable_in_two_ways(chunk, found, self._grammar))
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
