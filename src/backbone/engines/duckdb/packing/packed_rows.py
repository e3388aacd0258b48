"""Rows in an order, as DuckDB hands them over packed into numbers and takes them back."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.engines.duckdb.failures import interruptible
from backbone.engines.duckdb.packing import number_sort
from backbone.engines.duckdb.packing.packing import Packing, packing
from backbone.engines.duckdb.parameters import used_of
from backbone.engines.protocol import Parameters
from backbone.interrupts import at_work

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

BATCH_ROWS = 1_000_000  # of sorted rows; smaller batches cost a fifth more
HANDED = "handed"


@dataclass(frozen=True)
class PackedRows:
    """The rows of a query in the order of some of its columns, then of the others.

    Parameters
    ----------
    columns : names and types of the query's columns.
    scratch : a folder for what does not fit into memory.
    fewest : rows that are worth packing.
    """

    connection: duckdb.DuckDBPyConnection
    scratch: Path
    sql: str
    columns: tuple[tuple[str, str], ...]
    sorting: Sequence[str]
    parameters: Parameters | None
    fewest: int = 0

    @cached_property
    def packing(self) -> Packing | None:
        """How they are packed; None where they can't be."""
        return packing(self.sql, self.columns, self.sorting, self._read, 8 * self._most, self.fewest)

    @property
    def unpacked(self) -> str:
        """A query of the rows out of `tables`, which it names `handed`."""
        assert self.packing
        return self.packing.unpacked(HANDED)

    def numbers(self) -> Iterator[npt.NDArray[np.int64]]:
        """The packed rows in order, part by part; each is overwritten by the next."""
        assert self.packing
        found = batches(self.connection, self.packing.numbers, self.parameters, self.packing.places)
        numbers = (batch.column(0).to_numpy() for batch in found)
        return number_sort.in_order(numbers, self.packing.rows, self._most, self.scratch, self.threads)

    def tables(self) -> Iterator[pa.Table]:
        """The same for `unpacked` to read; each is overwritten by the next."""
        assert self.packing
        return map(self.packing.table, self.numbers())

    def all(self) -> pa.Table | pa.RecordBatchReader:
        """The same at once, or where they do not fit into memory one after the other."""
        import pyarrow as pa

        assert self.packing
        if self.packing.rows <= self._most:
            return next(self.tables())
        parts = (self.packing.table(numbers.copy()) for numbers in self.numbers())
        first = next(parts)
        batches = (batch for part in chain([first], parts) for batch in part.to_batches())
        return pa.RecordBatchReader.from_batches(first.schema, batches)

    @property
    def _most(self) -> int:
        """How many are sorted at a time: an eighth of the memory holds them."""
        limit = "select parse_formatted_bytes(current_setting('memory_limit'))"
        return int(self.connection.execute(limit).fetchall()[0][0]) // (8 * 8)

    @property
    def threads(self) -> int:
        """How many cores the database uses."""
        return int(self.connection.execute("select current_setting('threads')").fetchall()[0][0])

    def _read(self, sql: str) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_batches(batches(self.connection, sql, self.parameters))


def batches(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Parameters | None,
    tables: Mapping[str, pa.Table] | None = None,
) -> Generator[pa.RecordBatch]:
    """A query's rows in large batches, at least one; `tables` are what it names beside the database's."""
    import pyarrow as pa

    cursor = at_work(connection.cursor())
    try:
        for name, table in (tables or {}).items():
            cursor.register(name, table)
        with interruptible():
            reader = cursor.sql(sql, params=used_of(sql, parameters)).to_arrow_reader(BATCH_ROWS)
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader
    finally:
        cursor.close()
