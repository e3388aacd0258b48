"""Why a header lacks the contract's columns: another delimiter than is said, or lines above it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backbone.contracts.column import Column
from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED, source_of, wanted_names
from backbone.formatted.csv.header import SEPARATOR
from backbone.quoting import quote_toml
from backbone.source_settings import USUAL_DELIMITERS, SourceSettings

HEAD = 1 << 16
MOST_LINES = 100


@dataclass(frozen=True)
class _Line:
    """A line of a file, by number from 1, and the delimiter with which it has most of the wanted names."""

    number: int
    text: str
    delimiter: str
    names: frozenset[str]


@contextmanager
def likely_cause_named(
    path: Path, fields: Sequence[Column], settings: SourceSettings, where: str
) -> Iterator[None]:
    """Name what is likely wrong in the refusal of a header, where another line or delimiter has the names.

    Parameters
    ----------
    path : the file, in UTF-8.
    """
    try:
        yield
    except BatchRefused as refusal:
        found = _likely_cause(path, fields, settings, source_of(where))
        if found is None:
            raise
        cause, next_step = found
        raise BatchRefused(where, f"{refusal.problem}; {cause}", UNTOUCHED, next_step) from None


def _likely_cause(
    path: Path, fields: Sequence[Column], settings: SourceSettings, source: str
) -> tuple[str, str] | None:
    """What is likely wrong, and what to do about it."""
    if settings.skip_until is not None:
        return None
    with path.open("rb") as file:
        data = file.read(HEAD).removeprefix(codecs.BOM_UTF8)
    texts = data.split(b"\n" if b"\n" in data else b"\r")[:MOST_LINES]
    wanted = wanted_names(fields, settings)
    names = [name for some in wanted for name in some]
    comment = settings.comment.encode() if settings.comment is not None else b"\n"
    lines = [
        _read(n, text, names, settings.quote)
        for n, text in enumerate(texts, 1)
        if text.strip() and not text.startswith(comment)
    ]
    below = [line for line in lines if line.number > settings.skip]
    if not below:
        return None
    stated = SEPARATOR.fullmatch(texts[below[0].number - 1].rstrip(b"\r"))
    header = below[1] if stated and len(below) > 1 else below[0]
    best = max([header, *lines], key=lambda line: len(line.names))
    if best.number == header.number:
        delimiter = settings.delimiter or (stated.group(1).decode() if stated else header.delimiter)
        if not header.names or delimiter == header.delimiter:
            return None
        says = "the settings say" if settings.delimiter else f"line {below[0].number} says"
        next_step = f"set delimiter = {quote_toml(header.delimiter)} in [sources.{source}]"
        if not settings.delimiter:
            next_step = f"have it delivered without that line, or {next_step}"
        return (
            f"{says} that {delimiter!r} is the delimiter, and the header has {header.delimiter!r}",
            next_step,
        )
    required = [{*some} for some, column in zip(wanted, fields, strict=True) if some and not column.optional]
    is_comment = header.text.startswith("#")
    if not is_comment and not (
        all(some & best.names for some in required) and len(best.names) >= min(sum(map(bool, wanted)), 2)
    ):
        return None
    return (
        f"line {header.number} seems to be {'a comment' if is_comment else 'no header'}, as line "
        f"{best.number} has the names",
        f"set skip = {best.number - 1} in [sources.{source}], or have it delivered with the header first",
    )


def _read(number: int, text: bytes, wanted: Sequence[str], quote: str) -> _Line:
    line = text.decode("utf-8", "replace").strip("\r")
    found = {
        delimiter: frozenset(wanted).intersection(
            name.strip().strip(quote or None) for name in line.split(delimiter)
        )
        for delimiter in USUAL_DELIMITERS
    }
    delimiter = max(USUAL_DELIMITERS, key=lambda sign: len(found[sign]))
    return _Line(number, line, delimiter, found[delimiter])
