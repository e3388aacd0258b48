"""Small CSV files that are laid out alike, read in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.contracts.contract import quote_literal
from backbone.dataset import Batch
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.raw_file import MalformedFile
from backbone.formatted.csv.file import Counted, CsvFile, is_mostly_filled, open_csv, separate
from backbone.formatted.csv.grammar import LF
from backbone.formatted.csv.records import survey
from backbone.formatted.given_values import given_values
from backbone.formatted.group_member import Member
from backbone.formatted.parse import open_plain
from backbone.formatted.parse_result import ParseResult
from backbone.formatted.source import FormattedSource

if TYPE_CHECKING:
    import pyarrow as pa


MOST_BROKEN = 200  # lines of a file


@dataclass(frozen=True)
class CsvMember(Member):
    """A CSV file with its counted records; its broken lines are taken out."""

    file: CsvFile
    counted: Counted


def open_member(path: Path, batch: Batch, source: FormattedSource, scratch: Path) -> CsvMember | None:
    """Open and count a file; None for one with many broken lines, as those stay in memory.

    Raises
    ------
    BatchRefused
        When it can't be read as a table.
    """
    where = f"{source.dataset}, batch {batch.batch}"
    plain = open_plain(path, "csv", source.columns, source.settings, scratch, where)
    given = given_values(source.columns, source.settings, batch.name, where)
    file = open_csv(plain, source.columns, source.settings, where, given)
    found = None if file.grammar.line_end != LF else survey(plain, file.grammar)
    if found is None:
        counted = separate(file, scratch, where)
        if len(counted.broken) > MOST_BROKEN:
            return None
    else:
        counted = Counted(file.raw, file.grammar, found.records, found.lines, [])
    size = max(plain.stat().st_size, batch.bytes)
    return CsvMember(batch, (file.alike, counted.alike), size, file, counted)


def stage(
    source: FormattedSource, group: Sequence[CsvMember], database: Database, table: str
) -> Mapping[str, ParseResult]:
    """Read a group.

    Raises
    ------
    MalformedFile
        When the database reads one of the files otherwise than it was counted, or as the file's own header
        has it.
    """
    import pyarrow as pa

    first = group[0].file
    sql = first.conform_sql(source.columns, source.settings)
    rows = database.load_files(table, [member.counted.raw for member in group], sql.levels, sql.width)
    expected = [member.counted.records for member in group]
    if rows != expected:
        raise MalformedFile(f"expected {expected} records, found {rows}")
    schema = pa.schema([("_row", pa.int64()), ("_line", pa.int64()), ("_batch", pa.string())])
    numbers = pa.RecordBatchReader.from_batches(schema, _numbers(group, schema, sql.width or 1))
    database.number_lines(table, numbers, sql.width)
    parsed = {m.batch.batch: m.counted.parsed(table, m.file, sql) for m in group}
    if first.is_wide and any(
        is_mostly_filled(database, first, of_batch, f"_batch = {quote_literal(batch)}")
        for batch, of_batch in parsed.items()
    ):
        raise MalformedFile(first.filled)
    return parsed


def _numbers(group: Sequence[CsvMember], schema: pa.Schema, width: int) -> Iterator[pa.RecordBatch]:
    """Position, line and batch of every row of a group; each record makes `width` rows."""
    import pyarrow as pa

    for member in group:
        batch = pa.scalar(member.batch.batch, pa.string())
        for rows, lines in member.counted.lines.batches(member.counted.records, width=width):
            yield pa.record_batch([rows, lines, pa.repeat(batch, len(rows))], schema)
