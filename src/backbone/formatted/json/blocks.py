"""Some records of a JSON file in memory: their bytes, and where each record begins and ends."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backbone.formatted.json.tokens import Bytes, Positions, Tokens, padded


class NotUtf8(Exception):
    """A file has bytes that are not UTF-8."""


@dataclass(frozen=True)
class Place:
    """A byte of a file, and the physical line it is on, from 1."""

    at: int
    line: int


@dataclass(frozen=True)
class Extent:
    """How much is read, and to where.

    Parameters
    ----------
    newline : the byte that ends lines.
    chunk : bytes in memory at a time, unless a record is longer.
    longest : bytes of the longest record.
    """

    newline: int
    chunk: int
    longest: int


@dataclass(frozen=True)
class Block:
    """Some records in a row.

    Parameters
    ----------
    view : bytes of the file, `padded`; those that tokens are of may differ from the file in records that
        have a problem already.
    text : the bytes as they are in the file.
    offset : of the first byte in the file.
    start, stop : where each record is in the view.
    line : the physical line on which it begins, from 1.
    problem : of records that are not to be read further; 0 of the others.
    tokens : of the view.
    lo, hi : where the tokens of the records without a problem begin and end.
    """

    view: Bytes
    text: Bytes
    offset: int
    start: Positions
    stop: Positions
    line: Positions
    problem: Bytes
    tokens: Tokens | None
    lo: Positions
    hi: Positions


def unread(
    text: Bytes, offset: int, start: Positions, stop: Positions, line: Positions, problem: Bytes
) -> Block:
    """Records of which all have a problem."""
    none = np.empty(0, dtype=np.int64)
    return Block(text, text, offset, start, stop, line, problem, None, none, none)


def one_unread(text: bytes, place: Place, stop: int, problem: int) -> Block:
    """One record with a problem, of which the beginning at least is given."""
    start, stops, line = (np.array([number], dtype=np.int64) for number in (0, stop - place.at, place.line))
    return unread(padded(text), place.at, start, stops, line, np.array([problem], dtype=np.uint8))


def read_utf8(path: Path, at: int, chunk: int) -> Iterator[bytes]:
    """The bytes of a file from a place on, where a character begins.

    Raises
    ------
    NotUtf8
        When they are in another encoding.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        file.seek(at)
        while data := file.read(chunk):
            _check(decoder, data)
            yield data
    _check(decoder, b"")


def _check(decoder: codecs.IncrementalDecoder, data: bytes) -> None:
    if data and data.isascii() and decoder.getstate() == (b"", 0):
        return
    try:
        decoder.decode(data, final=not data)
    except UnicodeDecodeError as error:
        raise NotUtf8 from error
