r"""Lines of a CSV file that are no records and are meant to be none: comments, footers, empty records.

They are recognised where a record could begin, never inside a quoted text. A line whose quotes are not closed
is not passed over: it may be a piece of a text.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path

from backbone.source_settings import SourceSettings

COMMENT, FOOTER, EMPTY = "comment", "footer", "empty record"
BEFORE_HEADER = "line before the header"

Beginnings = tuple[tuple[str, bytes], ...]
"""Kinds of lines, each with the regular expression of how they begin."""


def beginnings_of(settings: SourceSettings, delimiter: str) -> Beginnings:
    """How lines begin that the settings say are no records.

    Examples
    --------
    >>> beginnings_of(SourceSettings(comment="//", footer=["Total", "Sum"]), ",")
    (('comment', b'(?://)'), ('footer', b'(?:Total|Sum)'))
    """
    found = []
    if settings.comment is not None:
        found.append((COMMENT, _any_of([settings.comment])))
    if settings.footer:
        found.append((FOOTER, _any_of(settings.footer)))
    if settings.skip_empty_records:
        comma = re.escape(delimiter.encode())
        found.append((EMPTY, rb"(?: *+" + comma + rb")++ *+(?:[\r\n]|\Z)"))
    return tuple(found)


def has_such_line(path: Path, body: int, beginnings: Beginnings) -> bool:
    """Whether a line from an offset on begins so, in quotes or not."""
    if not beginnings or body >= path.stat().st_size:
        return False
    some = rb"(?:" + b"|".join(beginning for _, beginning in beginnings) + rb")"
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if re.compile(some).match(data, body):
            return True
        return re.compile(rb"[\r\n]" + some).search(data, body) is not None


def _any_of(texts: Sequence[str]) -> bytes:
    return rb"(?:" + b"|".join(re.escape(text.encode()) for text in texts) + rb")"
