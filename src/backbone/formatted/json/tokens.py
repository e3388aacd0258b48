"""Split JSON text into tokens: brackets, colons, commas, texts in quotes, and words (numbers, true, null).

It works on whole arrays of bytes, and knows no grammar: `json_grammar.py` checks that tokens make objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Positions = NDArray[np.int64]
Words = NDArray[np.uint64]

OBJECT, END_OBJECT, ARRAY, END_ARRAY, COLON, COMMA, TEXT, WORD = range(1, 9)
"""Kinds of tokens."""

QUOTE, BACKSLASH, LF, CR, SPACE, TAB = 34, 92, 10, 13, 32, 9
BLANKS = b" \t\r\n"
EIGHT_ONES = np.uint64(0x0101010101010101)

_KINDS = np.full(256, WORD, dtype=np.uint8)
for _sign, _kind in zip(b'{}[]:,"', (OBJECT, END_OBJECT, ARRAY, END_ARRAY, COLON, COMMA, TEXT), strict=True):
    _KINDS[_sign] = _kind


@dataclass(frozen=True)
class Tokens:
    """The tokens of some text, in order.

    Parameters
    ----------
    at, end : where a token begins, and the place behind its last byte; of a text with its quotes.
    kind : one of the kinds above.
    inside : of each byte, whether it belongs to a text (its opening quote does, its closing quote does not).
    escapes : where the backslashes are that escape the byte behind them.
    closed : whether the last text has its closing quote.
    """

    at: Positions
    end: Positions
    kind: Bytes
    inside: Flags
    escapes: Positions
    closed: bool

    def part(self, chosen: Flags) -> Tokens:
        """Some of the tokens."""
        return Tokens(
            self.at[chosen], self.end[chosen], self.kind[chosen], self.inside, self.escapes, self.closed
        )


def padded(data: bytes | bytearray | memoryview) -> Bytes:
    """A copy of some bytes that ends in at least 16 spaces, its length a multiple of 8."""
    size = len(data)
    view = np.empty((size + 23) // 8 * 8, dtype=np.uint8)
    view[:size] = np.frombuffer(data, dtype=np.uint8)
    view[size:] = SPACE
    return view


def split_tokens(view: Bytes) -> Tokens:
    """The tokens of a text as `padded` returns it, that does not begin within quotes.

    Examples
    --------
    >>> tokens = split_tokens(padded(b'{"a": 12}'))
    >>> tokens.at.tolist(), tokens.end.tolist()
    ([0, 1, 4, 6, 8], [1, 4, 5, 8, 9])
    """
    quote = view == QUOTE
    escapes = _escapes(view)
    quote[escapes + 1] = False
    inside = _odd_until(quote)
    outside = ~(inside | quote)
    lower = view | 32  # of [ and ], which become { and }
    mark = (lower == 0x7B) | (lower == 0x7D) | (view == 0x3A) | (view == 0x2C)
    blank = (view == SPACE) | (view == LF) | (view == CR) | (view == TAB)
    word = outside & ~(mark | blank)
    begins = word.copy()
    begins[1:] &= ~word[:-1]
    at = np.flatnonzero((mark & outside) | begins | (quote & inside))
    kind = np.take(_KINDS, view[at])
    end = at + 1
    texts = np.flatnonzero(kind == TEXT)
    closing = np.flatnonzero(quote & ~inside) + 1
    closed = closing.size == texts.size
    end[texts] = closing if closed else np.append(closing, view.size)
    end[kind == WORD] = np.flatnonzero(word[:-1] & ~word[1:]) + 1
    return Tokens(at, end, kind, inside, escapes, closed)


def eight_bytes(view: Bytes) -> Words:
    """At each place, it and the seven bytes behind it as one number, its lowest byte first."""
    return np.ndarray((view.size - 7,), dtype="<u8", buffer=view, strides=(1,))


def low_bytes(count: Positions) -> Words:
    """A mask of the first so many bytes of eight; of all where it is 8 or more, none where 0 or less."""
    return np.take(_MASKS, count, mode="clip")


_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)


def _odd_until(flag: Flags) -> Flags:
    """Whether an odd number of flags is set up to and at each place; the length is a multiple of 8."""
    eight = flag.view("<u8")
    sums = eight * EIGHT_ONES  # byte k holds the sum of the bytes up to k
    totals = sums >> np.uint64(56)
    before = (np.cumsum(totals) - totals) & np.uint64(1)
    odd: Flags = ((sums + before * EIGHT_ONES) & EIGHT_ONES).astype("<u8", copy=False).view(np.bool_)
    return odd


def _escapes(view: Bytes) -> Positions:
    """The backslashes that escape the byte behind them: every other one of those in a row."""
    found = np.flatnonzero(view == BACKSLASH)
    if not found.size:
        return found
    first = np.ones(found.size, dtype=np.bool_)
    first[1:] = np.diff(found) != 1
    start = np.maximum.accumulate(np.where(first, found, 0))
    escapes: Positions = found[(found - start) & 1 == 0]
    return escapes
