"""Small JSON files, read in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from backbone.dataset import Batch
from backbone.engines.arrow_stream import arrow_stream
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.raw_file import MalformedFile
from backbone.formatted.given_values import given_values
from backbone.formatted.group_member import Member
from backbone.formatted.json.file import JsonFile, first_cells, json_sql
from backbone.formatted.parse import open_plain
from backbone.formatted.parse_result import ParseResult, unaccountable
from backbone.formatted.source import FormattedSource


@dataclass(frozen=True)
class JsonMember(Member):
    """A JSON file, uncompressed at `plain`."""

    plain: Path
    where: str
    given: tuple[str | None, ...]
    cells: tuple[str, ...]


def open_member(path: Path, batch: Batch, source: FormattedSource, scratch: Path) -> JsonMember:
    """Open a file.

    Raises
    ------
    BatchRefused
        When it is of another kind.
    """
    where = f"{source.dataset}, batch {batch.batch} ({batch.name})"
    plain = open_plain(path, "jsonl", source.columns, source.settings, scratch, where)
    given = given_values(source.columns, source.settings, batch.name, where)
    cells = first_cells(plain, source.columns, source.settings)
    size = max(plain.stat().st_size, batch.bytes)
    return JsonMember(batch, ("jsonl", cells), size, plain, where, given, cells)


def stage(
    source: FormattedSource, group: Sequence[JsonMember], database: Database, table: str
) -> Mapping[str, ParseResult]:
    """Read a group.

    Raises
    ------
    BatchRefused
        When one of the files can't be read, or has keys to make rows of that its first records lack.
    """
    fields, settings = source.columns, source.settings
    files = {m.batch.batch: JsonFile(m.plain, fields, settings, m.where, m.given, m.cells) for m in group}

    def labelled() -> Iterator[pa.RecordBatch]:
        for batch, file in files.items():
            for records in file.batches():
                yield records.append_column("_batch", pa.repeat(batch, len(records)))

    sql = json_sql(fields, settings, group[0].cells, labelled=True)
    with arrow_stream(labelled()) as rows:
        found = database.load(table, rows, sql.levels, sql.width)
    if any(file.more_cells for file in files.values()):
        raise MalformedFile("later records have keys that the first ones have not")
    records = sum(file.records for file in files.values())
    if records != found:
        raise unaccountable(source.dataset, f"{records:,} records counted, {found:,} read")
    return {batch: file.parsed(table, sql) for batch, file in files.items()}
