"""Staged tables that are Parquet files, written while their rows are made and published as they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.contract import quote_identifier, quote_literal
from backbone.engines.arrow_stream import arrow_stream
from backbone.engines.duckdb.write import OPTIONS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

HANDED = "rows of a file"


class StagedFiles:
    """The files of one connection, by the names that the tables have in SQL.

    Parameters
    ----------
    run : runs a statement.
    scratch : the folder of the files.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        run: Callable[[str], duckdb.DuckDBPyConnection],
        scratch: Path,
    ) -> None:
        self._connection, self._run, self._scratch = connection, run, scratch
        self._files: dict[str, Path] = {}
        self._numbers = itertools.count()

    def of(self, name: str) -> Path | None:
        """The file that a staged table is; None where it is none."""
        return self._files.get(name)

    def stage(self, name: str, batches: Iterator[pa.RecordBatch], select: str) -> int:
        """Write what is selected of batches to a file while they are made, in their order; the rows."""
        file = self._scratch / f"staged-{next(self._numbers)}.parquet"
        rows = f"select {select} from {quote_identifier(HANDED)}"
        with arrow_stream(batches) as stream:
            self._connection.register(HANDED, stream)
            try:
                staged = self._run(f"copy ({rows}) to {quote_literal(str(file))} ({OPTIONS})").fetchall()
            finally:
                self._connection.unregister(HANDED)
        self._show(name, file)
        return int(staged[0][0])

    def rename(self, name: str, new: str) -> bool:
        """Call a table that is a file by another name; whether it is one."""
        file = self._files.pop(name, None)
        if file is not None:
            self._run(f"drop view {quote_identifier(name)}")
            self._show(new, file)
        return file is not None

    def drop(self, name: str) -> bool:
        """Forget a table that is a file; whether it is one."""
        file = self._files.pop(name, None)
        if file is not None:
            self._run(f"drop view {quote_identifier(name)}")
            file.unlink(missing_ok=True)  # it may have been published
        return file is not None

    def _show(self, name: str, file: Path) -> None:
        self._files[name] = file
        self._run(
            f"create or replace view {quote_identifier(name)} as "
            f"select * from read_parquet({quote_literal(str(file))}, hive_partitioning = false)"
        )
