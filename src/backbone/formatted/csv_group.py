"""Small CSV files that are laid out alike, read in one statement.

To plan the SQL of a wide contract takes the engine about a millisecond a field, however few rows a file has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.dataset import Batch
from backbone.engines.protocol import Engine, MalformedFile
from backbone.formatted.file_group import MOST_BYTES, MOST_FILES, FileGroup
from backbone.formatted.parse import format_of, open_plain
from backbone.formatted.parsed import Parsed
from backbone.formatted.refusal import ends_formatting
from backbone.formatted.source import FormattedSource

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.formatted.csv_file import CsvFile
    from backbone.formatted.records import Survey

LARGE = 4 * 1024 * 1024  # bytes; to read such a file alone costs little in comparison


@dataclass(frozen=True)
class _Member:
    """A file of a group, with its versions and its counted records."""

    versions: list[Batch]
    file: CsvFile
    survey: Survey


def csv_groups(
    project: Path, waiting: Sequence[list[Batch]], source: FormattedSource, scratch: Path
) -> tuple[list[FileGroup], list[list[Batch]]]:
    """Groups of files to read in one statement, and the files (each with its versions) to read singly.

    A file with an older version, or one whose records can't be counted right away, is read by itself.
    """
    left: list[list[Batch]] = []
    members: dict[object, list[_Member]] = {}
    small = {
        versions[0].batch
        for versions in waiting
        if len(versions) == 1
        and versions[0].bytes <= LARGE
        and format_of(versions[0].name, source.settings) == "csv"
    }
    for versions in waiting:
        member, batch = None, versions[0].batch
        if len(small) > 1 and batch in small:
            member = _member(project, versions, source, scratch / batch)
        if member is None:
            left.append(versions)
        else:
            members.setdefault(member.file.alike, []).append(member)
    groups = []
    for alike in members.values():
        for group in _of_a_size(alike):
            if len(group) == 1:
                left.append(group[0].versions)
            else:
                groups.append(FileGroup([m.versions for m in group], partial(_stage, source, group)))
    return groups, left


def _member(project: Path, versions: list[Batch], source: FormattedSource, scratch: Path) -> _Member | None:
    """A file opened and counted; None where it has to be read by itself, which says what is wrong with it."""
    try:
        return _opened(project, versions, source, scratch)
    except Exception as error:
        if ends_formatting(error):
            raise
        return None


def _opened(project: Path, versions: list[Batch], source: FormattedSource, scratch: Path) -> _Member | None:
    from backbone.formatted.csv_file import open_csv
    from backbone.formatted.grammar import LF
    from backbone.formatted.records import survey

    settings, where = source.settings, f"{source.dataset}, batch {versions[0].batch}"
    path = project / versions[0].path
    plain = open_plain(path, "csv", source.columns, settings, scratch, where)
    if plain.stat().st_size > LARGE:
        return None
    file = open_csv(plain, source.columns, settings, where)
    found = None if file.is_wide or file.grammar.line_end != LF else survey(plain, file.grammar)
    return None if found is None else _Member(versions, file, found)


def _of_a_size(members: Sequence[_Member]) -> Iterator[list[_Member]]:
    """Groups with no more files and bytes than one statement should read."""
    group: list[_Member] = []
    size = 0
    for member in members:
        size += member.versions[0].bytes
        if len(group) == MOST_FILES or (group and size > MOST_BYTES):
            yield group
            group, size = [], member.versions[0].bytes
        group.append(member)
    yield group


def _stage(
    source: FormattedSource, group: Sequence[_Member], engine: Engine, table: str
) -> Mapping[str, Parsed]:
    """Read a group.

    Raises
    ------
    MalformedFile
        When the engine reads one of the files otherwise than it was counted.
    """
    import pyarrow as pa

    sql = group[0].file.conform_sql(source.columns, source.settings)
    rows = engine.load_files(table, [member.file.raw for member in group], sql.levels)
    expected = [member.survey.records for member in group]
    if rows != expected:
        raise MalformedFile(f"expected {expected} records, found {rows}")
    schema = pa.schema([("_row", pa.int64()), ("_line", pa.int64()), ("_batch", pa.string())])
    numbers = pa.RecordBatchReader.from_batches(schema, _numbers(group, schema))
    engine.number_lines(table, numbers)
    return {
        member.versions[0].batch: Parsed(
            table,
            member.survey.records,
            sql.checks,
            [],
            member.file.raw,
            member.file.grammar,
            member.survey.lines,
            member.file.binding.ignored,
            member.file.binding.missing,
        )
        for member in group
    }


def _numbers(group: Sequence[_Member], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Position, line and batch of every row of a group."""
    import pyarrow as pa

    for member in group:
        batch = pa.scalar(member.versions[0].batch, pa.string())
        for rows, lines in member.survey.lines.batches(member.survey.records):
            yield pa.record_batch([rows, lines, pa.repeat(batch, len(rows))], schema)
