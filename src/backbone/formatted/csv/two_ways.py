r"""Records of several lines that can be read in two ways if the file is damaged.

A quote shows what it is by what stands beside it. In `,"tea` it can only begin a text, in `tea",` only end
one. With a delimiter or a line end on both sides it shows nothing: it may begin, end or be a text.

A record of several lines can be read in two ways when none of its quotes shows anything, and one of its later
lines has all the delimiters of a record: that line may be a record. If all else in the file is right, quotes
are taken for quotes. If a line is broken, the writer may have left out quotes, and these may be texts.
"""

from __future__ import annotations

import numpy as np

from backbone.formatted.csv.grammar import CR, LF, Grammar
from backbone.formatted.csv.lines import Positions
from backbone.formatted.csv.records import Chunk, Ends


def readable_in_two_ways(chunk: Chunk, found: Ends, grammar: Grammar) -> list[int]:
    r"""Where such records begin, as offsets in the file.

    Parameters
    ----------
    chunk : whole records.
    found : where its lines and its records end.
    grammar : how they are written.

    Examples
    --------
    >>> from backbone.formatted.csv.records import record_ends
    >>> def places(data: bytes) -> list[int]:
    ...     data = b"\n\n" + data
    ...     chunk = Chunk(bytearray(data), np.frombuffer(data, dtype=np.uint8), len(data) - 2, 0)
    ...     grammar = Grammar(columns=2)
    ...     return readable_in_two_ways(chunk, record_ends(chunk, grammar, 0), grammar)
    >>> places(b'1,x\n2,",\n3,y\n4,"\n')
    [4]
    >>> places(b'1,x\n2,"tea,\n3,y\n4,"\n'), places(b'1,x\n2,"\ntea\n"\n')
    ([], [])
    """
    view = chunk.view
    alone = view == CR  # within a record it may stand for a line end, whatever the others are
    alone[:-1] &= view[1:] != LF
    if grammar.quote is None or (found.every.size == found.ends.size and not alone.any()):
        return []
    quotes = np.flatnonzero(view == grammar.quote_byte)
    nothing = np.zeros(256, dtype=np.bool_)
    nothing[[ord(grammar.delimiter), CR, LF, grammar.quote_byte]] = True
    after = view[np.minimum(quotes + 1, view.size - 1)]  # a quote that ends the file is beside itself
    shows = ~(nothing[view[quotes - 1]] & nothing[after])
    if shows.all():
        return []
    starts = np.concatenate(([2], found.ends + 1))
    stops = np.concatenate((found.ends + 1, [view.size]))
    lines = np.union1d(found.every, np.flatnonzero(alone))
    several = _between(lines, starts, stops - 1) > 0
    starts, stops = starts[several], stops[several]
    unclear = (_between(quotes, starts, stops) > 0) & (_between(quotes[shows], starts, stops) == 0)
    chosen = []
    for start, stop in zip(starts[unclear].tolist(), stops[unclear].tolist(), strict=True):
        later = chunk.data[start:stop].splitlines()[1:]
        if any(line.count(grammar.delimiter.encode()) >= grammar.columns - 1 for line in later):
            chosen.append(chunk.offset + start - 2)
    return chosen


def _between(places: Positions, starts: Positions, stops: Positions) -> Positions:
    """How many places lie in each stretch."""
    counts: Positions = np.searchsorted(places, stops) - np.searchsorted(places, starts)
    return counts
