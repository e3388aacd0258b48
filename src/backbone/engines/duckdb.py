"""DuckDB, in this process: the engine Backbone comes with."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from backbone.contract import quote_identifier, quote_literal
from backbone.engines.order import OutOfOrder, in_order
from backbone.engines.protocol import DOCUMENT, TEXT, MalformedFile, Parameters, RawFile
from backbone.errors import EngineFailed, PipelineError
from backbone.lake.publish import Staged
from backbone.lake.table import PARTITION, TableVersion

if TYPE_CHECKING:
    import pyarrow as pa

MAX_RECORD_BYTES = 2_000_000  # of CSV, as in formatted/grammar.py
GROUPED_ROWS = 1_000_000  # in a batch of sorted rows; smaller ones cost a fifth more
MAX_LINE_BYTES = 16_000_000  # of JSON lines
# Large dictionaries cost a third of the time of writing and save nothing beside the delta encodings of v2.
WRITE_OPTIONS = "format parquet, compression snappy, parquet_version v2, dictionary_size_limit 1000"

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "double": "DOUBLE",
    "float": "FLOAT",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}

# What a Delta table can't hold, and what is stored instead. A sum of BIGINTs is a HUGEINT in DuckDB; one
# that exceeds 64 bits fails loudly when it is cast.
STORED_TYPES = {
    "HUGEINT": "BIGINT",
    "UHUGEINT": "DECIMAL(38,0)",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "UUID": "VARCHAR",
    "JSON": "VARCHAR",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    '"NULL"': "VARCHAR",
}
UNSTORABLE = re.compile(r"^(TIME|TIMETZ|TIME WITH TIME ZONE|INTERVAL|BIT|UNION.*|VARINT|BIGNUM)$")


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
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("set global TimeZone = 'UTC'")
        self._connection.execute("set global parquet_metadata_cache = true")
        self._zones: set[str] = set()
        self._sources: dict[str, str] = {}
        self._arranged: dict[str, str] = {}
        self._loaded: set[str] = set()
        self._shown: set[str] = set()
        self._names = itertools.count()

    def read(self, table: TableVersion) -> None:
        columns = [(column, _duckdb_type(kind)) for column, kind in table.columns]
        if table.files:
            listed = ", ".join(quote_identifier(column) for column, _ in columns)
            source = f"select {listed} from {_scan(table)}"
        else:
            nulls = ", ".join(
                f"cast(null as {kind}) as {quote_identifier(column)}" for column, kind in columns
            )
            source = f"select {nulls} where false"
        self._forget(table.dataset)
        self._view(table.dataset, source)
        self._sources[table.dataset] = source

    def narrow(self, dataset: str, column: str, start: datetime, end: datetime) -> None:
        self._view(
            dataset, f"select * from ({self._sources[dataset]}) as t where {_between(column, start, end)}"
        )

    def arrange(self, dataset: str, column: str, start: datetime, end: datetime) -> None:
        arranged = f"arranged_{next(self._names)}"
        self._connection.execute(
            f"create table {arranged} as select * from ({self._sources[dataset]}) as t "
            f"where {_between(column, start, end)} order by {quote_identifier(column)}"
        )
        self._arranged[dataset] = arranged
        self._sources[dataset] = f"select * from {arranged}"
        self._view(dataset, self._sources[dataset])

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

    def raw_types(self, file: RawFile) -> dict[str, str]:
        if file.format != "parquet":
            return dict.fromkeys(file.columns, "VARCHAR")
        with _malformed():
            found = self._connection.execute(
                "describe select * from read_parquet($path, hive_partitioning = false)",
                {"path": str(file.path)},
            ).fetchall()
        return {row[0]: row[1] for row in found}

    def load(self, name: str, file: RawFile, values: str, select: str) -> int:
        rows = f"{name}_rows"
        with _malformed():
            loaded = self._run(
                f"create or replace table {quote_identifier(rows)} as "
                f"select {select} from (select {values} from {_raw(file)} as raw) as v"
            ).fetchall()[0][0]
        self._run(
            f"create or replace view {quote_identifier(name)} as "
            f"select rowid as _row, * from {quote_identifier(rows)}"
        )
        self._loaded.add(name)
        return int(loaded)

    def load_together(
        self, name: str, files: Sequence[RawFile], labels: Sequence[str], values: str, select: str
    ) -> int:
        paths = [str(file.path) for file in files]
        listed = ", ".join(map(quote_literal, paths))
        named = ", ".join(
            f"({quote_literal(path)}, {quote_literal(label)})"
            for path, label in zip(paths, labels, strict=True)
        )
        columns = ", ".join(map(quote_identifier, files[0].columns))
        fields = ", ".join(f"{quote_literal(name)}: {quote_identifier(name)}" for name in files[0].columns)
        raw = (
            f"(select {columns}, to_json({{{fields}}}) as {TEXT}, f.batch as _batch, "
            f"p.file_row_number as _row "
            f"from read_parquet([{listed}], hive_partitioning = false, filename = true, "
            f"file_row_number = true) as p join (values {named}) as f(path, batch) on f.path = p.filename)"
        )
        with _malformed():
            loaded = self._run(
                f"create or replace table {quote_identifier(name)} as select v._row, v._batch, {select} "
                f"from (select raw._row, raw._batch, {values} from {raw} as raw) as v"
            )
        return int(loaded.fetchall()[0][0])

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
        """Those of some columns that a source has."""
        if columns is None:
            return "*"
        found = [name for name, _ in self.columns(f"select * from {source}")]
        return ", ".join(quote_identifier(name) for name in columns if name in found) or "*"

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
    ) -> int:
        sorting = [*by, *order]
        positions = [f"_order_{index}" for index in range(len(order))]
        listed = ", ".join(
            [
                *map(quote_identifier, by),
                *(f"{expression} as {quote_identifier(value)}" for value, expression in values.items()),
                *(f"{quote_identifier(c)} as {p}" for c, p in zip(order, positions, strict=True)),
            ]
        )
        others = [column for column, _ in self.columns(sql, parameters) if column not in sorting]
        ordered = f"select * from ({sql}) as r order by {', '.join(map(quote_identifier, sorting + others))}"
        for rows in (sql, ordered):
            batches = self._batches(f"select {listed} from ({rows}) as r", parameters)
            try:
                return self._stage(name, function(_without(in_order(batches, [*by, *positions]), positions)))
            except OutOfOrder:
                batches.close()
        raise AssertionError(f"the engine did not keep the order of {sorting}")

    def _batches(self, sql: str, parameters: Parameters | None) -> Generator[pa.RecordBatch]:
        """A query's rows in large batches, at least one."""
        import pyarrow as pa

        used = _used(sql, parameters)
        cursor = self._connection.cursor()
        try:
            reader = cursor.sql(sql, params=used).to_arrow_reader(GROUPED_ROWS)
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            yield from reader
        finally:
            cursor.close()

    def _stage(self, name: str, batches: Iterator[pa.RecordBatch]) -> int:
        """Gather batches in a table, in their order."""
        table, rows = quote_identifier(name), 0
        for number, batch in enumerate(batches):
            incoming = f"_incoming_{next(self._names)}"
            self._connection.register(incoming, batch)
            try:
                verb = f"insert into {table}" if number else f"create or replace table {table} as"
                rows += int(self._run(f"{verb} select * from {incoming}").fetchall()[0][0])
            finally:
                self._connection.unregister(incoming)
        return rows

    def drop(self, name: str) -> None:
        if name in self._shown:
            self._shown.remove(name)
            self._run(f"drop view if exists {quote_identifier(name)}")
            return
        if name in self._loaded:
            self._loaded.remove(name)
            self._run(f"drop view if exists {quote_identifier(name)}")
            name = f"{name}_rows"
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
        used = _used(sql, parameters)
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
        self, sql: str, folder: Path, parameters: Parameters | None = None, *, partitioned: bool = False
    ) -> Staged:
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = folder / f"{next(self._names)}"
        folder.mkdir(parents=True, exist_ok=True)
        described = self.columns(sql, parameters)
        if partitioned:
            options = f"{WRITE_OPTIONS}, partition_by ({PARTITION}), filename_pattern '{{uuid}}'"
            place = target
        else:
            target.mkdir()
            options, place = WRITE_OPTIONS, target / "part.parquet"
        rows = int(
            self._run(f"copy ({sql}) to {quote_literal(str(place))} ({options})", parameters).fetchall()[0][0]
        )
        files = tuple(sorted(target.rglob("*.parquet"))) if rows else ()
        if rows == 0:
            shutil.rmtree(target, ignore_errors=True)
        schema = self.stream(f"select * from ({sql}) limit 0", parameters).schema
        if files:
            written = pq.read_schema(files[0])
            assert [n for n, _ in described if n != PARTITION] == written.names
        return Staged(files, rows, pa.schema([_delta_field(field) for field in schema]), partitioned)

    def storable(self, columns: Sequence[tuple[str, str]], where: str) -> list[tuple[str, str]]:
        stored = []
        for name, kind in columns:
            if UNSTORABLE.match(kind):
                raise PipelineError(
                    where,
                    f"column {name!r} has the type {kind}, which a table can't store",
                    "Nothing was changed.",
                    f"cast {name} to a number, text, date or timestamptz",
                )
            stored.append((name, "VARCHAR" if kind.startswith("ENUM") else STORED_TYPES.get(kind, kind)))
        return stored

    def close(self) -> None:
        self._connection.close()
        shutil.rmtree(self.scratch / "spill", ignore_errors=True)

    def _run(self, sql: str, parameters: Parameters | None = None) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql, _used(sql, parameters))
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise EngineFailed(
                "engine",
                " ".join(str(error).split())[:400],
                "Nothing of this step is published; what was published before stays.",
                "free disk space, or raise [engine] memory_limit in backbone.toml, and run again",
            ) from error


