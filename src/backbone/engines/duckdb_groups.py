"""Rows in the order of their groups as Arrow batches: as they lie, packed into numbers, or sorted."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbone.contract import quote_identifier
from backbone.engines import packed
from backbone.engines.order import OutOfOrder, in_order, is_ascending
from backbone.engines.packed import Packing
from backbone.engines.protocol import Parameters

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

BATCH_ROWS = 1_000_000  # of sorted rows; smaller batches cost a fifth more


@dataclass(frozen=True)
class GroupedRows:
    """The rows of a query, to be read group by group; see `Engine.map_groups`.

    Parameters
    ----------
    columns : names and types of the query's columns.
    scratch : a folder for what does not fit into memory.
    """

    connection: duckdb.DuckDBPyConnection
    scratch: Path
    sql: str
    columns: tuple[tuple[str, str], ...]
    by: Sequence[str]
    values: Mapping[str, str]
    order: Sequence[str]
    parameters: Parameters

    def attempts(self) -> Iterator[Generator[pa.RecordBatch]]:
        """Ways to read them, the cheapest first; each but the last may raise `OutOfOrder` on the way."""
        for read in (self._as_they_lie, self._packed, self._sorted):
            yield _without(read(), list(self._added))

    @property
    def _positions(self) -> list[str]:
        """What the columns of `order` are called in the batches: as they are handed over, if they are."""
        handed = {expression: value for value, expression in self.values.items()}
        return [handed.get(quote_identifier(c), f"_order_{index}") for index, c in enumerate(self.order)]

    @property
    def _added(self) -> dict[str, str]:
        """Columns of `order` that are in the batches for their order alone, by what they are called there."""
        named = zip(self._positions, self.order, strict=True)
        return {position: column for position, column in named if position not in self.values}

    @cached_property
    def _listed(self) -> str:
        return ", ".join(
            [
                *map(quote_identifier, self.by),
                *(f"{expression} as {quote_identifier(value)}" for value, expression in self.values.items()),
                *(f"{quote_identifier(column)} as {position}" for position, column in self._added.items()),
            ]
        )

    def _as_they_lie(self) -> Iterator[pa.RecordBatch]:
        return in_order(self._batches(f"select {self._listed} from ({self.sql}) as r"), self._sorting)

    def _sorted(self) -> Iterator[pa.RecordBatch]:
        keys = [*map(quote_identifier, (*self.by, *self.order)), *self._ties]
        ordered = f"select * from ({self.sql}) as r order by {', '.join(keys)}"
        return in_order(self._batches(f"select {self._listed} from ({ordered}) as r"), self._sorting)

    @property
    def _sorting(self) -> list[str]:
        return [*self.by, *self._positions]

    @property
    def _ties(self) -> list[str]:
        """What else to sort by, so that the order of rows is the same each time.

        DuckDB shortens integers to what they hold. Keys over 32 bytes cost five times as much, and doubles
        are soon that long: a hash of them does as well, since rows of equal hashes are the same rows.
        """
        others = [(name, kind) for name, kind in self.columns if name not in (*self.by, *self.order)]
        names = [quote_identifier(name) for name, _ in others]
        whole = all(re.fullmatch(r"BOOLEAN|U?(TINY|SMALL|BIG)?INT(EGER)?", kind) for _, kind in others)
        return names if whole else [f"hash({', '.join(names)})"]

    def _packed(self) -> Iterator[pa.RecordBatch]:
        """Rows of whole numbers in order.

        Raises
        ------
        OutOfOrder
            Before any batch, where they can't be packed.
        """
        import pyarrow as pa

        sorting = (*self.by, *self.order)
        found = packed.packing(self.sql, self.columns, sorting, self._fetch)
        if found is None or any(field.nullable for field in found.fields[: len(sorting)]):
            raise OutOfOrder
        unpacked = f"select {self._listed} from ({found.unpacked('packed')}) as r"
        for numbers in self._numbers(found):
            yield from self._batches(unpacked, {"packed": pa.table({"k": numbers})})

    def are_distinct(self) -> bool:
        """Whether no row occurs twice."""
        found = packed.packing(self.sql, self.columns, self.by, self._fetch)
        if found is not None:
            return not any((numbers[1:] == numbers[:-1]).any() for numbers in self._numbers(found))
        listed = ", ".join(quote_identifier(name) for name, _ in self.columns)
        grouped = f"select 1 from ({self.sql}) as r group by {listed} having count(*) > 1 limit 1"
        return not self._fetch(grouped)

    def are_ascending(self) -> bool:
        """Whether each row is larger than the one before it; one with a null or a NaN is not."""
        found = packed.packing(self.sql, self.columns, self.by, self._fetch)
        if found is None:
            return is_ascending(self._batches(self.sql))
        return not any(field.nullable for field in found.fields) and is_ascending(
            self._batches(found.numbers)
        )

    def _numbers(self, found: Packing) -> Iterator[npt.NDArray[np.int64]]:
        """The packed rows in order, part by part."""
        batches = (batch.column(0).to_numpy() for batch in self._batches(found.numbers))
        return packed.in_order(batches, found.rows, self._most_packed, self.scratch)

    @property
    def _most_packed(self) -> int:
        """How many packed rows are sorted at a time: an eighth of the memory holds them."""
        limit = self._fetch("select parse_formatted_bytes(current_setting('memory_limit'))")[0][0]
        return int(limit) // (8 * 8)

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, used_of(sql, self.parameters)).fetchall()

    def _batches(self, sql: str, tables: Mapping[str, pa.Table] | None = None) -> Generator[pa.RecordBatch]:
        """A query's rows in large batches, at least one; `tables` are what it names beside the engine's."""
        import pyarrow as pa

        cursor = self.connection.cursor()
        try:
            for name, table in (tables or {}).items():
                cursor.register(name, table)
            reader = cursor.sql(sql, params=used_of(sql, self.parameters)).to_arrow_reader(BATCH_ROWS)
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            yield from reader
        finally:
            cursor.close()


def _without(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Generator[pa.RecordBatch]:
    for batch in batches:
        yield batch.drop_columns(list(columns)) if columns else batch


def used_of(sql: str, parameters: Parameters | None) -> dict[str, Any] | None:
    """Those parameters that a text names, as DuckDB accepts no others."""
    unquoted = re.sub(r"\"[^\"]*\"|'[^']*'", "", sql) if parameters else ""
    found = {n: value for n, value in (parameters or {}).items() if re.search(rf"\${n}\b", unquoted)}
    return found or None
