"""Staged tables that are Parquet files, written while their rows are made and published unchanged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.engines.arrow_stream import arrow_stream
from backbone.engines.duckdb.copy_options import copy_options
from backbone.engines.duckdb.types import delta_field
from backbone.lake.publish import Staged
from backbone.quoting import quote_identifier, quote_literal

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.engines.duckdb.database import Database

HANDED = "rows of a file"


class StagedFiles:
    """The files of one database, by the names that the tables have in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._files: dict[str, tuple[Path, int]] = {}
        self._numbers = itertools.count()

    def stage(self, name: str, batches: Iterator[pa.RecordBatch], select: str) -> int:
        """Write what is selected of batches to a file while they are made, in their order; the rows."""
        file = self._database.scratch / f"staged-{next(self._numbers)}.parquet"
        rows = f"select {select} from {quote_identifier(HANDED)}"
        connection = self._database.connection
        with arrow_stream(batches) as stream:
            connection.register(HANDED, stream)
            try:
                options = copy_options(kind for _, kind in self._database.columns(rows))
                copy = f"copy ({rows}) to {quote_literal(str(file))} ({options})"
                written = int(self._database.run(copy).fetchall()[0][0])
            except BaseException:
                file.unlink(missing_ok=True)
                raise
            finally:
                connection.unregister(HANDED)
        self._files[name] = file, written
        self._database.run(
            f"create view {name} as select * from read_parquet({quote_literal(str(file))}, "
            "hive_partitioning = false)"
        )
        return written

    def as_staged(self, name: str) -> Staged | None:
        """A table's file as it is published; None where the table is no file."""
        import pyarrow as pa

        if name not in self._files:
            return None
        file, rows = self._files[name]
        schema = self._database.stream(f"select * from {name} limit 0").schema
        return Staged((file,) if rows else (), rows, pa.schema([delta_field(field) for field in schema]))

    def drop(self, name: str) -> bool:
        """Forget a table that is a file; whether it is one."""
        if name not in self._files:
            return False
        file, _ = self._files.pop(name)
        self._database.run(f"drop view {name}")
        file.unlink(missing_ok=True)  # it may have been published
        return True
