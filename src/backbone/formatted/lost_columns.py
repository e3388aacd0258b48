"""Files that are delivered again without a column in which their version before had values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from backbone.dataset import Batch
from backbone.engines.duckdb.local_work import LocalWork
from backbone.formatted.binding import one_of
from backbone.formatted.source import FormattedSource
from backbone.formatted.unread import FEW_FILES, Unread
from backbone.quoting import quote_identifier


def lost_columns_warnings(
    work: LocalWork,
    source: FormattedSource,
    versions: Sequence[Sequence[Batch]],
    unread: Mapping[str, Unread],
    replaced: Sequence[str],
) -> list[str]:
    """A warning of each field of which values go, as a new version of a file lacks its column.

    Asked before the new rows take the place of the old ones.

    Parameters
    ----------
    versions : the versions of each file, newest first.
    unread : by batch formatted now, the columns that it lacks.
    replaced : the batches whose rows are in the table and go.
    """
    lost: dict[str, list[tuple[str, int]]] = {}
    lacking = _lacking(source, versions, unread, {*replaced})
    for column, values_of_file in _values(work, source, lacking):
        lost.setdefault(column, []).append(values_of_file)
    return _warnings(lost, "are null", "is null")


def lost_cells_warnings(
    work: LocalWork,
    source: FormattedSource,
    versions: Sequence[Sequence[Batch]],
    cells: Mapping[str, Collection[str]],
    replaced: Sequence[str],
) -> list[str]:
    """The same of each column that becomes rows and that a new version of a file lacks.

    Only where a field takes the names as they are.

    Parameters
    ----------
    cells : by batch formatted now, the names of its columns that become rows.
    """
    gone = {*replaced}
    kinds = {column.name: column.sql_type for column in source.columns}
    pairs: dict[tuple[str, str], list[tuple[Batch, str]]] = {}
    for newest, *older in versions:
        before = next((batch.batch for batch in older if batch.batch in gone), None)
        settings = source.settings.for_file(newest.name)
        if before is None or newest.batch not in cells or settings.unpivot is None:
            continue
        own = settings.column.get(settings.unpivot.name)
        if kinds[settings.unpivot.name] == "VARCHAR" and (own is None or own.sign is None):
            pairs.setdefault(settings.unpivot.fields, []).append((newest, before))
    lost: dict[str, list[tuple[str, int]]] = {}
    table = work.lake.read(source.dataset) if pairs else None
    for (name, value), files in pairs.items():
        assert table is not None
        if not {name, value} <= {column for column, _ in table.columns}:
            continue
        work.database.read(table)
        newest_of = {before: newest for newest, before in files}
        for before, column, values in work.database.fetch(
            f"select _batch, {quote_identifier(name)}, count({quote_identifier(value)}) "
            f"from {source.dataset} where _batch in (select unnest($batches)) group by all order by all",
            {"batches": list(newest_of)},
        ):
            newest = newest_of[before]
            if values and column not in cells[newest.batch]:
                lost.setdefault(str(column), []).append((newest.name, values))
    return _warnings(lost, "are gone", "is gone")


def _warnings(lost: Mapping[str, Sequence[tuple[str, int]]], are: str, is_: str) -> list[str]:
    warnings = []
    for name, files in sorted(lost.items()):
        shown = ", ".join(f"{file} {rows:,}" for file, rows in files[:FEW_FILES])
        more = f" and {len(files) - FEW_FILES:,} more files" if len(files) > FEW_FILES else ""
        total = sum(rows for _, rows in files)
        values = f"1 value {is_}" if total == 1 else f"{total:,} values {are}"
        warnings.append(
            f"delivered again without the column {name!r} that the version before had: {values} now "
            f"({shown}{more})"
        )
    return warnings


@dataclass(frozen=True)
class _File:
    """A file that lacks columns: its name, the batch whose rows go, and by field the column it had."""

    name: str
    before: str
    columns: Mapping[str, str]


def _lacking(
    source: FormattedSource,
    versions: Sequence[Sequence[Batch]],
    unread: Mapping[str, Unread],
    gone: Collection[str],
) -> list[_File]:
    found = []
    for newest, *older in versions:
        absent = unread[newest.batch].absent if newest.batch in unread else ()
        before = next((batch.batch for batch in older if batch.batch in gone), None) if absent else None
        if before is not None:
            settings = source.for_file(newest.name).settings
            columns = {column.name: one_of(settings.names_of(column.name)) for column in source.columns}
            lacks = {field: name for field, name in columns.items() if name in absent}
            found.append(_File(newest.name, before, lacks))
    return found


def _values(
    work: LocalWork, source: FormattedSource, files: Sequence[_File]
) -> Iterator[tuple[str, tuple[str, int]]]:
    """By column that files lack, a file and how many values it had there; nothing where it had none."""
    if not files:
        return
    table = work.lake.read(source.dataset)
    wanted = {field for file in files for field in file.columns}
    fields = [name for name, _ in table.columns if name in wanted]
    work.database.read(table)
    rows = work.database.fetch(
        f"select {', '.join(['_batch', *(f'count({quote_identifier(field)})' for field in fields)])} "
        f"from {source.dataset} where _batch in (select unnest($batches)) group by _batch",
        {"batches": [file.before for file in files]},
    )
    counts = {batch: dict(zip(fields, row, strict=True)) for batch, *row in rows}
    for file in files:
        for field, name in file.columns.items():
            if count := counts.get(file.before, {}).get(field, 0):
                yield name, (file.name, count)
