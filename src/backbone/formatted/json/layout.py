"""How a JSON file is laid out: one object per line, an array, or objects over several lines.

The first line that is not blank decides. A file that begins with `[` is an array, unless its first line is
a whole array with more lines behind it: such a line is one of JSON lines, and no object. A file that begins
with an object over several lines is a sequence of objects; a first object that is not valid, or goes on
behind its closing bracket, makes it JSON lines.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from backbone.formatted.json.grammar import CHANGE
from backbone.formatted.json.tokens import BLANKS, CR, LF, padded, split_tokens

LINES, ARRAY, OBJECTS = "line", "element", "record"
"""Layouts, each called by what a record of it is."""

HEAD = 1 << 16


@dataclass(frozen=True)
class Layout:
    """How a file is laid out.

    Parameters
    ----------
    kind : one of the layouts above.
    at, line : where the records begin: byte and physical line, from 1; of an array behind its `[`.
    newline : the byte that ends lines: a line feed; a carriage return in a file without line feeds.
    """

    kind: str
    at: int
    line: int
    newline: int


def layout_of(path: Path, longest: int) -> Layout:
    """The layout of a file, which is UTF-8 with or without a byte order mark.

    Parameters
    ----------
    longest : bytes of the longest record; no more are looked at.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> for text in ('{"a": 1}', '[{"a": 1}]', '{\\n"a": 1}', '[1, 2]\\n{"a": 1}'):
    ...     _ = path.write_text(text)
    ...     print(layout_of(path, 1_000_000).kind)
    line
    element
    record
    line
    """
    with path.open("rb") as file:
        data = file.read(min(HEAD, longest + 2))
        if not _first_line(data)[1]:
            data += file.read(max(longest + 2 - len(data), 0))
        start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
        newline = LF if b"\n" in data or b"\r" not in data else CR
        text = data[start:]
        begin = start + len(text) - len(text.lstrip(BLANKS))
        line = 1 + data.count(newline, 0, begin)
        stop = data.find(newline, begin)
        first = data[begin : stop if stop >= 0 else len(data)]
        if first.startswith(b"["):
            if stop >= 0 and _is_closed(first) and _goes_on(data[stop:], file):
                return Layout(LINES, start, 1, newline)
            return Layout(ARRAY, begin + 1, line, newline)
        if first.startswith(b"{") and stop >= 0 and not _is_closed(first):
            data += file.read(max(longest + 2 - len(data), 0))
            if _is_object_alone(data[begin:], newline):
                return Layout(OBJECTS, begin, line, newline)
    return Layout(LINES, start, 1, newline)


def _first_line(data: bytes) -> tuple[bytes, bool]:
    """The first line that is not blank, and whether it has an end."""
    text = data.removeprefix(codecs.BOM_UTF8).lstrip(BLANKS)
    line, ending, _ = text.partition(b"\n")
    return line, bool(ending)


def _is_closed(line: bytes) -> bool:
    """Whether a line that begins with a bracket is one object or array by its brackets."""
    tokens = split_tokens(padded(line))
    depth = np.cumsum(CHANGE[tokens.kind])
    return tokens.closed and bool(depth[-1] == 0) and bool((depth[:-1] > 0).all())


def _goes_on(rest: bytes, file: BinaryIO) -> bool:
    """Whether a text that is not blank follows."""
    while rest:
        if rest.strip(BLANKS):
            return True
        rest = file.read(1 << 20)
    return False


def _is_object_alone(data: bytes, newline: int) -> bool:
    """Whether data begin with a valid object over several lines, with nothing behind it on its last line."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    text = data.decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder(parse_constant=refuse, parse_int=str, parse_float=str).raw_decode(text)
    except (ValueError, RecursionError):
        return False
    rest = text[end:].partition(chr(newline))[0]
    return chr(newline) in text[:end] and not rest.strip(" \t\r\n")
