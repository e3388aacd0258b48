"""Small CSV files that are laid out alike, read in one statement.

To plan a wide contract's SQL takes the engine a millisecond a field, however few rows a file has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbone.engines.protocol import Engine, MalformedFile
from backbone.formatted.conform import ConformSql
from backbone.formatted.csv_file import CsvFile
from backbone.formatted.grammar import LF
from backbone.formatted.parsed import Parsed
from backbone.formatted.records import Survey, survey

MOST_FILES = 500
MOST_BYTES = 64 * 1024 * 1024
LARGE = 4 * 1024 * 1024  # bytes; to read such a file alone costs little in comparison
NUMBERS = pa.schema([("_row", pa.int64()), ("_line", pa.int64()), ("_batch", pa.string())])


@dataclass(frozen=True)
class Member:
    """A file of a group, with its batch and its counted records."""

    batch: str
    file: CsvFile
    survey: Survey


def counted(batch: str, file: CsvFile) -> Member | None:
    """The file as a member of a group; None where it has to be read alone."""
    if file.grammar.line_end != LF or file.raw.path.stat().st_size > LARGE:
        return None
    found = survey(file.raw.path, file.grammar)
    return None if found is None else Member(batch, file, found)


def groups(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Members that one statement can read, in order of arrival as far as they are alike."""
    alike: dict[object, list[Member]] = {}
    sizes: dict[object, int] = {}
    for member in members:
        key, size = member.file.alike, member.file.raw.path.stat().st_size
        if key in alike and (len(alike[key]) >= MOST_FILES or sizes[key] + size > MOST_BYTES):
            yield alike.pop(key)
        sizes[key] = sizes[key] + size if key in alike else size
        alike.setdefault(key, []).append(member)
    yield from alike.values()


def read_group(engine: Engine, table: str, group: Sequence[Member], sql: ConformSql) -> list[Parsed]:
    """Stage files as one table, which has a column `_batch`; of each, what was seen of it.

    Raises
    ------
    MalformedFile
        When the engine reads one of them otherwise than it was counted.
    """
    rows = engine.load_files(table, [member.file.raw for member in group], sql.values, sql.select)
    if rows != [member.survey.records for member in group]:
        raise MalformedFile(f"expected {[m.survey.records for m in group]} records, found {rows}")
    engine.number_lines(table, pa.RecordBatchReader.from_batches(NUMBERS, _numbers(group)))
    return [
        Parsed(
            table,
            member.survey.records,
            [],
            member.file.raw,
            member.file.grammar,
            member.survey.lines,
            member.file.binding.ignored,
            member.file.binding.missing,
        )
        for member in group
    ]


def _numbers(group: Sequence[Member]) -> Iterator[pa.RecordBatch]:
    for member in group:
        records = member.survey.records
        rows = np.arange(records, dtype=np.int64)
        if records:
            batch = pa.repeat(pa.scalar(member.batch, pa.string()), records)
            yield pa.record_batch([rows, member.survey.lines.of(rows), batch], NUMBERS)
