"""DuckDB, in this process: the engine Backbone comes with."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from backbone.contract import quote_identifier, quote_literal
from backbone.engines.batch_coalesce import coalesced
from backbone.engines.duckdb.groups import GroupedRows
from backbone.engines.duckdb.packing.packed_rows import PackedRows, used_of
from backbone.engines.duckdb.raw_tables import RawTables
from backbone.engines.duckdb.staged_files import StagedFiles
from backbone.engines.duckdb.types import delta_field, duckdb_type, stored_type
from backbone.engines.duckdb.write import Writing
from backbone.engines.order import OutOfOrder, is_ascending
from backbone.engines.protocol import Parameters, RawFile
from backbone.errors import ENGINE, EngineFailed, OutOfMemory
from backbone.lake.publish import Staged
from backbone.lake.table import PARTITION, TableVersion

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_PACKED = 20_000  # rows; fewer are compared and sorted by the database in no time


class DuckdbEngine:
    """The `Engine` Protocol on one in-memory DuckDB connection whose sessions run in UTC."""

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
        with suppress(OSError):  # of a project that can only be read nothing is laid down
            scratch.mkdir(parents=True, exist_ok=True)  # DuckDB makes no folder below one that is not there
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("set global TimeZone = 'UTC'")
        self._connection.execute("set global parquet_metadata_cache = true")
        self._zones: set[str] = set()
        self._tables: dict[str, TableVersion] = {}
        self._sources: dict[str, str] = {}
        self._arranged: dict[str, str] = {}
        self._shown: set[str] = set()
        self._files = StagedFiles(self._connection, self._run, scratch)
        self._raw = RawTables(self._connection, self._run)
        self._names = itertools.count()

    def read(self, table: TableVersion) -> None:
        self._forget(table.dataset)
        self._tables[table.dataset] = table
        self._sources[table.dataset] = _rows(table)
        self._view(table.dataset, self._sources[table.dataset])

    def narrow(self, dataset: str, column: str, start: datetime, end: datetime) -> None:
        self._view(dataset, self._range(dataset, column, start, end))

    def arrange(self, dataset: str, column: str, start: datetime, end: datetime) -> None:
        arranged = f"arranged_{next(self._names)}"
        self._connection.execute(
            f"create table {arranged} as {self._range(dataset, column, start, end)} "
            f"order by {quote_identifier(column)}"
        )
        self._arranged[dataset] = arranged
        self._sources[dataset] = f"select * from {arranged}"
        self._view(dataset, self._sources[dataset])

    def _range(self, dataset: str, column: str, start: datetime, end: datetime) -> str:
        """A query of a dataset's rows with `start <= column < end`; only files of its days are looked at."""
        source, table = self._sources[dataset], self._tables[dataset]
        if column == "window_start" and table.partitioned and dataset not in self._arranged:
            source = _rows(table.between(start, end))
        return f"select * from ({source}) as t where {_between(column, start, end)}"

    def _view(self, dataset: str, source: str) -> None:
        """Make a dataset's name mean the rows of a query."""
        zone, _, name = dataset.partition(".")
        if zone not in self._zones:
            self._connection.execute(f"create schema {quote_identifier(zone)}")
            self._zones.add(zone)
        view = f"{quote_identifier(zone)}.{quote_identifier(name)}"
        self._connection.execute(f"create or replace view {view} as {source}")

    def _forget(self, dataset: str) -> None:
        arranged = self._arranged.pop(dataset, None)
        if arranged is not None:
            self._connection.execute(f"drop table {arranged}")

    def raw_types(self, file: RawFile) -> list[str]:
        return self._raw.types(file)

    def load(self, name: str, file: RawFile | pa.RecordBatchReader, levels: Sequence[str]) -> int:
        self.drop(name)
        if isinstance(file, RawFile):
            return self._raw.load(name, file, levels)
        return self._raw.load_stream(name, file, levels)

    def load_files(self, name: str, files: Sequence[RawFile], levels: Sequence[str]) -> list[int]:
        self.drop(name)
        return self._raw.load_files(name, files, levels)

    def number_lines(self, name: str, lines: int | pa.RecordBatchReader | None) -> None:
        self._raw.number_lines(name, lines)

    def load_together(
        self, name: str, files: Sequence[RawFile], labels: Sequence[str], levels: Sequence[str]
    ) -> int:
        self.drop(name)
        return self._raw.load_together(name, files, labels, levels)

    def create(self, name: str, sql: str, parameters: Parameters | None = None) -> int:
        made = self._run(f"create or replace table {quote_identifier(name)} as {sql}", parameters)
        return int(made.fetchall()[0][0])

    def insert(self, name: str, sql: str, parameters: Parameters | None = None) -> int:
        return int(self._run(f"insert into {quote_identifier(name)} {sql}", parameters).fetchall()[0][0])

    def take(self, name: str, data: pa.RecordBatchReader | pa.Table) -> int:
        incoming = f"_incoming_{next(self._names)}"
        self._connection.register(incoming, data)
        try:
            return self.create(name, f"select * from {incoming}")
        finally:
            self._connection.unregister(incoming)

    def show(self, name: str, data: Any, columns: Sequence[str] | None = None) -> None:
        import pyarrow as pa

        if not hasattr(data, "__arrow_c_stream__"):
            paths = [data] if isinstance(data, str | Path) else data
            if (
                not isinstance(paths, list | tuple)
                or not all(isinstance(p, str | Path) for p in paths)
                or not paths
            ):
                raise TypeError(
                    f"expected an Arrow stream, or paths of Parquet files, found {type(data).__name__}"
                )
            files = ", ".join(quote_literal(str(path)) for path in paths)
            source = f"read_parquet([{files}], hive_partitioning = false)"
            try:
                listed = self._listed(source, columns)
            except (duckdb.IOException, duckdb.InvalidInputException, EngineFailed) as error:
                raise EngineFailed(
                    ", ".join(map(str, paths)),
                    f"expected Parquet files that can be read; {' '.join(str(error).split())[:300]}",
                    "Nothing was changed.",
                    "mend the path",
                ) from error
            self._run(f"create or replace view {quote_identifier(name)} as select {listed} from {source}")
            self._shown.add(name)
            return
        incoming = f"_incoming_{next(self._names)}"
        self._connection.register(
            incoming, data if isinstance(data, pa.Table) else pa.RecordBatchReader.from_stream(data)
        )
        try:
            self.create(name, f"select {self._listed(incoming, columns)} from {incoming}")
        finally:
            self._connection.unregister(incoming)

    def _listed(self, source: str, columns: Sequence[str] | None) -> str:
        """Those of some columns that a source has; of one that is spelt in another case, what is there."""
        if columns is None:
            return "*"
        found = _spelt(columns, self.columns(f"select * from {source}"))
        return ", ".join(quote_identifier(name) for name in dict.fromkeys(found) if name) or "*"

    def map_groups(
        self,
        name: str,
        sql: str,
        by: Sequence[str],
        values: Mapping[str, str],
        function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        *,
        order: Sequence[str] = (),
        parameters: Parameters | None = None,
        select: str = "*",
        as_file: bool = False,
    ) -> int:
        stage = self._files.stage if as_file else self._stage
        columns = tuple(self.columns(sql, parameters))
        rows = GroupedRows(self._connection, self.scratch, sql, columns, by, values, order, parameters or {})
        for batches in rows.attempts():
            try:
                return stage(name, function(batches), select)
            except OutOfOrder:
                batches.close()
        raise ValueError(f"expected no null in what rows are grouped and ordered by: {[*by, *order]}")

    def are_distinct(self, sql: str) -> bool:
        columns = tuple(self.columns(sql))
        names = [name for name, _ in columns]
        rows = PackedRows(self._connection, self.scratch, sql, columns, names, None, FEWEST_PACKED)
        if rows.packing is not None:
            return not any((numbers[1:] == numbers[:-1]).any() for numbers in rows.numbers())
        listed = ", ".join(map(quote_identifier, names))
        return not self.fetch(f"select 1 from ({sql}) as r group by {listed} having count(*) > 1 limit 1")

    def is_ascending(self, sql: str) -> bool:
        with self.stream(sql) as rows:
            return is_ascending(rows)

    def _stage(self, name: str, batches: Iterator[pa.RecordBatch], select: str) -> int:
        """Gather batches in a table, in their order."""
        table, rows = quote_identifier(name), 0
        for number, part in enumerate(coalesced(batches)):  # a statement costs a millisecond
            incoming = f"_incoming_{next(self._names)}"
            self._connection.register(incoming, part)
            try:
                verb = f"insert into {table}" if number else f"create or replace table {table} as"
                rows += int(self._run(f"{verb} select {select} from {incoming}").fetchall()[0][0])
            finally:
                self._connection.unregister(incoming)
        return rows

    def rename(self, name: str, new: str) -> None:
        self.drop(new)
        if not self._files.rename(name, new):
            self._run(f"alter table {quote_identifier(name)} rename to {quote_identifier(new)}")

    def drop(self, name: str) -> None:
        if self._files.drop(name):
            return
        if name in self._shown:
            self._shown.remove(name)
            self._run(f"drop view if exists {quote_identifier(name)}")
            return
        if self._raw.drop(name):
            return
        self._run(f"drop table if exists {quote_identifier(name)}")

    def columns(self, sql: str, parameters: Parameters | None = None) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in self._run(f"describe {sql}", parameters).fetchall()]

    def is_query(self, sql: str) -> bool:
        statements = duckdb.extract_statements(sql)
        return [s.type for s in statements] == [duckdb.StatementType.SELECT]

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        return self._run(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        # On a connection of its own, so that what reads it may use the engine meanwhile.
        used = used_of(sql, parameters)
        return self._connection.cursor().sql(sql, params=used).to_arrow_reader(100_000)

    def files_holding(self, table: TableVersion, condition: str) -> list[str]:
        if not table.files:
            return []
        found = self._connection.execute(
            f"select distinct filename from {_scan(table, 'filename = true')} where {condition}"
        ).fetchall()
        plain = {row[0] for row in found}
        return [file for file in table.files if file.removeprefix("file://") in plain]

    def write(
        self,
        sql: str,
        folder: Path,
        parameters: Parameters | None = None,
        *,
        order: Sequence[str] = (),
        lies_in_order: bool = False,
        partitioned: bool = False,
    ) -> Staged:
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = folder / f"{next(self._names)}"
        columns = tuple(self.columns(sql, parameters))
        sorting = [name or asked for name, asked in zip(_spelt(order, columns), order, strict=True)]
        ordered = PackedRows(self._connection, self.scratch, sql, columns, sorting, parameters, FEWEST_PACKED)
        rows = Writing(ordered, lies_in_order, self._run, target, partitioned).write()
        files = tuple(sorted(target.rglob("*.parquet"))) if rows else ()
        if rows == 0:
            shutil.rmtree(target, ignore_errors=True)
        day = f", cast(window_start as date) as {PARTITION}" if partitioned else ""
        schema = self.stream(f"select *{day} from ({sql}) as r limit 0", parameters).schema
        if files:
            assert [name for name, _ in columns] == pq.read_schema(files[0]).names
        return Staged(files, rows, pa.schema([delta_field(field) for field in schema]), partitioned)

    def write_as_it_lies(self, name: str, folder: Path) -> Staged:
        import pyarrow as pa

        query = f"select * from {quote_identifier(name)}"
        file = self._files.of(name)
        if file is None:
            return self.write(query, folder)
        rows = int(self.fetch(f"select count(*) from {quote_identifier(name)}")[0][0])
        schema = pa.schema([delta_field(field) for field in self.stream(f"{query} limit 0").schema])
        return Staged((file,) if rows else (), rows, schema)

    def storable(self, columns: Sequence[tuple[str, str]], where: str) -> list[tuple[str, str]]:
        return [(name, stored_type(name, kind, where)) for name, kind in columns]

    def close(self) -> None:
        self._connection.close()
        shutil.rmtree(self.scratch / "spill", ignore_errors=True)

    def _run(
        self,
        sql: str,
        parameters: Parameters | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> duckdb.DuckDBPyConnection:
        try:
            return (connection or self._connection).execute(sql, used_of(sql, parameters))
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            memory = isinstance(error, duckdb.OutOfMemoryException)
            text = (
                str(error).splitlines()[0] if memory else str(error)
            )  # its advice names settings of its own
            raise (OutOfMemory if memory else EngineFailed)(
                ENGINE,
                " ".join(text.split())[:400],
                "Nothing of this step is published; what was published before stays.",
                "free disk space, or raise [engine] memory_limit in backbone.toml, and run again",
            ) from error
        except RuntimeError as error:  # what DuckDB makes of an interrupt
            raise KeyboardInterrupt if str(error) == "Query interrupted" else error from None


def _spelt(names: Sequence[str], columns: Sequence[tuple[str, str]]) -> list[str | None]:
    """Names as columns are spelt that the database takes for the same; None for those that are not there."""
    there = {name.lower(): name for name, _ in columns} | {name: name for name, _ in columns}
    return [there.get(name, there.get(name.lower())) for name in names]


def _all_cores(_: int) -> range:
    return range(os.cpu_count() or 1)


def _between(column: str, start: datetime, end: datetime) -> str:
    name = quote_identifier(column)
    low, high = (f"make_timestamptz({round(at.timestamp() * 1_000_000)})" for at in (start, end))
    return f"{name} >= {low} and {name} < {high}"


def _rows(table: TableVersion) -> str:
    """A query of all rows of a version."""
    columns = [(quote_identifier(column), duckdb_type(kind)) for column, kind in table.columns]
    if not table.files:
        return f"select {', '.join(f'cast(null as {kind}) as {name}' for name, kind in columns)} where false"
    return f"select {', '.join(name for name, _ in columns)} from {_scan(table)}"


def _scan(table: TableVersion, option: str = "") -> str:
    files = ", ".join(quote_literal(f.removeprefix("file://")) for f in table.files)
    hive = f"true, hive_types = {{'{PARTITION}': DATE}}" if table.partitioned else "false"
    return f"read_parquet([{files}], hive_partitioning = {hive}{', ' if option else ''}{option})"
