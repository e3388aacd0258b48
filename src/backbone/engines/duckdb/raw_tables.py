"""Raw files as staged tables of one connection: each record with its position and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from backbone.contracts.contract import quote_identifier, quote_literal
from backbone.engines.duckdb.raw_file import TEXT, MalformedFile, RawFile
from backbone.engines.duckdb.raw_sql import (
    given_columns,
    nested_columns,
    places,
    raw_rows,
    rows_of_files,
    text_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

INCOMING = "incoming records"
SMALL = 4 * 1024 * 1024  # bytes of a file


class RawTables:
    """The tables that raw files were loaded into, by the names that they have in SQL.

    A table is a view that adds `_row` and `_line` to the rows as they were read: their place in the table is
    their place in the file.

    Where each record makes several rows, `width` of them, `_record` is added too: the record's position. Rows
    whose column `_bad` is a list of one text are left out of the table then; they are in a view whose name
    ends in `_left_out`.

    Parameters
    ----------
    run : runs a statement.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, run: Callable[[str], duckdb.DuckDBPyConnection]
    ) -> None:
        self._connection, self._run = connection, run
        self._names: set[str] = set()

    def types(self, file: RawFile) -> list[str]:
        """The SQL type of each column of a file."""
        if file.format != "parquet":
            return ["VARCHAR"] * len(file.columns)
        with _malformed():
            found = self._run(
                f"describe select *{nested_columns(file)} from read_parquet({quote_literal(str(file.path))}, "
                f"hive_partitioning = false) as p({', '.join(places(file))})"
            ).fetchall()
        return [row[1] for row in found]

    def load(self, name: str, file: RawFile, levels: Sequence[str], width: int | None = None) -> int:
        """Read one file; returns its records."""
        rows = quote_identifier(f"{name}_rows")
        with self._in_order(file.path.stat().st_size), _malformed():
            loaded = self._run(
                f"create or replace table {rows} as {_nested(levels, raw_rows(file))}"
            ).fetchall()
        self.number_lines(name, None, width)
        return _records(int(loaded[0][0]), width)

    def load_files(
        self, name: str, files: Sequence[RawFile], levels: Sequence[str], width: int | None = None
    ) -> list[int]:
        """Read CSV files that are laid out alike, one after the other; returns the records of each."""
        rows = quote_identifier(f"{name}_rows")
        with self._in_order(0), _malformed():
            self._run(
                f"create or replace table {rows} as "
                f"{_nested(levels, rows_of_files(files, '_file'), after=['_file'])}"
            )
        sql = f"select _file, min(rowid), max(rowid), count(*) from {rows} group by _file"
        found = {file: (first, last, count) for file, first, last, count in self._run(sql).fetchall()}
        self._run(f"alter table {rows} drop column _file")
        self.number_lines(name, None, width)
        counts, begin = [], 0
        for file in files:
            first, last, count = found.get(str(file.path), (begin, begin - 1, 0))
            if (first, last) != (begin, begin + count - 1):
                raise MalformedFile(f"rows of several files are mixed: {file.path}")
            counts.append(_records(count, width))
            begin += count
        return counts

    def load_stream(
        self, name: str, rows: pa.RecordBatchReader, levels: Sequence[str], width: int | None = None
    ) -> int:
        """Take records that were read elsewhere, with their positions; returns how many."""
        self._connection.register(INCOMING, rows)
        before = ["_row"] if width is None else []
        try:
            with self._in_order(SMALL + 1):
                loaded = self._run(
                    f"create or replace table {self._table(name, width)} as "
                    f"{_nested(levels, quote_identifier(INCOMING), before=before)}"
                )
                count = int(loaded.fetchall()[0][0])
        finally:
            self._connection.unregister(INCOMING)
        return self._shown(name, width, count)

    def _table(self, name: str, width: int | None) -> str:
        """The table to load numbered rows into; where records make several, the name is that of a view."""
        if width is None:
            return quote_identifier(name)
        self._names.add(name)
        return quote_identifier(f"{name}_rows")

    def _shown(self, name: str, width: int | None, rows: int) -> int:
        """Let a table of numbered rows have those that are not left out; returns the records."""
        if width is None:
            return rows
        self._show(name, f"select * from {quote_identifier(f'{name}_rows')}", several=True)
        return _records(rows, width)

    def _show(self, name: str, sql: str, several: bool) -> None:
        if several:
            out = quote_identifier(f"{name}_left_out")
            self._run(f"create or replace view {out} as select * from ({sql}) as r where len(_bad) = 1")
            sql = f"select * from ({sql}) as r where _bad is null or len(_bad) > 1"
        self._run(f"create or replace view {quote_identifier(name)} as {sql}")

    def load_parquet_files(
        self,
        name: str,
        files: Sequence[RawFile],
        labels: Sequence[str],
        levels: Sequence[str],
        width: int | None = None,
    ) -> int:
        """Read Parquet files with equal columns; returns their records."""
        paths = [str(file.path) for file in files]
        listed = ", ".join(map(quote_literal, paths))
        named = ", ".join(
            f"({', '.join([quote_literal(str(file.path)), quote_literal(label), *given_columns(file)])})"
            for file, label in zip(files, labels, strict=True)
        )
        given = [f"g{i}" for i in range(len(files[0].given))]
        columns = ", ".join(places(files[0]))
        raw = (
            f"(select {', '.join([columns, *given])}{nested_columns(files[0])}, "
            f"{text_of(files[0])} as {TEXT}, f.batch as _batch, "
            "p.file_row_number as _row, cast(null as bigint) as _line "
            f"from read_parquet([{listed}], hive_partitioning = false, filename = true, "
            f"file_row_number = true) as p({columns}) "
            f"join (values {named}) as f({', '.join(['path', 'batch', *given])}) on f.path = p.filename)"
        )
        before = ["_row", "_line", "_batch"] if width is None else []
        with self._in_order(0), _malformed():
            loaded = self._run(
                f"create or replace table {self._table(name, width)} as {_nested(levels, raw, before=before)}"
            ).fetchall()
        return self._shown(name, width, int(loaded[0][0]))

    def number_lines(
        self, name: str, lines: int | pa.RecordBatchReader | None, width: int | None = None
    ) -> None:
        """Say on which lines the records of a loaded table begin."""
        self._names.add(name)
        rows, numbers = quote_identifier(f"{name}_rows"), quote_identifier(f"{name}_lines")
        ordinal = "rowid" if width is None else f"rowid // {width}"
        line = "cast(null as bigint)" if lines is None else f"{ordinal} + {lines}"
        record = "" if width is None else f"{ordinal} as _record, "
        numbered = f"select rowid as _row, {line} as _line, {record}* from {rows}"
        if not isinstance(lines, int | None):
            self._connection.register(INCOMING, lines)
            try:
                self._run(f"create or replace table {numbers} as select * from {quote_identifier(INCOMING)}")
            finally:
                self._connection.unregister(INCOMING)
            record = "" if width is None else f"n._row // {width} as _record, "
            numbered = f"select n.*, {record}r.* from {rows} as r positional join {numbers} as n"
        self._show(name, numbered, several=width is not None)

    def drop(self, name: str) -> bool:
        """Forget a loaded table; whether there was one of this name."""
        if name not in self._names:
            return False
        self._names.remove(name)
        for view in (name, f"{name}_left_out"):
            self._run(f"drop view if exists {quote_identifier(view)}")
        for table in (f"{name}_rows", f"{name}_lines"):
            self._run(f"drop table if exists {quote_identifier(table)}")
        return True

    @contextmanager
    def _in_order(self, size: int) -> Iterator[None]:
        """Keep the optimizer from reading `x in (...)` as a join, which gives rows in another order.

        To plan that join takes a time that grows with the square of the columns. The rest of the optimizer
        takes about half a millisecond a field, which a file of few bytes does not give back.
        """
        small = size <= SMALL
        self._connection.execute(
            "pragma disable_optimizer" if small else "set disabled_optimizers = 'in_clause'"
        )
        try:
            yield
        finally:
            self._connection.execute("pragma enable_optimizer" if small else "reset disabled_optimizers")


def _records(rows: int, width: int | None) -> int:
    """How many records have made some rows."""
    if rows % (width or 1):
        raise MalformedFile(f"expected {width} rows of each record, found {rows} rows")
    return rows // (width or 1)


def _nested(
    levels: Sequence[str], rows: str, *, before: Sequence[str] = (), after: Sequence[str] = ()
) -> str:
    """A query of the last level; further columns of `rows` are passed on, before or after its own."""
    sql = ""
    for number, level in enumerate(levels):
        alias = "v" if number else "raw"
        listed = [*(f"{alias}.{name}" for name in before), level, *(f"{alias}.{name}" for name in after)]
        sql = f"select {', '.join(listed)} from {f'({sql})' if number else rows} as {alias}"
    return sql


@contextmanager
def _malformed() -> Iterator[None]:
    """Tell a file that can't be parsed from an engine that fails."""
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise MalformedFile(str(error)) from error
