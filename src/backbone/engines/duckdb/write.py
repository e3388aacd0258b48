"""Rows as Parquet files in an order: one file, or those of a partitioned table by their days.

The database can write the files of many days by itself, but does not keep the order of rows in all of them,
and takes three times as long. So a large day is handed to it alone, and is in order; small ones are handed to
it some at a time, and those of a few dozen rows may come out of order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbone.contracts.contract import quote_identifier, quote_literal
from backbone.engines.batch_coalesce import coalesced
from backbone.engines.duckdb.copy_options import copy_options
from backbone.engines.duckdb.packing.packed_rows import HANDED, PackedRows, batches
from backbone.engines.duckdb.packing.packing import Packing
from backbone.engines.protocol import Parameters
from backbone.interrupts import at_work
from backbone.lake.table import PARTITION

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LARGE_DAY = 50_000  # rows
HANDED_BYTES = 256_000_000
DAY_US = 86_400_000_000
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Writing:
    """Rows that are written as files below a folder.

    Parameters
    ----------
    rows : in the order of their `sorting`; as they come, where that is empty.
    lies_in_order : whether they come in this order already.
    run : runs a statement, on a connection of its own if one is given.
    partitioned : by the day of `window_start`, by which the rows are sorted first, if at all.
    """

    rows: PackedRows
    lies_in_order: bool
    run: Callable[[str, Parameters | None, duckdb.DuckDBPyConnection | None], Any]
    folder: Path
    partitioned: bool
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def write(self) -> int:
        """Write the files; the rows written."""
        if self.partitioned and self.rows.sorting:
            with ThreadPoolExecutor(self.rows.threads, thread_name_prefix="write") as pool:
                return sum(
                    sum(pool.map(lambda piece: self._hand_over(*piece), some)) for some in self._by_days()
                )
        if self._packing:
            return self._hand_over(self.rows.all(), self._unpacked)
        return self._copy(self._sql, None, self.rows.parameters)

    @property
    def _packing(self) -> Packing | None:
        """How rows are packed to sort them; None where they are not."""
        return self.rows.packing if self.rows.sorting and not self.lies_in_order else None

    @property
    def _sql(self) -> str:
        """What to select the rows from, in their order."""
        order = "" if self.lies_in_order else ", ".join(map(quote_identifier, self.rows.sorting))
        return f"({self.rows.sql}) as r{f' order by {order}' if order else ''}"

    @property
    def _unpacked(self) -> str:
        """The same, of packed rows that are handed over."""
        listed = ", ".join(quote_identifier(name) for name, _ in self.rows.columns)
        return f"(select {listed} from ({self.rows.unpacked}) as r) as r"

    def _by_days(self) -> Iterator[list[tuple[pa.Table, str, list[int]]]]:
        """Rows in order to hand over, what to select them from then, and the days that they are of.

        Those that are told together may be handed over at the same time; they are overwritten by the next.
        """
        packing = self._packing
        if packing:
            for numbers in self.rows.numbers():
                cuts = some_days(*packing.days(numbers))
                yield [(packing.table(numbers[begin:end]), self._unpacked, days) for days, begin, end in cuts]
            return
        found = batches(self.rows.connection, f"select * from {self._sql}", self.rows.parameters)
        for table in coalesced(found, HANDED_BYTES):
            cuts = some_days(*_days(table))
            yield [(table.slice(begin, end - begin), HANDED, days) for days, begin, end in cuts]

    def _hand_over(
        self, rows: pa.Table | pa.RecordBatchReader, sql: str, days: Sequence[int] | None = None
    ) -> int:
        with at_work(self.rows.connection.cursor()) as cursor:
            cursor.register(HANDED, rows)
            return self._copy(sql, days, connection=cursor)

    def _copy(
        self,
        rows: str,
        days: Sequence[int] | None,
        parameters: Parameters | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> int:
        """Copy what is selected from `rows`.

        Parameters
        ----------
        days : since 1970, that it is of, where that is known.
        """
        folder, columns = self.folder / f"{next(self._numbers)}", "*"
        options = copy_options(kind for _, kind in self.rows.columns)
        if self.partitioned and days is not None and len(days) == 1:
            folder /= f"{PARTITION}={EPOCH + timedelta(days[0])}"
        elif self.partitioned:
            columns = f"*, cast(window_start as date) as {PARTITION}"
            options += f", partition_by ({PARTITION}), filename_pattern '{{uuid}}'"
        folder.mkdir(parents=True)
        target = folder if columns != "*" else folder / "part.parquet"
        copy = f"copy (select {columns} from {rows}) to {quote_literal(str(target))} ({options})"
        return int(self.run(copy, parameters, connection).fetchall()[0][0])


def some_days(days: Iterable[int], ends: Iterable[int]) -> Iterator[tuple[list[int], int, int]]:
    """Large days by themselves, and small ones together: which, and where their rows begin and end.

    Parameters
    ----------
    days, ends : each day, and where its rows end; days without rows are left out.

    Examples
    --------
    >>> list(some_days([1, 2, 3, 4], [10, 60_010, 60_010, 60_020]))
    [([1], 0, 10), ([2], 10, 60010), ([4], 60010, 60020)]
    >>> list(some_days([1, 2, 3], [10, 20, 40_000]))
    [([1, 2, 3], 0, 40000)]
    """
    some: list[int] = []
    begin = before = 0
    for day, end in zip(days, map(int, ends), strict=True):
        if end == before:
            continue
        if some and end - before >= LARGE_DAY:
            yield some, begin, before
            some, begin = [], before
        some.append(day)
        if end - begin >= LARGE_DAY:
            yield some, begin, end
            some, begin = [], end
        before = end
    if some:
        yield some, begin, before


def _days(table: pa.Table) -> tuple[list[int], list[int]]:
    """The days since 1970 (UTC) of rows in their order, and where each ends."""
    import numpy as np
    import pyarrow as pa

    day = table["window_start"].cast(pa.int64()).to_numpy() // DAY_US
    ends = [*(np.flatnonzero(day[1:] != day[:-1]) + 1), len(day)]
    return [int(day[end - 1]) for end in ends if end], ends if len(day) else []
