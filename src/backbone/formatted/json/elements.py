"""The records of an array, or of a sequence of objects over several lines.

A record with a fault inside its brackets is quarantined alone. Where quotes or brackets do not match, nobody
knows where the record ends: it and all lines behind it are quarantined, each for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from backbone.formatted.json.blocks import Block, Extent, Place, one_unread, read_utf8, unread
from backbone.formatted.json.grammar import CHANGE, containers
from backbone.formatted.json.lines import Unreadable, line_blocks
from backbone.formatted.json.problems import (
    AFTER_ARRAY,
    AFTER_BROKEN,
    ARRAY_NOT_CLOSED,
    BROKEN,
    GOOD,
    NO_COMMA,
    NOT_CLOSED,
    STRAY_COMMA,
    TOO_LONG,
)
from backbone.formatted.json.tokens import (
    ARRAY,
    BACKSLASH,
    BLANKS,
    COMMA,
    CR,
    END_ARRAY,
    END_OBJECT,
    LF,
    TEXT,
    WORD,
    Bytes,
    Positions,
    Tokens,
    padded,
    split_tokens,
)

FIRST, RECORD, SEPARATOR = range(3)
"""What came last, outside all records."""


@dataclass(frozen=True)
class _Cut:
    """How far the tokens of a stretch of text make records.

    Parameters
    ----------
    outer : the tokens outside all records: the first ones of records, and commas.
    stop : the token behind the last one of a record or comma.
    waiting : where the record begins that the stretch ends in, if it does.
    broken : where the record begins whose end is unknown, if there is one.
    too_long : whether it is so because the record is too long.
    closed : the place behind the bracket that closes the array, if it is there.
    """

    outer: Positions
    stop: int
    waiting: int | None = None
    broken: int | None = None
    too_long: bool = False
    closed: int | None = None


def element_blocks(path: Path, place: Place, extent: Extent, in_array: bool) -> Iterator[Callable[[], Block]]:
    """The records of an array (behind its opening bracket) or of a sequence, as blocks yet to be made."""
    ending = bytes([extent.newline])
    data, at, line, last = b"", place.at, place.line, FIRST
    comma = place  # the last one
    chunks = read_utf8(path, place.at, extent.chunk)
    more = True
    while more:
        enough = 2 * len(data)  # so that a long record is not split into tokens again and again
        more = False
        for chunk in chunks:
            data, more = data + chunk, True
            if len(data) >= enough:
                break
        text = padded(data)
        tokens = split_tokens(text)
        cut = _cut(text, tokens, len(data), extent, in_array, more)
        outer = _Outer(text, tokens, cut, at, line, last, in_array)
        if cut.outer.size:
            yield outer.block(extent.newline)
            last = outer.last
            if last == SEPARATOR:
                where = int(tokens.at[cut.outer[-1]])
                comma = Place(at + where, line + data.count(ending, 0, where))
        stop = next((s for s in (cut.broken, cut.closed, cut.waiting) if s is not None), len(data))
        at, line, data = at + stop, line + data.count(ending, 0, stop), data[stop:]
        if cut.closed is not None:
            if last == SEPARATOR:
                yield partial(one_unread, b",", comma, comma.at + 1, STRAY_COMMA)
            yield from line_blocks(path, Place(at, line), extent, Unreadable(AFTER_ARRAY, AFTER_ARRAY))
            return
        if cut.broken is not None:
            problems = Unreadable(TOO_LONG if cut.too_long else BROKEN, AFTER_BROKEN)
            yield from line_blocks(path, Place(at, line), extent, problems)
            return
    if data.strip(BLANKS):
        yield partial(one_unread, data, Place(at, line), at + len(data.rstrip(BLANKS)), NOT_CLOSED)
    elif in_array:
        yield partial(one_unread, b"", Place(at, line), at, ARRAY_NOT_CLOSED)


def _cut(text: Bytes, tokens: Tokens, size: int, extent: Extent, in_array: bool, more: bool) -> _Cut:
    """Where the records are, in a stretch of text of some size; `more` when it need not end the file."""
    kind, change = tokens.kind, CHANGE[tokens.kind]
    depth = np.cumsum(change, dtype=np.int64)
    below = np.flatnonzero(depth < 0)[:1]
    end = int(below[0]) if below.size else kind.size
    fault = _first_fault(text, tokens, depth, end)
    stop = end if fault is None else fault
    starts = depth[:stop] - change[:stop] == 0
    outer = np.flatnonzero(starts & (kind[:stop] != END_OBJECT) & (kind[:stop] != END_ARRAY))
    records = outer[kind[outer] != COMMA]
    rest = stop  # the token with which the rest begins
    if records.size:
        last = int(records[-1])
        lone = last == stop - 1 and kind[last] in (TEXT, WORD)
        if fault is not None:
            unfinished = lone and kind[fault] in (TEXT, WORD)
        else:
            unfinished = lone and stop == kind.size and (more or not tokens.closed)
        if unfinished or depth[stop - 1] > 0:
            rest = last
            outer = outer[outer < rest]
    cut = _Cut(outer, rest)
    if fault is not None or (below.size and not (in_array and kind[end] == END_ARRAY)):
        cut = _Cut(outer, rest, broken=int(tokens.at[rest]))
    elif below.size:
        cut = _Cut(outer, rest, closed=int(tokens.end[end]))
    elif rest < stop:
        cut = _Cut(outer, rest, waiting=int(tokens.at[rest]))
    return _until_too_long(tokens, cut, size, extent.longest)


def _until_too_long(tokens: Tokens, cut: _Cut, size: int, longest: int) -> _Cut:
    """The same, ended at the first record that is too long."""
    records = cut.outer[tokens.kind[cut.outer] != COMMA]
    if records.size:
        following = np.append(cut.outer, cut.stop)[np.searchsorted(cut.outer, records) + 1]
        long = np.flatnonzero(tokens.end[following - 1] - tokens.at[records] > longest)[:1]
        if long.size:
            first = int(records[long[0]])
            return _Cut(cut.outer[cut.outer < first], first, None, int(tokens.at[first]), True)
    if cut.waiting is not None and size - cut.waiting > longest:
        return _Cut(cut.outer, cut.stop, None, cut.waiting, True)
    return cut


def _first_fault(text: Bytes, tokens: Tokens, depth: Positions, end: int) -> int | None:
    """The first token, before `end`, that shows that quotes or brackets do not match.

    A text that touches a text or word lacks a quote or has one too many, and so has a text over lines.
    """
    kind = tokens.kind[:end]
    plain, quoted = (kind == TEXT) | (kind == WORD), kind == TEXT
    pair = plain[1:] & plain[:-1] & (quoted[1:] | quoted[:-1])
    faults = [np.flatnonzero(pair)[:1] + 1]
    within = np.flatnonzero(((text == LF) | (text == CR)) & tokens.inside)[:1]
    outside = np.flatnonzero((text == BACKSLASH) & ~tokens.inside)[:1]
    faults += [np.searchsorted(tokens.at, place, side="right") - 1 for place in (within, outside)]
    if (kind == ARRAY).any() or (kind == END_ARRAY).any():
        closes = (kind == END_OBJECT) | (kind == END_ARRAY)
        inner = np.flatnonzero(depth[:end] + closes > 0)
        opened = kind[inner][containers(kind[inner], depth[inner])]
        # OBJECT + 1 is END_OBJECT, and so for arrays.
        faults.append(inner[closes[inner] & (kind[inner] != opened + 1)][:1])
    found = [int(fault[0]) for fault in faults if fault.size and fault[0] < end]
    return min(found, default=None)


@dataclass(frozen=True)
class _Outer:
    """Whole records of a stretch of text, and the commas between them."""

    text: Bytes
    tokens: Tokens
    cut: _Cut
    at: int
    line: int
    before: int
    in_array: bool

    @property
    def last(self) -> int:
        return SEPARATOR if self.tokens.kind[self.cut.outer[-1]] == COMMA else RECORD

    def block(self, newline: int) -> Callable[[], Block]:
        return partial(self._block, newline)

    def _block(self, newline: int) -> Block:
        outer, kind = self.cut.outer, self.tokens.kind[self.cut.outer]
        record = kind != COMMA
        before = np.append(self.before, np.where(record[:-1], RECORD, SEPARATOR))
        problem = np.full(outer.size, GOOD, dtype=np.uint8)
        problem[~record & (before != RECORD)] = STRAY_COMMA
        if self.in_array:
            problem[record & (before == RECORD)] = NO_COMMA
        else:
            problem[~record] = STRAY_COMMA
        hi = np.append(outer[1:], self.cut.stop)
        counted = record | (problem == STRAY_COMMA)
        start, stop = self.tokens.at[outer], self.tokens.end[hi - 1]
        newlines = np.flatnonzero(self.text == newline)
        line = self.line + np.searchsorted(newlines, start[counted])
        good = problem == GOOD
        read = counted & good
        if not read.any():
            return unread(self.text, self.at, start[counted], stop[counted], line, problem[counted])
        return Block(
            self.text,
            self.text,
            self.at,
            start[counted],
            stop[counted],
            line,
            problem[counted],
            self.tokens,
            outer[read],
            hi[read],
        )
