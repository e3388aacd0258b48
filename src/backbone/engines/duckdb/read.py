"""A version of a table, or a range of it, as DuckDB reads it from its files."""

from __future__ import annotations

from backbone.engines.duckdb.types import duckdb_type
from backbone.engines.relation import Within
from backbone.engines.sql.functions import DUCKDB
from backbone.lake.table import PARTITION, TableVersion
from backbone.quoting import quote_identifier, quote_literal


def all_rows(table: TableVersion) -> str:
    """A query of all rows of a version."""
    columns = [(quote_identifier(column), duckdb_type(kind)) for column, kind in table.columns]
    if not table.files:
        return f"select {', '.join(f'cast(null as {kind}) as {name}' for name, kind in columns)} where false"
    return f"select {', '.join(name for name, _ in columns)} from {scan(table)}"


def rows_within(table: TableVersion, within: Within) -> str:
    """A query of the rows of a version in a range; only files of its days are looked at."""
    if within.column == "window_start" and table.partitioned:
        table = table.between(within.start, within.end)
    return f"select * from ({all_rows(table)}) as t where {in_range(within)}"


def in_range(within: Within) -> str:
    """SQL that is true for the rows of a range."""
    name = quote_identifier(within.column)
    return f"{name} >= {DUCKDB.instant(within.start)} and {name} < {DUCKDB.instant(within.end)}"


def scan(table: TableVersion, option: str = "") -> str:
    """The files of a version, where SQL reads from."""
    files = ", ".join(quote_literal(f.removeprefix("file://")) for f in table.files)
    hive = f"true, hive_types = {{'{PARTITION}': DATE}}" if table.partitioned else "false"
    return f"read_parquet([{files}], hive_partitioning = {hive}{', ' if option else ''}{option})"
