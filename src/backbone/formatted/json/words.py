"""Which words of a JSON text are numbers, true, false or null, as the grammar of JSON spells them."""

from __future__ import annotations

import re

import numpy as np

from backbone.formatted.json.tokens import Bytes, Flags, Positions, eight_bytes, low_bytes

LONGEST = 40
"""Bytes of the longest word that is checked beside others; longer ones are looked at singly."""

_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NAMES = {name: int.from_bytes(name, "little") for name in (b"true", b"false", b"null")}

# Signs, and for each state of a number what follows on which sign. State 0 is no number.
_ZERO, _DIGIT, _MINUS, _PLUS, _POINT, _EXPONENT, _OTHER, _END = range(8)
_SIGNS = np.full(256, _OTHER, dtype=np.uint8)
for _signs, _sign in (
    (b"0", _ZERO), (b"123456789", _DIGIT), (b"-", _MINUS), (b"+", _PLUS), (b".", _POINT), (b"eE", _EXPONENT)
):  # fmt: skip
    for _byte in _signs:
        _SIGNS[_byte] = _sign
_START, _AFTER_MINUS, _LONE_ZERO, _WHOLE, _AFTER_POINT, _FRACTION, _AFTER_E, _AFTER_SIGN, _POWER = range(
    1, 10
)
_GOOD = (_LONE_ZERO, _WHOLE, _FRACTION, _POWER)
_NEXT = np.zeros((10, 8), dtype=np.uint8)
for _state, _moves in {
    _START: {_ZERO: _LONE_ZERO, _DIGIT: _WHOLE, _MINUS: _AFTER_MINUS},
    _AFTER_MINUS: {_ZERO: _LONE_ZERO, _DIGIT: _WHOLE},
    _LONE_ZERO: {_POINT: _AFTER_POINT, _EXPONENT: _AFTER_E},
    _WHOLE: {_ZERO: _WHOLE, _DIGIT: _WHOLE, _POINT: _AFTER_POINT, _EXPONENT: _AFTER_E},
    _AFTER_POINT: {_ZERO: _FRACTION, _DIGIT: _FRACTION},
    _FRACTION: {_ZERO: _FRACTION, _DIGIT: _FRACTION, _EXPONENT: _AFTER_E},
    _AFTER_E: {_ZERO: _POWER, _DIGIT: _POWER, _MINUS: _AFTER_SIGN, _PLUS: _AFTER_SIGN},
    _AFTER_SIGN: {_ZERO: _POWER, _DIGIT: _POWER},
    _POWER: {_ZERO: _POWER, _DIGIT: _POWER},
}.items():
    for _sign, _follows in _moves.items():
        _NEXT[_state, _sign] = _follows
for _state in _GOOD:
    _NEXT[_state, _END] = _state
_FLAT = _NEXT.ravel()


def are_words(view: Bytes, at: Positions, end: Positions) -> Flags:
    """Whether each word is a JSON number, true, false or null.

    Examples
    --------
    >>> from backbone.formatted.json.tokens import padded
    >>> view = padded(b"-1.50 01 NaN null")
    >>> are_words(view, np.array([0, 6, 9, 13]), np.array([5, 8, 12, 17])).tolist()
    [True, False, False, True]
    """
    size = end - at
    first = eight_bytes(view)[at] & low_bytes(size)
    good = np.zeros(at.size, dtype=np.bool_)
    for name, number in _NAMES.items():
        good |= (first == np.uint64(number)) & (size == len(name))
    left = np.flatnonzero(~good)
    good[left] = _are_numbers(view, at[left], size[left])
    return good


def _are_numbers(view: Bytes, at: Positions, size: Positions) -> Flags:
    state = np.full(at.size, _START, dtype=np.uint8)
    for place in range(int(size.max(initial=0)) + 1 if size.size else 0):
        if place > LONGEST:
            break
        sign = _SIGNS[view[at + np.minimum(place, size)]]
        sign[size <= place] = _END
        state = _FLAT[state * np.uint8(8) + sign]
    good = np.isin(state, _GOOD)
    for number in np.flatnonzero(size > LONGEST).tolist():
        start = int(at[number])
        good[number] = _NUMBER.fullmatch(view[start : start + int(size[number])].tobytes()) is not None
    return good
