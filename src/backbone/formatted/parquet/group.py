"""Small Parquet files with the same columns, read in one statement.

A query source that starts with years of hourly windows has tens of thousands of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from backbone.dataset import Batch
from backbone.engines.duckdb.database import Database
from backbone.errors import BatchRefused
from backbone.formatted.binding import UNTOUCHED
from backbone.formatted.given_values import given_values
from backbone.formatted.group_member import Member
from backbone.formatted.parse import open_plain, parse_together
from backbone.formatted.parse_result import ParseResult
from backbone.formatted.source import FormattedSource

CLASHING = {"filename", "file_row_number"}  # names that the reader gives to columns of its own


@dataclass(frozen=True)
class ParquetMember(Member):
    """A Parquet file, at `plain`."""

    plain: Path
    given: tuple[str | None, ...]


def open_member(path: Path, batch: Batch, source: FormattedSource, scratch: Path) -> ParquetMember:
    """Open a file.

    Only files with equal column names and types are grouped: a reader that sees several would convert the
    others to the first one's types, and not exactly.

    Raises
    ------
    BatchRefused
        When it is of another kind, or has names that a reader of several files takes for others.
    """
    where = f"{source.dataset}, batch {batch.batch}"
    plain = open_plain(path, "parquet", source.columns, source.settings, scratch, where)
    metadata = pq.read_metadata(plain)
    names = [name.lower() for name in metadata.schema.to_arrow_schema().names]
    if CLASHING & {*names} or len({*names}) < len(names):
        raise BatchRefused(where, "its columns can't be told apart", UNTOUCHED, "rename them")
    alike = str(metadata.schema).split("\n", 1)[1]  # after the address of an object in memory
    given = given_values(source.columns, source.settings, batch.name, where)
    return ParquetMember(batch, alike, max(plain.stat().st_size, batch.bytes), plain, given)


def stage(
    source: FormattedSource, group: Sequence[ParquetMember], database: Database, table: str
) -> Mapping[str, ParseResult]:
    """Read a group.

    Raises
    ------
    BatchRefused
        When one of the files can't be read, or a column is missing.
    """
    paths, batches = [m.plain for m in group], [m.batch.batch for m in group]
    where = f"{source.dataset}, {len(group)} files from {group[0].batch.name}"
    given = [member.given for member in group]
    parsed = parse_together(database, table, paths, batches, given, source, where)
    return dict.fromkeys(batches, parsed)
