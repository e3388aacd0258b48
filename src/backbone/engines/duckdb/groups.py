"""Rows in the order of their groups as Arrow batches: in stored order, packed into numbers, or sorted."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.engines.duckdb.packing.code_lookup import batches as batches_of
from backbone.engines.duckdb.packing.code_lookup import code_lookup
from backbone.engines.duckdb.packing.packed_rows import HANDED, PackedRows, batches
from backbone.engines.order import OutOfOrder, in_order
from backbone.engines.protocol import GroupTask, Parameters
from backbone.quoting import quote_identifier

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


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
    task: GroupTask
    parameters: Parameters

    def attempts(self) -> Iterator[Generator[pa.RecordBatch]]:
        """Ways to read them, the cheapest first; each but the last may raise `OutOfOrder` on the way."""
        yield _without(self._in_stored_order(), list(self._added))
        yield self._packed()
        yield _without(self._sorted(), list(self._added))

    @property
    def _positions(self) -> list[str]:
        """What the columns of `order` are called in the batches: as they are handed over, if they are."""
        handed = {expression: value for value, expression in self.task.values.items()}
        return [handed.get(quote_identifier(c), f"_order_{index}") for index, c in enumerate(self.task.order)]

    @property
    def _added(self) -> dict[str, str]:
        """Columns of `order` that are in the batches for their order alone, by what they are called there."""
        named = zip(self._positions, self.task.order, strict=True)
        return {position: column for position, column in named if position not in self.task.values}

    @property
    def _handed(self) -> list[str]:
        values = (
            f"{expression} as {quote_identifier(value)}" for value, expression in self.task.values.items()
        )
        return [*map(quote_identifier, self.task.by), *values]

    @cached_property
    def _listed(self) -> str:
        added = (f"{quote_identifier(column)} as {position}" for position, column in self._added.items())
        return ", ".join([*self._handed, *added])

    def _in_stored_order(self) -> Iterator[pa.RecordBatch]:
        return in_order(self._batches(f"select {self._listed} from ({self.sql}) as r"), self._sorting)

    def _sorted(self) -> Iterator[pa.RecordBatch]:
        keys = [*map(quote_identifier, (*self.task.by, *self.task.order)), *self._ties]
        ordered = f"select * from ({self.sql}) as r order by {', '.join(keys)}"
        return in_order(self._batches(f"select {self._listed} from ({ordered}) as r"), self._sorting)

    @property
    def _sorting(self) -> list[str]:
        return [*self.task.by, *self._positions]

    @property
    def _ties(self) -> list[str]:
        """What else to sort by, so that the order of rows is the same each time.

        DuckDB shortens integers to what they hold. Keys over 32 bytes cost five times as much, and doubles
        are soon that long: a hash of them does as well, since rows of equal hashes are the same rows.
        """
        others = [
            (name, kind) for name, kind in self.columns if name not in (*self.task.by, *self.task.order)
        ]
        names = [quote_identifier(name) for name, _ in others]
        only_integers = all(
            re.fullmatch(r"BOOLEAN|U?(TINY|SMALL|BIG)?INT(EGER)?", kind) for _, kind in others
        )
        return names if only_integers else [f"hash({', '.join(names)})"]

    def _packed(self) -> Generator[pa.RecordBatch]:
        """Rows in order that have been packed into numbers.

        Raises
        ------
        OutOfOrder
            Before any batch, where they can't be packed.
        """
        sorting = (*self.task.by, *self.task.order)
        rows = PackedRows(self.connection, self.scratch, self.sql, self.columns, sorting, self.parameters)
        if rows.packing is None or any(field.nullable for field in rows.packing.fields[: len(sorting)]):
            raise OutOfOrder
        columns = code_lookup(rows.packing, self.task.by, self.task.values, self._of_few)
        if columns is not None:
            for numbers in rows.numbers():
                yield from batches_of(columns, numbers)
            return
        unpacked = f"select {', '.join(self._handed)} from ({rows.unpacked}) as r"
        for table in rows.tables():
            yield from self._batches(unpacked, {HANDED: table})

    def _of_few(self, sql: str, handed: pa.Table) -> pa.Table | None:
        """What a query finds in a small table; None where it fails, which tells of itself elsewhere."""
        import duckdb
        import pyarrow as pa

        try:
            return pa.Table.from_batches(self._batches(sql, {HANDED: handed}))
        except duckdb.Error:
            return None

    def _batches(self, sql: str, tables: Mapping[str, pa.Table] | None = None) -> Iterator[pa.RecordBatch]:
        return batches(self.connection, sql, self.parameters, tables)


def _without(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Generator[pa.RecordBatch]:
    for batch in batches:
        yield batch.drop_columns(list(columns)) if columns else batch
