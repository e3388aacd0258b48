"""Which extracted windows are read in one statement: many small files with the same columns.

A query source that starts with years of hourly windows has tens of thousands of them, and reading each by
itself costs some milliseconds however few rows it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from backbone.dataset import Batch
from backbone.engines.protocol import Engine
from backbone.formatted.file_group import MOST_BYTES, MOST_FILES, FileGroup
from backbone.formatted.parse import parse_together
from backbone.formatted.parsed import Parsed
from backbone.formatted.source import FormattedSource

CLASHING = {"filename", "file_row_number"}  # names that the reader gives to columns of its own


def window_groups(
    project: Path, waiting: Sequence[list[Batch]], source: FormattedSource
) -> tuple[list[FileGroup], list[list[Batch]]]:
    """Groups of files to read in one statement, and the files (each with its versions) to read singly.

    Only files with equal column names and types are grouped: a reader that sees several would convert the
    others to the first one's types, and not exactly.
    """
    fetched = [v for v in waiting if v[0].window_start is not None and len(v) == 1]
    if len(fetched) < 2:
        return [], list(waiting)

    import pyarrow as pa
    import pyarrow.parquet as pq

    left = [v for v in waiting if not (v[0].window_start is not None and len(v) == 1)]
    groups: list[list[list[Batch]]] = []
    schema: pa.Schema | None = None
    size = 0
    for versions in fetched:
        batch = versions[0]
        try:
            found = pq.read_schema(project / batch.path).remove_metadata()
        except (OSError, pa.ArrowException):
            left.append(versions)
            continue
        if CLASHING & set(found.names):
            left.append(versions)
            continue
        full = not groups or len(groups[-1]) >= MOST_FILES or size + batch.bytes > MOST_BYTES
        if full or schema is None or not found.equals(schema):
            groups.append([])
            schema, size = found, 0
        groups[-1].append(versions)
        size += batch.bytes
    return [FileGroup(group, partial(_stage, project, source, group)) for group in groups], left


def _stage(
    project: Path, source: FormattedSource, group: list[list[Batch]], engine: Engine, table: str
) -> Mapping[str, Parsed]:
    paths = [project / versions[0].path for versions in group]
    batches = [versions[0].batch for versions in group]
    where = f"{source.dataset}, {len(group)} windows from {group[0][0].name}"
    parsed = parse_together(engine, table, paths, batches, source.columns, source.settings, where)
    return dict.fromkeys(batches, parsed)
