"""Backslashes in JSON texts: which are wrong, and what the text means without them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from backbone.formatted.json.tokens import Bytes, Flags, Positions

_SIMPLE = np.zeros(256, dtype=np.bool_)
_SIMPLE[list(b'"\\/bfnrt')] = True
_HEX = np.full(256, 255, dtype=np.int64)
for _value, _digits in enumerate(zip(b"0123456789abcdef", b"0123456789ABCDEF", strict=True)):
    _HEX[list(_digits)] = _value


def wrong_escapes(view: Bytes, escapes: Positions) -> tuple[Flags, Flags]:
    r"""Which escapes JSON does not have, and which are half of a surrogate pair, and so no character.

    Examples
    --------
    >>> from backbone.formatted.json.tokens import padded, split_tokens
    >>> view = padded(rb'"\n \x \ud83d\ude00 \ud83d"')
    >>> wrong, half = wrong_escapes(view, split_tokens(view).escapes)
    >>> wrong.tolist(), half.tolist()
    ([False, True, False, False, False], [False, False, False, False, True])
    """
    sign = view[escapes + 1]
    coded = sign == ord("u")
    wrong = ~(_SIMPLE[sign] | coded)
    half = np.zeros(escapes.size, dtype=np.bool_)
    places = np.flatnonzero(coded)
    if not places.size:
        return wrong, half
    at = escapes[places]
    digits = [_HEX[view[np.minimum(at + shift, view.size - 1)]] for shift in range(2, 6)]
    invalid = np.logical_or.reduce([digit == 255 for digit in digits])
    code = digits[0] << 12 | digits[1] << 8 | digits[2] << 4 | digits[3]
    high = (code >> 10 == 0b110110) & ~invalid
    low = (code >> 10 == 0b110111) & ~invalid
    pair = high[:-1] & low[1:] & (np.diff(at) == 6)
    alone = high | low
    alone[:-1] &= ~pair
    alone[1:] &= ~pair
    wrong[places[invalid]] = True
    half[places[alone]] = True
    return wrong, half


def without_escapes(view: Bytes, at: Positions, end: Positions) -> pa.Array:
    r"""What some texts, given with their quotes and all well-formed, mean.

    Examples
    --------
    >>> from backbone.formatted.json.tokens import padded
    >>> without_escapes(padded(rb'"a\n" "\u00e9"'), np.array([0, 6]), np.array([5, 14])).to_pylist()
    ['a\n', 'é']
    """
    # One call of the parser for all of them: they become one JSON array.
    size = end - at
    places = np.cumsum(size + 1)
    joined = np.empty(int(places[-1]) + 1, dtype=np.uint8)
    joined[0], joined[places] = ord("["), ord(",")
    joined[-1] = ord("]")
    inner = np.ones(joined.size, dtype=np.bool_)
    inner[0], inner[places] = False, False
    source = np.arange(int(size.sum())) + np.repeat(at - (np.cumsum(size) - size), size)
    joined[inner] = view[source]
    return pa.array(json.loads(joined.tobytes()), pa.string())
