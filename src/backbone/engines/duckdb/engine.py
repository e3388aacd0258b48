"""DuckDB, in this process: the engine Backbone comes with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from backbone.engines.batch_coalesce import coalesced
from backbone.engines.duckdb.database import FEWEST_PACKED, Database, spelt
from backbone.engines.duckdb.read import all_rows, in_range, rows_within
from backbone.engines.duckdb.staged_files import StagedFiles
from backbone.engines.duckdb.types import arrow_schema, sql_type
from backbone.engines.order import OutOfOrder, is_ascending
from backbone.engines.protocol import GroupTask, Parameters
from backbone.engines.relation import Relation, Within
from backbone.engines.sql.functions import DUCKDB
from backbone.errors import EngineFailed
from backbone.lake.publish import Staged
from backbone.lake.table import TableVersion
from backbone.quoting import quote_identifier, quote_literal

if TYPE_CHECKING:
    import pyarrow as pa


class StagedTable:
    """A table that grows by one query after the other until it is finished."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._rows, self.finished = 0, False

    def add(self, sql: str, parameters: Parameters | None = None) -> int:
        added = self._database.insert(self._name, sql, parameters)
        self._rows += added
        return added

    def finish(self) -> Relation:
        self.finished = True
        return Relation(self._name, self._rows)


