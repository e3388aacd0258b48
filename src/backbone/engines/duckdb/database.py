"""A local DuckDB: where files are landed and formatted, the ledger is kept and queries are answered.

It is no `Engine`. What it runs need not be portable, and a name may come to mean something else.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from backbone.dataset import Dataset
from backbone.engines.duckdb.failures import engine_failures
from backbone.engines.duckdb.parameters import used_of
from backbone.engines.duckdb.raw_file import RawFile
from backbone.engines.duckdb.raw_tables import RawTables
from backbone.engines.duckdb.read import all_rows, scan
from backbone.engines.duckdb.types import delta_field
from backbone.errors import EngineFailed, TableDamaged
from backbone.interrupts import at_work
from backbone.lake.publish import Staged
from backbone.lake.table import PARTITION, TableVersion
from backbone.quoting import quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa

Parameters = Mapping[str, Any]

FEWEST_PACKED = 20_000  # rows; fewer are compared and sorted by the database in no time


class Database:
    """An in-memory DuckDB whose sessions run in UTC.

    Parameters
    ----------
    memory_limit : such as `4GB`; what does not fit goes to `scratch`.
    threads : None for one per core.
    scratch : a folder for spilled data, made when needed.
    """

    def __init__(self, *, memory_limit: str, threads: int | None, scratch: Path) -> None:
        self.scratch = scratch
        self.threads = threads or len(getattr(os, "sched_getaffinity", _all_cores)(0))
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        if threads:
            config["threads"] = threads
        with suppress(OSError):  # nothing is written to a project that can only be read
            scratch.mkdir(parents=True, exist_ok=True)  # DuckDB makes no folder below one that is not there
        self.connection = at_work(duckdb.connect(":memory:", config=config))
        self.connection.execute("set global TimeZone = 'UTC'")
        self.connection.execute("set global parquet_metadata_cache = true")
        self._zones: set[str] = set()
        self._raw = RawTables(self.connection, self.run)
        self.numbers = itertools.count()  # for names of which none is used again

    def read(self, table: TableVersion) -> None:
        """From now on `zone.table` in SQL means this version."""
        dataset = Dataset.of(table.dataset)
        zone, name = dataset.zone, dataset.name
        if zone not in self._zones:
            self.run(f"create schema {quote_identifier(zone)}")
            self._zones.add(zone)
        view = f"{quote_identifier(zone)}.{quote_identifier(name)}"
        try:
            self.run(f"create or replace view {view} as {all_rows(table)}")
        except TableDamaged:
            raise
        except EngineFailed as error:
            raise EngineFailed(
                table.dataset, error.problem, error.state, error.next_step
            ) from error.__cause__

    def raw_types(self, file: RawFile) -> list[str]:
        """The SQL type of each column of a raw file; VARCHAR throughout for text formats."""
        return self._raw.types(file)

    def load(
        self,
        name: str,
        file: RawFile | pa.RecordBatchReader,
        levels: Sequence[str],
        width: int | None = None,
    ) -> int:
        """Stage a raw file as table `name`, one row per record, and return the number of records.

        `file` may be a stream of the records of a file that was read elsewhere, which has a column `_row`:
        their positions, as below. Each of `levels` is a list of expressions. The first is over the file's
        columns, by position written `raw.c0`, or over those of the stream, and, of a file, over `raw.{TEXT}`,
        which is the whole record as JSON for a file of typed columns and null for text. Every further one is
        over the one before it, written `v.name`. The staged table has a column `_row` before those of the
        last: the record's position in the file, from 0; and a column `_line`, null until `number_lines`.

        With `width`, the levels make so many rows of each record, and `_row` is the row's position among all
        of them; `_record` is the record's. Rows whose column `_bad` is a list of one text are not in the
        table; `left_out` counts them by this text. The levels select both positions for a stream.

        Raises
        ------
        MalformedFile
            When a record can't be parsed; nothing is staged.
        """
        self.drop(name)
        if isinstance(file, RawFile):
            return self._raw.load(name, file, levels, width)
        return self._raw.load_stream(name, file, levels, width)

    def load_files(
        self, name: str, files: Sequence[RawFile], levels: Sequence[str], width: int | None = None
    ) -> list[int]:
        """Stage CSV files that are laid out alike as one table, as `load` does with one.

        Returns
        -------
        The records of each file; in the table they come in the order of the files and of the records.
        """
        self.drop(name)
        return self._raw.load_files(name, files, levels, width)

    def load_parquet_files(
        self,
        name: str,
        files: Sequence[RawFile],
        labels: Sequence[str],
        levels: Sequence[str],
        width: int | None = None,
    ) -> int:
        """Stage several Parquet files with equal columns as one table, as `load` does with one.

        The staged table has a column `_batch` too, the label of the row's file; `_row` is the record's
        position in its file.
        """
        self.drop(name)
        return self._raw.load_parquet_files(name, files, labels, levels, width)

    def left_out(self, name: str, label: str) -> list[tuple[str, str, int]]:
        """How many rows of a table loaded with a width are left out, and why, for each value of a label."""
        out = quote_identifier(f"{name}_left_out")
        found = self.fetch(f"select {label}, _bad[1], count(*) from {out} as t group by all order by all")
        return [(which, why, count) for which, why, count in found]

    def number_lines(
        self, name: str, lines: int | pa.RecordBatchReader | None, width: int | None = None
    ) -> None:
        """Fill the column `_line` of a loaded table: with `_row` and a number, or with null.

        Of a reader's columns, one value for each row, all are added; `_row` and `_line` are among them.
        """
        self._raw.number_lines(name, lines, width)

    def create(self, name: str, sql: str, parameters: Parameters | None = None) -> int:
        """Stage the result of a query as table `name`, in place of any before it; returns its rows."""
        made = self.run(f"create or replace table {quote_identifier(name)} as {sql}", parameters)
        return int(made.fetchall()[0][0])

    def insert(self, name: str, sql: str, parameters: Parameters | None = None) -> int:
        """Append the result of a query to a staged table; returns the rows added."""
        return int(self.run(f"insert into {quote_identifier(name)} {sql}", parameters).fetchall()[0][0])

    def take(self, name: str, data: pa.RecordBatchReader | pa.Table) -> int:
        """Stage Arrow data as table `name`, in place of any before it; returns its rows."""
        with self.handed_over(data) as incoming:
            return self.create(name, f"select * from {incoming}")

    @contextmanager
    def handed_over(self, data: pa.RecordBatchReader | pa.Table) -> Iterator[str]:
        """The name by which SQL reads Arrow data, meanwhile."""
        incoming = f"_incoming_{next(self.numbers)}"
        self.connection.register(incoming, data)
        try:
            yield incoming
        finally:
            self.connection.unregister(incoming)

    def drop(self, name: str) -> None:
        """Forget a staged table."""
        if not self._raw.drop(name):
            self.run(f"drop table if exists {quote_identifier(name)}")

    def columns(self, sql: str, parameters: Parameters | None = None) -> list[tuple[str, str]]:
        """Names and SQL types of a query's columns, without running it."""
        return [(row[0], row[1]) for row in self.run(f"describe {sql}", parameters).fetchall()]

    def is_query(self, sql: str) -> bool:
        """Whether a text is exactly one SELECT, and so changes nothing."""
        statements = duckdb.extract_statements(sql)
        return [s.type for s in statements] == [duckdb.StatementType.SELECT]

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        found = self.run(sql, parameters)
        with engine_failures(sql):
            return found.fetchall()

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """A result of any size as Arrow batches, on a connection of its own."""
        used = used_of(sql, parameters)
        with engine_failures(sql):
            return at_work(self.connection.cursor()).sql(sql, params=used).to_arrow_reader(100_000)

    def files_holding(self, table: TableVersion, condition: str) -> list[str]:
        """Those of a version's files that hold a row for which the condition is true."""
        if not table.files:
            return []
        found = self.fetch(
            f"select distinct filename from {scan(table, 'filename = true')} where {condition}"
        )
        plain = {row[0] for row in found}
        return [file for file in table.files if file.removeprefix("file://") in plain]

    def write(
        self,
        sql: str,
        folder: Path,
        parameters: Parameters | None = None,
        *,
        order: Sequence[str] = (),
        in_order: bool = False,
        partitioned: bool = False,
    ) -> Staged:
        """Write a query's rows as Parquet files below `folder`, to be published.

        Parameters
        ----------
        order : the columns to sort by; in stored order, if none.
        in_order : whether the rows come in this order already.
        partitioned : by the day of `window_start`, which is a further column of what is published.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from backbone.engines.duckdb.packing.packed_rows import PackedRows
        from backbone.engines.duckdb.write import Writing

        target = folder / f"{next(self.numbers)}"
        columns = tuple(self.columns(sql, parameters))
        sorting = [name or asked for name, asked in zip(spelt(order, columns), order, strict=True)]
        ordered = PackedRows(self.connection, self.scratch, sql, columns, sorting, parameters, FEWEST_PACKED)
        rows = Writing(ordered, in_order, self.run, target, partitioned).write()
        files = tuple(sorted(target.rglob("*.parquet"))) if rows else ()
        if rows == 0:
            shutil.rmtree(target, ignore_errors=True)
        day = f", cast(window_start as date) as {PARTITION}" if partitioned else ""
        schema = self.stream(f"select *{day} from ({sql}) as r limit 0", parameters).schema
        if files:
            assert [name for name, _ in columns] == pq.read_schema(files[0]).names
        return Staged(files, rows, pa.schema([delta_field(field) for field in schema]), partitioned)

    def close(self) -> None:
        """Free what the database holds."""
        self.connection.close()
        shutil.rmtree(self.scratch / "spill", ignore_errors=True)

    def run(
        self,
        sql: str,
        parameters: Parameters | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Run a statement; what the machine is short of is an `EngineFailed`."""
        with engine_failures(sql):
            return (connection or self.connection).execute(sql, used_of(sql, parameters))


@contextmanager
def own_database(memory_limit: str = "1GB", threads: int | None = None) -> Iterator[Database]:
    """A database for work outside any project; all that it holds is gone afterwards."""
    with TemporaryDirectory(prefix="backbone-") as scratch:
        database = Database(memory_limit=memory_limit, threads=threads, scratch=Path(scratch))
        try:
            yield database
        finally:
            database.close()


def spelt(names: Sequence[str], columns: Sequence[tuple[str, str]]) -> list[str | None]:
    """Names as columns are spelt that the database takes for the same; None for those that are not there."""
    there = {name.lower(): name for name, _ in columns} | {name: name for name, _ in columns}
    return [there.get(name, there.get(name.lower())) for name in names]


def _all_cores(_: int) -> range:
    return range(os.cpu_count() or 1)
