"""Which extracted windows are read together: many small files with the same columns.

A query source that starts with years of hourly windows has tens of thousands of them, and reading each by
itself costs some milliseconds however few rows it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backbone.dataset import Batch

MOST_FILES = 500
MOST_BYTES = 64 * 1024 * 1024
CLASHING = {"filename", "file_row_number"}  # names that the reader gives to columns of its own


def together(
    project: Path, waiting: Sequence[list[Batch]]
) -> tuple[list[list[list[Batch]]], list[list[Batch]]]:
    """Groups of files (each with its versions) to read together, and the files to read singly.

    Only files with equal column names and types are read together: a reader that sees several would
    convert the others to the first one's types, and not exactly.
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
    return groups, left
