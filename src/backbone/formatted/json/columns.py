"""Values of a block's records as Arrow columns, which mostly point into the block's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backbone.formatted.json.escapes import without_escapes
from backbone.formatted.json.tokens import (
    TEXT,
    WORD,
    Bytes,
    Flags,
    Positions,
    Tokens,
    eight_bytes,
    low_bytes,
    padded,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

INLINE = 12
"""Bytes of a text that Arrow writes into its view."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def value_columns(
    view: Bytes, tokens: Tokens, first: Positions, last: Positions
) -> tuple[pa.Array, pa.Array]:
    """The values of one field, as text, and whether each is a number.

    A JSON text is given without its quotes and escapes, anything else as it is written. JSON's null is null.

    Parameters
    ----------
    first, last : the tokens with which each value begins and ends; negative where there is none.
    """
    absent = first < 0
    begin, until = first, last
    if absent.any():  # whatever token the others are given, they are null
        begin, until = np.maximum(first, 0), np.maximum(last, 0)
    kind = tokens.kind[begin]
    quoted = (kind == TEXT) & ~absent
    at = tokens.at[begin] + quoted
    size = tokens.end[until] - at - quoted
    sign, word = view[at], (kind == WORD) & ~absent
    null = absent | (word & (sign == ord("n")))
    size[null] = 0
    number = word & ~null & (sign != ord("t")) & (sign != ord("f"))
    valid = ~null
    views = text_views(view, at, size, 0)
    buffers = [pa.py_buffer(view)]
    escaped = np.flatnonzero(_with_escapes(tokens, begin, quoted))
    if escaped.size:
        texts = without_escapes(view, at[escaped] - 1, at[escaped] + size[escaped] + 1)
        offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32, count=escaped.size + 1).astype(np.int64)
        plain = padded(texts.buffers()[2] or b"")
        views[escaped] = text_views(plain, offsets[:-1], np.diff(offsets), 1)
        buffers.append(pa.py_buffer(plain))
    return _string_views(views, valid, buffers), pa.array(number)


def text_column(view: Bytes, at: Positions, size: Positions) -> pa.Array:
    """Stretches of text."""
    valid = np.ones(at.size, dtype=np.bool_)
    return _string_views(text_views(view, at, size, 0), valid, [pa.py_buffer(view)])


def text_views(view: Bytes, at: Positions, size: Positions, buffer: int) -> NDArray[np.uint64]:
    """Arrow's views of texts: size and bytes if these are few, else size, beginning and place."""
    eight = eight_bytes(view)
    head = eight[at] & low_bytes(size)
    tail = eight[at + 8] & low_bytes(size - 8)
    views = np.empty((at.size, 2), dtype="<u8")
    views[:, 0] = size.astype(np.uint64) | (head & _LOW) << _HALF
    place = np.uint64(buffer) | at.astype(np.uint64) << _HALF
    views[:, 1] = np.where(size <= INLINE, head >> _HALF | (tail & _LOW) << _HALF, place)
    return views


def _string_views(views: NDArray[np.uint64], valid: Flags, buffers: list[pa.Buffer]) -> pa.Array:
    mask = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.string_view(), len(views), [mask, pa.py_buffer(views), *buffers])


def _with_escapes(tokens: Tokens, begin: Positions, quoted: Flags) -> Flags:
    """Which of some tokens are texts with a backslash."""
    found = np.zeros(begin.size, dtype=np.bool_)
    if tokens.escapes.size:
        after = np.searchsorted(tokens.escapes, tokens.at[begin])
        following = np.append(tokens.escapes, np.iinfo(np.int64).max)[after]
        found = quoted & (following < tokens.end[begin])
    return found