def _all_cores(_: int) -> range:
    return range(os.cpu_count() or 1)


def _without(batches: Iterator[pa.RecordBatch], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.drop_columns(list(columns)) if columns else batch


def _used(sql: str, parameters: Parameters | None) -> dict[str, Any] | None:
    """Those parameters that a text names, as DuckDB accepts no others."""
    found = {name: value for name, value in (parameters or {}).items() if re.search(rf"\${name}\b", sql)}
    return found or None


def _between(column: str, start: datetime, end: datetime) -> str:
    name = quote_identifier(column)
    low, high = (f"make_timestamptz({round(at.timestamp() * 1_000_000)})" for at in (start, end))
    return f"{name} >= {low} and {name} < {high}"


def _scan(table: TableVersion, option: str = "") -> str:
    files = ", ".join(quote_literal(f.removeprefix("file://")) for f in table.files)
    hive = f"true, hive_types = {{'{PARTITION}': DATE}}" if table.partitioned else "false"
    return f"read_parquet([{files}], hive_partitioning = {hive}{', ' if option else ''}{option})"


@contextmanager
def _malformed() -> Iterator[None]:
    """Tell a file that can't be parsed from an engine that fails."""
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise MalformedFile(str(error)) from error


def _raw(file: RawFile) -> str:
    """The FROM item that reads a raw file, one row per record, every column as it is written."""
    path = quote_literal(str(file.path))
    if file.format == "parquet":
        return f"(select *, to_json(p) as {TEXT} from read_parquet({path}, hive_partitioning = false) as p)"
    if file.format == "jsonl":
        # One column and no quoting: each line is a record; a document is parsed once for all fields.
        lines = (
            f"read_csv({path}, columns = {{'l': 'VARCHAR'}}, auto_detect = false, header = false, "
            f"delim = '\x1f', quote = '', escape = '', max_line_size = {MAX_LINE_BYTES}, nullstr = '\x1e')"
        )
        read = "".join(
            f", json_extract_string({DOCUMENT}, {quote_literal(_pointer(name))}) as s{i}"
            for i, name in enumerate(file.columns)
        )
        fields = "".join(
            f", {_exact_number(name, f's{i}')} as {quote_identifier(name)}"
            for i, name in enumerate(file.columns)
        )
        document = f"case when json_valid(l) and json_type(l) = 'OBJECT' then l end as {DOCUMENT}"
        records = f"(select {document} from {lines} where l <> '')"
        values = f"(select {DOCUMENT}{read} from {records})"
        return f"(select cast(null as varchar) as {TEXT}, {DOCUMENT}{fields} from {values})"
    names = [f"c{index}" for index in range(len(file.columns))]
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    options = [
        f"columns = {{{types}}}",
        "auto_detect = false",
        "header = false",
        f"skip = {file.skip}",
        f"delim = {quote_literal(file.delimiter)}",
        f"quote = {quote_literal(file.quote or '')}",
        f"escape = {quote_literal(file.escape or '')}",
        "nullstr = ''",
        "allow_quoted_nulls = false",
        "null_padding = false",
        f"new_line = {quote_literal(file.newline)}",
        f"max_line_size = {MAX_RECORD_BYTES}",
    ]
    renamed = ", ".join(
        f"{name} as {quote_identifier(column)}" for name, column in zip(names, file.columns, strict=True)
    )
    return f"(select {renamed}, cast(null as varchar) as {TEXT} from read_csv({path}, {', '.join(options)}))"


def _exact_number(name: str, value: str) -> str:
    """A field as it is written, where the JSON reader has rounded it to a double.

    Its text is looked for behind the field's name, and taken if it is the same number to that precision.
    """
    key = re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", json.dumps(name, ensure_ascii=False))
    number = r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    behind = quote_literal(key + r"\s*:\s*" + number)
    written = f"regexp_extract({DOCUMENT}, {behind}, 1)"
    return (
        f"case when strlen({value}) >= 16 and regexp_full_match({value}, '-?[0-9.]+([eE][+-]?[0-9]+)?') "
        f"and try_cast({written} as double) = try_cast({value} as double) then {written} else {value} end"
    )


def _pointer(name: str) -> str:
    """A JSON pointer to a field of the top object."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _duckdb_type(delta_type: str) -> str:
    if delta_type.startswith("decimal("):
        return delta_type.upper()
    if delta_type.startswith("array<"):
        return f"{_duckdb_type(delta_type[6:-1])}[]"
    if delta_type.startswith("map<"):
        key, _, value = delta_type[4:-1].partition(",")
        return f"MAP({_duckdb_type(key)}, {_duckdb_type(value)})"
    if delta_type.startswith("struct<"):
        parts = re.split(r",(?![^<(]*[>)])", delta_type[7:-1])
        pairs = (part.partition(":") for part in parts)
        return "STRUCT(" + ", ".join(f"{quote_identifier(n)} {_duckdb_type(k)}" for n, _, k in pairs) + ")"
    return DUCKDB_TYPES[delta_type]


def _delta_field(field: pa.Field) -> pa.Field:
    """Arrow's field as a Delta table stores it: instants in microseconds and UTC."""
    import pyarrow as pa

    if pa.types.is_timestamp(field.type):
        return pa.field(field.name, pa.timestamp("us", "UTC"))
    return field
