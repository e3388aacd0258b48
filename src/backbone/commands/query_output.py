"""The rows of a query, printed as a table or in a form for other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from io import RawIOBase
from typing import TYPE_CHECKING, Any

from backbone.engines.duckdb.database import Database, Parameters
from backbone.errors import BackboneError, QueryRefused
from backbone.interrupts import check_interrupt
from backbone.storage_refused import storage_refused

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console


def print_rows(
    database: Database,
    sql: str,
    form: str,
    limit: int,
    parameters: Parameters | None,
    console: Callable[[], Console],
) -> None:
    """Print a query's rows: as a table up to `limit` of them, else all as CSV, JSON lines or Parquet.

    Raises
    ------
    QueryRefused
        When the database refuses the query.
    """
    sql = sql.strip().rstrip(";")
    text = f"select * from ({sql}\n) as result"
    try:
        if not database.is_query(sql):
            raise QueryRefused(
                "query", "expected exactly one SELECT", "Nothing was changed.", "write one, without the rest"
            )
        database.columns(sql, parameters)
        if form == "table":
            _print_table(database, text, limit, parameters, console())
        elif form == "json":
            for (line,) in _batched(database, f"select to_json(result) from ({text}) as result", parameters):
                print(line)  # noqa: T201 - this is the command's output
        else:
            _write(database, text, form, parameters)
    except (BackboneError, BrokenPipeError):
        raise
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        state = "What was printed is not all; nothing was changed."
        raise storage_refused(error, state, "standard output") from error
    except Exception as error:
        reason = str(error).replace("LINE 1: describe ", "LINE 1: ").replace(" " * 9 + "^", "^")
        raise QueryRefused(
            "query",
            reason.strip(),
            "Nothing was changed.",
            "backbone status lists the tables; the text is one SELECT in DuckDB's dialect",
        ) from error


class _Output(RawIOBase):
    """Standard output for a library: between two of its calls here, Python sees to signals."""

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        return sys.stdout.buffer.write(data)


def _batched(database: Database, sql: str, parameters: Parameters | None) -> Any:
    for batch in database.stream(sql, parameters):
        check_interrupt()
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _write(database: Database, sql: str, form: str, parameters: Parameters | None) -> None:
    reader = database.stream(sql, parameters)
    out = _Output()
    if form == "parquet":
        if sys.stdout.isatty():
            raise QueryRefused("query", "Parquet is not for a terminal", "", "add > FILE.parquet")
        import pyarrow.parquet as pq

        with pq.ParquetWriter(out, reader.schema) as writer:
            for batch in reader:
                check_interrupt()
                writer.write_batch(batch)
        return
    import pyarrow as pa
    import pyarrow.csv as csv

    from backbone.operations.far_instants import as_text, has_far

    nested = [f.name for f in reader.schema if pa.types.is_nested(f.type) or pa.types.is_binary(f.type)]
    if nested:
        listed = ", ".join(f"cast({_quoted(name)} as varchar) as {_quoted(name)}" for name in nested)
        reader = database.stream(f"select * replace ({listed}) from ({sql}) as flat", parameters)
    options = csv.WriteOptions(quoting_style="needed")
    with csv.CSVWriter(out, reader.schema, write_options=options) as writer:
        for batch in reader:
            check_interrupt()
            far = [i for i, column in enumerate(batch.columns) if has_far(column)]
            if not far:
                writer.write_batch(batch)
                continue
            for i in far:
                batch = batch.set_column(i, batch.schema.names[i], as_text(batch.column(i)))
            csv.write_csv(batch, out, csv.WriteOptions(include_header=False, quoting_style="needed"))


def _quoted(name: str) -> str:
    from backbone.contracts.contract import quote_identifier

    return quote_identifier(name)


def _print_table(
    database: Database, sql: str, limit: int, parameters: Parameters | None, console: Console
) -> None:
    from rich.table import Table

    columns = database.columns(sql, parameters)
    listed = ", ".join(_as_shown(name, kind) for name, kind in columns)
    times = [kind.startswith("TIMESTAMP") for _, kind in columns]
    rows = database.fetch(f"select {listed} from ({sql}) as shown limit {int(limit) + 1}", parameters)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, kind in columns:
        number = kind.startswith(
            ("BIGINT", "INTEGER", "DOUBLE", "DECIMAL", "HUGEINT", "FLOAT", "SMALLINT", "UBIG")
        )
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows[:limit]:
        cells = zip(row, times, strict=True)
        table.add_row(*(_instant(value) if is_time and value else _shown(value) for value, is_time in cells))
    console.print(table, markup=False)
    if len(rows) > limit:
        console.print("… and more; --limit or --format csv shows them")


def _as_shown(name: str, kind: str) -> str:
    """SQL of a column for a terminal: dates and times as text, as Python has no infinite and no far ones."""
    column = _quoted(name)
    if kind.startswith(("STRUCT", "MAP")):
        return f"cast({column} as varchar) as {column}"
    if not kind.startswith(("TIMESTAMP", "DATE")):
        return column
    dimensions = kind[kind.index("[") :] if "[" in kind else ""
    return f"cast({column} as varchar{dimensions}) as {column}"


def _instant(text: str | list[str]) -> str:
    """The text of a time, without the offset of UTC, and with microseconds where it has a fraction."""
    if not isinstance(text, str):
        return _shown([_instant(each) if each else each for each in text])
    seconds, dot, fraction = text.removesuffix("+00").partition(".")
    return f"{seconds}{dot}{fraction.ljust(6, '0')}" if dot else seconds


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, Decimal | int):
        return str(value)
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = text.replace("\n", "⏎")
    return text if len(text) <= 120 else f"{text[:119]}…"
