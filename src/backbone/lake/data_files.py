"""The data files of a table, compared with what its log says of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from backbone.lake.table import Lake
from backbone.storage_refused import raise_refusal

MAGIC = b"PAR1"
Problem = tuple[str, str]
"""What was expected, and what was found."""


@dataclass(frozen=True)
class LoggedFile:
    """A data file as the log names it; `rows` is None where the log does not count them."""

    path: str
    bytes: int
    rows: int | None


def as_it_is(path: str | Path) -> LoggedFile:
    """A file of which only the ends are looked at, as its length is not known."""
    try:
        size = os.stat(path).st_size  # noqa: PTH116
    except OSError:
        size = 0
    return LoggedFile(str(path), size, None)


def logged_files(lake: Lake, dataset: str, version: int | None = None) -> tuple[int, list[LoggedFile]]:
    """A version of a table, and its files; the version that readers see by default."""
    import pyarrow as pa

    table = lake.open(dataset, version)
    place = lake.path(dataset)
    added = pa.table(table.get_add_actions(flatten=True)).to_pydict()
    paths, sizes = added["path"], added["size_bytes"]
    counts = added.get("num_records", [None] * len(paths))
    found = [
        LoggedFile(f"{place}/{unquote(path)}", size, rows)
        for path, size, rows in zip(paths, sizes, counts, strict=True)
    ]
    return table.version(), sorted(found, key=lambda file: file.path)


def logged_rows(lake: Lake, dataset: str) -> int | None:
    """The rows of a table by its log; None where that does not count them. 0 where there is no such table."""
    if not lake.exists(dataset):
        return 0
    counts = [file.rows for file in logged_files(lake, dataset)[1]]
    return None if None in counts else sum(rows for rows in counts if rows is not None)


def size_problem(file: LoggedFile) -> Problem | None:
    """Whether a file is there and has its length.

    Raises
    ------
    StorageRefused
        When the right to look at it is missing.
    """
    try:
        size = os.stat(file.path).st_size  # noqa: PTH116 - thousands of files
    except (FileNotFoundError, NotADirectoryError):
        return f"a file of {file.bytes:,} bytes", "none"
    except OSError as error:
        raise_refusal(error, file.path)
        return "a file that can be read", str(error.strerror)
    if not os.path.isfile(file.path):  # noqa: PTH113
        return f"a file of {file.bytes:,} bytes", "something else"
    return None if size == file.bytes else (f"{file.bytes:,} bytes", f"{size:,}")


def lost_files(lake: Lake, dataset: str) -> list[tuple[LoggedFile, Problem]]:
    """Those files of a table that are gone, have another length, or do not begin and end as Parquet does."""
    found = [(file, ends_problem(file)) for file in logged_files(lake, dataset)[1]]
    return [(file, problem) for file, problem in found if problem is not None]


def ends_problem(file: LoggedFile) -> Problem | None:
    """The same, and whether the file begins and ends as a Parquet file does; takes some microseconds."""
    problem = size_problem(file)
    if problem is not None:
        return problem
    try:
        with Path(file.path).open("rb") as opened:
            begin = opened.read(4)
            opened.seek(-8, os.SEEK_END)
            footer = opened.read(8)
    except OSError as error:
        raise_refusal(error, file.path)
        return "a file that can be read", str(error.strerror)
    fits = int.from_bytes(footer[:4], "little") <= file.bytes - 12
    if begin == footer[4:] == MAGIC and fits:
        return None
    return "a Parquet file", "other bytes"


def first_ends_problem(files: Iterable[LoggedFile]) -> str:
    """The first problem of some files as a sentence; nothing where there is none."""
    for file in files:
        problem = ends_problem(file)
        if problem is not None:
            return f"expected {problem[0]}, found {problem[1]} ({Path(file.path).name})"
    return ""


def footer_problem(file: LoggedFile) -> Problem | None:
    """The same, and whether the file can be opened and has its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    problem = size_problem(file)
    if problem is not None:
        return problem
    try:
        rows = pq.read_metadata(file.path).num_rows
    except (pa.ArrowException, OSError) as error:
        raise_refusal(error, file.path)
        return "a Parquet file", _answer(error) or "one whose list of contents, at its end, is damaged"
    return None if file.rows in (None, rows) else (f"{file.rows:,} rows", f"{rows:,}")


def content_problem(file: LoggedFile) -> Problem | None:
    """The same, and whether all its rows can be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    problem = footer_problem(file)
    if problem is not None:
        return problem
    rows = 0
    try:
        with pq.ParquetFile(file.path) as opened:
            for batch in opened.iter_batches():
                batch.validate(full=True)
                rows += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise_refusal(error, file.path)
        return "rows that can be read", _answer(error) or "damaged ones"
    return None if file.rows in (None, rows) else (f"{file.rows:,} rows", f"{rows:,}")


def _answer(error: Exception) -> str:
    """What the system answered; nothing where a library did not understand the bytes."""
    return str(error.strerror) if isinstance(error, OSError) and error.errno else ""
