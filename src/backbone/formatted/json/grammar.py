"""Check that each record of a block is exactly one JSON object, and find its keys.

A record that passes is valid by RFC 8259: no comma too many, no NaN, no control character in a text, no
half surrogate pair, no bracket that closes another. Keys are compared in `json_keys.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backbone.formatted.json.escapes import wrong_escapes
from backbone.formatted.json.problems import (
    CONTROL,
    DEEPEST,
    ESCAPE,
    GOOD,
    HALF_PAIR,
    NO_OBJECT,
    NO_WORD,
    ORDER,
    TOO_DEEP,
)
from backbone.formatted.json.tokens import (
    ARRAY,
    COLON,
    COMMA,
    END_ARRAY,
    END_OBJECT,
    OBJECT,
    TEXT,
    WORD,
    Bytes,
    Flags,
    Positions,
    Tokens,
)
from backbone.formatted.json.words import are_words

# Roles of tokens: their kinds, but that a comma may part elements and a text may be a key.
KEY, VALUE, COMMA_OF_ARRAY = TEXT, WORD, 9
_FOLLOW = np.zeros((16, 16), dtype=np.bool_)
_AFTER_VALUE = (COMMA, COMMA_OF_ARRAY, END_OBJECT, END_ARRAY)
for _role, _next in {
    OBJECT: (KEY, END_OBJECT),
    ARRAY: (VALUE, OBJECT, ARRAY, END_ARRAY),
    COLON: (VALUE, OBJECT, ARRAY),
    COMMA: (KEY,),
    COMMA_OF_ARRAY: (VALUE, OBJECT, ARRAY),
    KEY: (COLON,),
    VALUE: _AFTER_VALUE,
    END_OBJECT: _AFTER_VALUE,
    END_ARRAY: _AFTER_VALUE,
}.items():
    _FOLLOW[_role, _next] = True
_FOLLOWS = _FOLLOW.ravel()
CHANGE = np.zeros(16, dtype=np.int64)
CHANGE[[OBJECT, ARRAY]], CHANGE[[END_OBJECT, END_ARRAY]] = 1, -1


@dataclass(frozen=True)
class Objects:
    """The records of a block with their tokens, of those only that may be objects.

    Parameters
    ----------
    tokens : the tokens of the records that are left, without gaps between them.
    role : of each token, what it is to the grammar.
    record : numbers of the records that are left.
    lo, hi : where their tokens begin and end.
    container : of each token, the one that opened its object or array; None where no record has more than
        the one object.
    problem : of every record of the block, its problem, or 0.
    """

    tokens: Tokens
    role: Bytes
    record: Positions
    lo: Positions
    hi: Positions
    container: Positions | None
    problem: Bytes


def read_objects(view: Bytes, tokens: Tokens, lo: Positions, hi: Positions) -> Objects:
    """Check the records whose tokens are `lo` to `hi`; no token lies between two of them, but separators."""
    problem = np.zeros(lo.size, dtype=np.uint8)
    record = np.arange(lo.size)
    flat = _are_flat(tokens, lo, hi)
    depth = None
    if not flat:
        change = CHANGE[tokens.kind]
        depth = np.cumsum(change, dtype=np.int64)
        bad = _unbalanced(tokens, depth, change, lo, hi, problem)
        record = np.flatnonzero(~bad)
    if record.size < lo.size or int((hi - lo).sum()) < tokens.at.size:
        chosen = _ranges(tokens.at.size, lo[record], hi[record])
        count = (hi - lo)[record]
        tokens, depth = tokens.part(chosen), None if depth is None else depth[chosen]
        hi = np.cumsum(count)
        lo = hi - count
    if not record.size:
        return Objects(tokens, tokens.kind, record, lo, hi, None, problem)

    container = None
    of_array: Flags | None = None
    wrong: list[tuple[int, Positions]] = []
    if depth is not None:
        depth -= np.repeat(depth[lo] - 1, hi - lo)
        container = containers(tokens.kind, depth)
        of_array = tokens.kind[container] == ARRAY
        closes = (tokens.kind == END_OBJECT) | (tokens.kind == END_ARRAY)
        wrong.append((NO_OBJECT, np.flatnonzero(closes & ((tokens.kind == END_ARRAY) != of_array))))
    role = _roles(tokens.kind, of_array)
    pair = role[:-1] << 4 | role[1:]
    follows = _FOLLOWS[pair]
    follows[lo[1:] - 1] = True  # from one record to the next
    wrong.append((ORDER, np.flatnonzero(~follows) + 1))
    words = np.flatnonzero(tokens.kind == WORD)
    wrong.append((NO_WORD, words[~are_words(view, tokens.at[words], tokens.end[words])]))
    for kind, places in (*wrong, *_bad_texts(view, tokens)):
        if places.size:
            found = record[np.searchsorted(lo, places, side="right") - 1]
            problem[found] = np.where(problem[found] == GOOD, kind, np.minimum(problem[found], kind))
    return Objects(tokens, role, record, lo, hi, container, problem)


def _are_flat(tokens: Tokens, lo: Positions, hi: Positions) -> bool:
    """Whether every record begins and ends as an object does, and no other bracket is there."""
    brackets = int(np.count_nonzero(tokens.kind <= END_ARRAY))
    first, last = tokens.kind[lo], tokens.kind[hi - 1]
    return brackets == 2 * lo.size and bool((first == OBJECT).all()) and bool((last == END_OBJECT).all())


def _unbalanced(
    tokens: Tokens, depth: Positions, change: Positions, lo: Positions, hi: Positions, problem: Bytes
) -> Flags:
    """Which records are not one object by their brackets alone, or are too deep."""
    if not lo.size:
        return np.zeros(0, dtype=np.bool_)
    base = depth[lo] - change[lo]
    within = _ranges(depth.size, lo, hi)
    height = np.zeros(depth.size, dtype=np.int64)
    height[within] = depth[within] - np.repeat(base, hi - lo)
    # Between records lie separators only, whose height is 0 as that of a closed record is.
    closed = np.add.reduceat((within & (height <= 0)).astype(np.int64), lo)
    no_object = (tokens.kind[lo] != OBJECT) | (height[hi - 1] != 0) | (closed != 1)
    too_deep = np.maximum.reduceat(height, lo) > DEEPEST
    problem[too_deep] = TOO_DEEP
    problem[no_object] = NO_OBJECT
    bad: Flags = no_object | too_deep
    return bad


def containers(kind: Bytes, depth: Positions) -> Positions:
    """The token that opened the object or array of each token, which is itself for an opening bracket."""
    closes = (kind == END_OBJECT) | (kind == END_ARRAY)
    level = depth + closes
    level = level.astype(
        np.int16 if int(level.max(initial=0)) < 1 << 15 else np.int64
    )  # few are sorted faster
    order = np.argsort(level, kind="stable")
    opens = ((kind == OBJECT) | (kind == ARRAY))[order]
    last = np.maximum.accumulate(np.where(opens, np.arange(order.size), 0))
    container = np.empty(order.size, dtype=np.int64)
    container[order] = order[last]
    return container


def _roles(kind: Bytes, of_array: Flags | None) -> Bytes:
    role = kind.copy()
    text = kind == TEXT
    value = np.zeros(kind.size, dtype=np.bool_)
    value[1:] = text[1:] & (kind[:-1] == COLON)
    if of_array is not None:
        value |= text & of_array
        role[(kind == COMMA) & of_array] = COMMA_OF_ARRAY
    role[value] = VALUE
    return role


def _bad_texts(view: Bytes, tokens: Tokens) -> list[tuple[int, Positions]]:
    """Problems of what stands in texts, and the tokens they are in."""
    found: list[tuple[int, Positions]] = [(CONTROL, np.flatnonzero((view < 32) & tokens.inside))]
    if tokens.escapes.size:
        wrong, half = wrong_escapes(view, tokens.escapes)
        found += [(ESCAPE, tokens.escapes[wrong]), (HALF_PAIR, tokens.escapes[half])]
    return [(kind, _tokens_at(tokens, places)) for kind, places in found if places.size]


def _tokens_at(tokens: Tokens, places: Positions) -> Positions:
    """The tokens that some bytes lie in, of those bytes that lie in one."""
    token = np.searchsorted(tokens.at, places, side="right") - 1
    return token[(token >= 0) & (places < tokens.end[token])]


def _ranges(size: int, lo: Positions, hi: Positions) -> Flags:
    """Flags of the given size, set from each `lo` to its `hi`."""
    edge = np.zeros(size + 1, dtype=np.int8)
    np.add.at(edge, lo, 1)
    np.add.at(edge, hi, -1)
    return np.cumsum(edge[:-1], dtype=np.int8).astype(np.bool_)
