"""Files that are delivered again without a column in which their version before had values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    gone = {*replaced}
    for of_file in versions:
        found = unread.get(of_file[0].batch)
        before = next((batch.batch for batch in of_file[1:] if batch.batch in gone), None)
        if found is None or before is None or not found.absent:
            continue
        for name, rows in _values(work, source, before, found.absent).items():
            lost.setdefault(name, []).append((of_file[0].name, rows))
    warnings = []
    for name, files in sorted(lost.items()):
        shown = ", ".join(f"{file} {rows:,}" for file, rows in files[:FEW_FILES])
        more = f" and {len(files) - FEW_FILES:,} more files" if len(files) > FEW_FILES else ""
        total = sum(rows for _, rows in files)
        values = "1 value is" if total == 1 else f"{total:,} values are"
        warnings.append(
            f"delivered again without the column {name!r} that the version before had: {values} null now "
            f"({shown}{more})"
        )
    return warnings


def _values(work: LocalWork, source: FormattedSource, batch: str, missing: Sequence[str]) -> dict[str, int]:
    """By name of a missing column, how many values of it a batch has in the table; none where it has none."""
    there = {name for name, _ in work.lake.read(source.dataset).columns}
    fields = {
        one_of(source.settings.names_of(column.name)): column.name
        for column in source.columns
        if column.name in there
    }
    wanted = [name for name in missing if name in fields]
    if not wanted:
        return {}
    counts = ", ".join(f"count({quote_identifier(fields[name])})" for name in wanted)
    work.database.read(work.lake.read(source.dataset))
    sql = f"select {counts} from {source.dataset} where _batch = $batch"
    rows = work.database.fetch(sql, {"batch": batch})[0]
    return {name: count for name, count in zip(wanted, rows, strict=True) if count}
