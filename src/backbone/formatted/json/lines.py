"""The records of JSON lines: each line that is not blank is one, whatever stands in the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from backbone.formatted.json.blocks import Block, Extent, Place, one_unread, read_utf8, unread
from backbone.formatted.json.problems import GOOD, NO_OBJECT, SHOWN, TOO_LONG
from backbone.formatted.json.tokens import BLANKS, CR, LF, SPACE, TAB, Bytes, Positions, padded, split_tokens


@dataclass
class Unreadable:
    """The problems of lines that are not to be read: of the first that is not blank, and of the others."""

    first: int
    others: int

    def next(self, data: bytes) -> Unreadable:
        """The problems of some lines."""
        found = Unreadable(self.first, self.others)
        if data.strip(BLANKS):
            self.first = self.others
        return found


def line_blocks(
    path: Path, place: Place, extent: Extent, unreadable: Unreadable | None = None
) -> Iterator[Callable[[], Block]]:
    """The lines of a file from a place on, as blocks yet to be made."""
    ending = bytes([extent.newline])
    rest, at, line = b"", place.at, place.line
    long: _LongLine | None = None
    for data in read_utf8(path, place.at, extent.chunk):
        if long is not None:
            cut = data.find(ending)
            long.add(data if cut < 0 else data[:cut])
            if cut < 0:
                continue
            yield from long.block(unreadable)
            at, line, data = long.stop + 1, line + 1, data[cut + 1 :]
            long = None
        data = rest + data
        cut = data.rfind(ending) + 1
        if cut:
            yield _whole_lines(data[:cut], Place(at, line), extent, unreadable)
            line, at = line + data.count(ending, 0, cut), at + cut
        rest = data[cut:]
        if len(rest) > extent.longest + 1:  # it may end in a carriage return
            long, rest = _LongLine(Place(at, line), at, rest[: 2 * SHOWN]), b""
            long.add(data[cut:])
    if long is not None:
        yield from long.block(unreadable)
    elif rest:
        yield _whole_lines(rest, Place(at, line), extent, unreadable)


@dataclass
class _LongLine:
    """A line that is too long to be read."""

    place: Place
    stop: int
    beginning: bytes
    blank: bool = True
    returns: bool = False  # whether it ends in a carriage return

    def add(self, data: bytes) -> None:
        self.stop += len(data)
        self.returns = data.endswith(b"\r") if data else self.returns
        self.blank = self.blank and not data.strip(BLANKS)

    def block(self, unreadable: Unreadable | None) -> Iterator[Callable[[], Block]]:
        if self.blank:
            return
        problem = TOO_LONG
        if unreadable is not None:
            problem, unreadable.first = unreadable.first, unreadable.others
        yield partial(one_unread, self.beginning, self.place, self.stop - self.returns, problem)


def _whole_lines(
    data: bytes, place: Place, extent: Extent, unreadable: Unreadable | None
) -> Callable[[], Block]:
    if unreadable is not None:
        return partial(_unreadable_lines, data, place, extent.newline, unreadable.next(data))
    return partial(_lines, data, place, extent)


def _lines(data: bytes, place: Place, extent: Extent) -> Block:
    text = padded(data)
    starts, ends = _edges(text, len(data), extent.newline)
    view, tokens = text, split_tokens(text)
    state = tokens.inside[ends]
    if not state.any():
        odd = state
        record = None
    else:  # an odd number of quotes must not change what is read behind the line
        odd = state != np.append(False, state[:-1])
        record = _not_blank(text, starts, ends)
        view = text.copy()
        view[: len(data)][np.repeat(odd, np.diff(starts, append=len(data)))] = SPACE
        tokens = split_tokens(view)
    edges = np.searchsorted(tokens.at, np.append(starts, len(data)))
    if record is None:
        record = np.flatnonzero(np.diff(edges))
    start, stop = starts[record], _without_return(text, starts, ends)[record]
    problem = np.full(record.size, GOOD, dtype=np.uint8)
    problem[odd[record]] = NO_OBJECT
    problem[stop - start > extent.longest] = TOO_LONG
    read = record[problem == GOOD]
    lo, hi = edges[read], edges[read + 1]
    return Block(view, text, place.at, start, stop, place.line + record, problem, tokens, lo, hi)


def _unreadable_lines(data: bytes, place: Place, newline: int, problems: Unreadable) -> Block:
    text = padded(data)
    starts, ends = _edges(text, len(data), newline)
    record = _not_blank(text, starts, ends)
    problem = np.full(record.size, problems.others, dtype=np.uint8)
    problem[:1] = problems.first
    stop = _without_return(text, starts, ends)[record]
    return unread(text, place.at, starts[record], stop, place.line + record, problem)


def _edges(text: Bytes, size: int, newline: int) -> tuple[Positions, Positions]:
    """Where lines begin, and where they end before their newline."""
    ends = np.flatnonzero(text[:size] == newline)
    starts = np.append(0, ends + 1)
    if starts[-1] == size:
        return starts[:-1], ends
    return starts, np.append(ends, size)


def _without_return(text: Bytes, starts: Positions, ends: Positions) -> Positions:
    """Where lines end before a carriage return that belongs to their newline."""
    stops: Positions = ends - ((text[ends - 1] == CR) & (ends > starts))
    return stops


def _not_blank(text: Bytes, starts: Positions, ends: Positions) -> Positions:
    """Numbers, from 0, of the lines that are not blank."""
    signs = np.flatnonzero(~((text == SPACE) | (text == LF) | (text == CR) | (text == TAB)))
    return np.flatnonzero(np.searchsorted(signs, ends) > np.searchsorted(signs, starts))
