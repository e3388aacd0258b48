"""A raw file as DuckDB is to read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MAX_RECORD = 2_000_000
"""Bytes of the longest record of a CSV file; DuckDB's own default (`max_line_size`)."""

TEXT = "_backbone_text"
"""A column that a reader adds to a file's own; a name that no file has."""


@dataclass(frozen=True)
class RawFile:
    r"""A file as it landed, ready to be read: plain (not compressed), and UTF-8 where it is text.

    `columns` are the names of the file's columns, in its order; of CSV only their number counts. `skip` is
    the number of lines before the first record, `newline` how lines end, in the spelling `\n` or `\r\n`.

    `nulls` are sets of texts that mean null in unquoted fields of CSV, as the empty one does. Each column is
    there once for each set: the column 3 as `c3` under the first one, as `c3_1` under the second.

    `nested` are values within others of a Parquet file: the position of a column, and those of the fields
    that lead to the value, from 0. They are further columns behind the file's own.

    `given` are texts that are the same in all records: further columns `g0`, `g1` and so on.
    """

    path: Path
    format: str
    columns: tuple[str, ...]
    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = '"'
    skip: int = 0
    newline: str = r"\n"
    nulls: tuple[tuple[str, ...], ...] = ((),)
    given: tuple[str | None, ...] = ()
    nested: tuple[tuple[int, ...], ...] = ()


class MalformedFile(Exception):
    """The engine's reader stopped at a record it can't parse."""