class DuckdbEngine:
    """The `Engine` Protocol on a local database; the names of its relations are never used again."""

    functions = DUCKDB

    def __init__(self, database: Database) -> None:
        self._database = database
        self.scratch, self.threads = database.scratch, database.threads
        self._files = StagedFiles(database)
        self._numbers = database.numbers
        self._names: set[str] = set()  # of relations that are not dropped yet

    def bind(
        self, rows: TableVersion | Relation, within: Within | None = None, name: str | None = None
    ) -> Relation:
        if isinstance(rows, Relation):
            name, source = name or rows.name, rows.name if "." in rows.name else f"main.{rows}"
            sql = f"select * from {source} where {'true' if within is None else in_range(within)}"
        else:
            name = name or rows.dataset
            sql = all_rows(rows) if within is None else rows_within(rows, within)
        # In a schema of its own, so that SQL may go on to call its columns by the table's name.
        schema = self._new("bound")
        view = f"{schema}.{name.rpartition('.')[2]}"
        self._database.run(f"create schema {schema}")
        try:
            self._database.run(f"create view {view} as {sql}")
        except duckdb.InvalidInputException as error:
            raise EngineFailed(
                name,
                f"expected Parquet files that can be read; {' '.join(str(error).split())[:300]}",
                "Nothing of this step is published; what was published before stays.",
                "mend the storage, or compute the table again: backbone run --force",
            ) from error
        return Relation(view)

    def put(self, data: Any, columns: Sequence[str] | None = None) -> Relation:
        import pyarrow as pa

        if not hasattr(data, "__arrow_c_stream__"):
            return self._files_of(data, columns)
        stream = data if isinstance(data, pa.Table) else pa.RecordBatchReader.from_stream(data)
        with self._database.handed_over(stream) as incoming:
            name = self._new("staged")
            query = f"select {self._listed(incoming, columns)} from {incoming}"
            return Relation(name, self._database.create(name, query))

    def _files_of(self, data: Any, columns: Sequence[str] | None) -> Relation:
        paths = [data] if isinstance(data, str | Path) else data
        named = isinstance(paths, list | tuple) and all(isinstance(path, str | Path) for path in paths)
        if not named or not paths:
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
        name = self._new("files")
        self._database.run(f"create view {name} as select {listed} from {source}")
        return Relation(name)

    def _listed(self, source: str, columns: Sequence[str] | None) -> str:
        """Those of some columns that a source has; of one that is spelt in another case, what is there."""
        if columns is None:
            return "*"
        found = spelt(columns, self._database.columns(f"select * from {source}"))
        return ", ".join(quote_identifier(name) for name in dict.fromkeys(found) if name) or "*"

    def stage(self, sql: str, parameters: Parameters | None = None) -> Relation:
        name = self._new("staged")
        sums = [column for column, kind in self._database.columns(sql, parameters) if kind == "HUGEINT"]
        casts = ", ".join(f"cast({column} as bigint) as {column}" for column in map(quote_identifier, sums))
        if sums:  # which are described as numbers of 64 bits
            sql = f"select * replace ({casts}) from ({sql}\n) as r"
        return Relation(name, self._database.create(name, sql, parameters))

    @contextmanager
    def staging(self, schema: pa.Schema) -> Iterator[StagedTable]:
        name = self._new("staged")
        columns = ", ".join(f"{quote_identifier(field.name)} {sql_type(field.type)}" for field in schema)
        self._database.run(f"create table {name} ({columns})")
        table = StagedTable(self._database, name)
        try:
            yield table
        finally:
            if not table.finished:
                self.drop(Relation(name))

    def map_groups(
        self,
        sql: str,
        task: GroupTask,
        parameters: Parameters | None = None,
        *,
        select: str = "*",
        to_file: bool = False,
    ) -> Relation:
        database, name = self._database, self._new("staged")
        columns = tuple(database.columns(sql, parameters))
        from backbone.engines.duckdb.groups import GroupedRows

        rows = GroupedRows(database.connection, self.scratch, sql, columns, task, parameters or {})
        stage = self._files.stage if to_file else self._stage_batches
        for batches in rows.attempts():
            with closing(batches):
                notes: list[str] = []
                try:
                    found = task.run(batches, threads=self.threads, scratch=self.scratch, notes=notes)
                    return Relation(name, stage(name, found, select), tuple(notes))
                except OutOfOrder:
                    database.drop(name)
                except BaseException:
                    self.drop(Relation(name))
                    raise
        self._names.discard(name)
        raise ValueError(
            f"expected no null in what rows are grouped and ordered by: {[*task.by, *task.order]}"
        )

    def _stage_batches(self, name: str, batches: Iterator[pa.RecordBatch], select: str) -> int:
        """Stage batches as a table, in their order; the rows."""
        rows = 0
        for number, part in enumerate(coalesced(batches)):  # a statement costs a millisecond
            with self._database.handed_over(part) as incoming:
                query = f"select {select} from {incoming}"
                rows += (self._database.insert if number else self._database.create)(name, query)
        return rows

    def describe(self, sql: str, parameters: Parameters | None = None) -> pa.Schema:
        columns = self._database.columns(sql, parameters)
        return arrow_schema(
            columns, lambda: self.stream(f"select * from ({sql}) as r limit 0", parameters).schema
        )

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        return self._database.fetch(sql, parameters)

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        import pyarrow as pa

        rows = self._database.stream(sql, parameters)
        wide = pa.decimal128(38, 0)  # a sum of integers, which is described as 64 bits, or truly a decimal
        if wide not in rows.schema.types:
            return rows
        described = zip(rows.schema, self.describe(sql, parameters), strict=True)
        schema = pa.schema([field if found.type == wide else found for found, field in described])
        return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in rows))

    def _new(self, kind: str) -> str:
        """A name that no relation of the database has had."""
        name = f"{kind}_{next(self._numbers)}"
        self._names.add(name)
        return name

    def is_ascending(self, sql: str) -> bool:
        with self._database.stream(sql) as rows:
            return is_ascending(rows)

    def are_distinct(self, sql: str) -> bool:
        from backbone.engines.duckdb.packing.packed_rows import PackedRows

        database, columns = self._database, tuple(self._database.columns(sql))
        names = [name for name, _ in columns]
        rows = PackedRows(database.connection, self.scratch, sql, columns, names, None, FEWEST_PACKED)
        if rows.packing is not None:
            return not any((numbers[1:] == numbers[:-1]).any() for numbers in rows.numbers())
        listed = ", ".join(map(quote_identifier, names))
        repeated = f"select 1 from ({sql}) as r group by {listed} having count(*) > 1 limit 1"
        return not database.fetch(repeated)

    def write(
        self,
        rows: Relation,
        folder: Path,
        *,
        order: Sequence[str] = (),
        in_order: bool = False,
        partitioned: bool = False,
    ) -> Staged:
        if (in_order or not order) and not partitioned:
            staged = self._files.as_staged(rows.name)
            if staged is not None:
                return staged
        return self._database.write(
            f"select * from {rows}", folder, order=order, in_order=in_order, partitioned=partitioned
        )

    def drop(self, *relations: Relation) -> None:
        for relation in relations:
            name, database = relation.name, self._database
            self._names.discard(name.partition(".")[0])
            if self._files.drop(name):
                continue
            if name.startswith("bound_"):
                database.run(f"drop schema if exists {name.partition('.')[0]} cascade")
            elif name.startswith("files_"):
                database.run(f"drop view if exists {name}")
            else:
                database.run(f"drop table if exists {name}")

    def close(self) -> None:
        with suppress(duckdb.Error, EngineFailed):  # it may be closed because the database fails
            self.drop(*map(Relation, tuple(self._names)))
