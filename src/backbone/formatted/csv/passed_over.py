r"""Lines of a CSV file that are no records and are meant to be none: comments, footers, empty records.

They are recognised where a record could begin, never inside a quoted text. A line whose quotes are not closed
is not passed over: it may be a piece of a text.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backbone.source_settings import SourceSettings

COMMENT, FOOTER, EMPTY = "comment", "footer", "empty record"
BEFORE_HEADER = "line before the header"


@dataclass(frozen=True)
class Beginning:
    """How a kind of lines begins: a regular expression, and the bytes that may come first."""

    kind: str
    pattern: bytes
    firsts: bytes


def beginnings_of(settings: SourceSettings, delimiter: str, line_end: int = 10) -> tuple[Beginning, ...]:
    """How lines begin that the settings say are no records.

    Parameters
    ----------
    line_end : the last byte of every line, LF (10) or CR (13).

    Examples
    --------
    >>> for beginning in beginnings_of(SourceSettings(comment="//", footer=["Total", "Sum"]), ","):
    ...     print(beginning.kind, beginning.pattern, beginning.firsts)
    comment b'(?://)' b'/'
    footer b'(?:Total|Sum)' b'TS'
    """
    found = []
    if settings.comment is not None:
        found.append(_texts(COMMENT, [settings.comment]))
    if settings.footer:
        found.append(_texts(FOOTER, settings.footer))
    if settings.skip_empty_records:
        comma = re.escape(delimiter.encode())
        end = rb"(?:\r?\n|\r?\Z)" if line_end == 10 else rb"(?:\r|\Z)"
        pattern = rb"(?: *+" + comma + rb")++ *+" + end
        found.append(Beginning(EMPTY, pattern, b" " + delimiter.encode()))
    return tuple(found)


def has_such_line(path: Path, body: int, eol: bytes, beginnings: Sequence[Beginning]) -> bool:
    """Whether a line from an offset on begins so, in quotes or not; `eol` ends the lines."""
    if not beginnings or body >= path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(
            re.compile(beginning.pattern).match(data, body) or _is_there(data, body, eol, beginning)
            for beginning in beginnings
        )


def _is_there(data: mmap.mmap, body: int, eol: bytes, beginning: Beginning) -> bool:
    """Whether a line end is followed by a beginning; to look for its first byte costs next to nothing."""
    pattern = re.compile(beginning.pattern)
    for sign in (eol + bytes([first]) for first in beginning.firsts):
        place = data.find(sign, body)
        while place >= 0:
            if pattern.match(data, place + 1):
                return True
            place = data.find(sign, place + 1)
    return False


def _texts(kind: str, texts: Sequence[str]) -> Beginning:
    pattern = rb"(?:" + b"|".join(re.escape(text.encode()) for text in texts) + rb")"
    return Beginning(kind, pattern, bytes(dict.fromkeys(text.encode()[0] for text in texts)))
