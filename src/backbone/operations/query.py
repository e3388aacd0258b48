"""SQL over all zones, with the versions of all tables fixed when it starts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backbone.engines.protocol import Engine, Parameters
from backbone.errors import BackboneError, QueryRefused
from backbone.lake.table import Lake
from backbone.operations.infinite import instants_as_text, is_instant, with_words

if TYPE_CHECKING:
    from rich.console import Console


def open_tables(lake: Lake, engine: Engine, as_of: datetime | None = None) -> None:
    """Let every dataset's name mean its present version, or the one readers saw at an instant."""
    for dataset in lake.datasets():
        table = lake.read(dataset) if as_of is None else lake.as_of(dataset, as_of)
        if table is not None:
            engine.read(table)


def print_rows(
    engine: Engine,
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
        When the engine refuses the query.
    """
    sql = sql.strip().rstrip(";")
    text = f"select * from ({sql}\n) as result"
    try:
        if not engine.is_query(sql):
            raise QueryRefused(
                "query", "expected exactly one SELECT", "Nothing was changed.", "write one, without the rest"
            )
        engine.columns(sql, parameters)
        if form == "table":
            _print_table(engine, text, limit, parameters, console())
        elif form == "json":
            for (line,) in _batched(engine, f"select to_json(result) from ({text}) as result", parameters):
                print(line)  # noqa: T201 - this is the command's output
        else:
            _write(engine, text, form, parameters)
    except (BackboneError, OSError):
        raise
    except Exception as error:
        told = str(error).replace("LINE 1: describe ", "LINE 1: ").replace(" " * 9 + "^", "^")
        raise QueryRefused(
            "query",
            told.strip(),
            "Nothing was changed.",
            "backbone status lists the tables; the text is one SELECT in DuckDB's dialect",
        ) from error


def _batched(engine: Engine, sql: str, parameters: Parameters | None) -> Any:
    for batch in engine.stream(sql, parameters):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _write(engine: Engine, sql: str, form: str, parameters: Parameters | None) -> None:
    reader = engine.stream(sql, parameters)
    out = sys.stdout.buffer
    if form == "parquet":
        if sys.stdout.isatty():
            raise QueryRefused("query", "Parquet is not for a terminal", "", "add > FILE.parquet")
        import pyarrow.parquet as pq

        with pq.ParquetWriter(out, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    import pyarrow as pa
    import pyarrow.csv as csv

    nested = [f.name for f in reader.schema if pa.types.is_nested(f.type) or pa.types.is_binary(f.type)]
    if nested:
        listed = ", ".join(f"cast({_quoted(name)} as varchar) as {_quoted(name)}" for name in nested)
        reader = engine.stream(f"select * replace ({listed}) from ({sql}) as flat", parameters)
    with csv.CSVWriter(out, reader.schema, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
        for batch in reader:
            shown = with_words(batch)
            if shown.schema.equals(batch.schema):
                writer.write_batch(batch)
            else:
                csv.write_csv(shown, out, csv.WriteOptions(include_header=False, quoting_style="needed"))


def _quoted(name: str) -> str:
    from backbone.contract import quote_identifier

    return quote_identifier(name)


def _print_table(
    engine: Engine, sql: str, limit: int, parameters: Parameters | None, console: Console
) -> None:
    from rich.table import Table

    columns = engine.columns(sql, parameters)
    text = instants_as_text(sql, columns)
    rows = engine.fetch(f"select * from ({text}) as shown limit {int(limit) + 1}", parameters)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, kind in columns:
        number = kind.startswith(
            ("BIGINT", "INTEGER", "DOUBLE", "DECIMAL", "HUGEINT", "FLOAT", "SMALLINT", "UBIG")
        )
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows[:limit]:
        table.add_row(
            *(
                _shown_instant(value) if is_instant(kind) else _shown(value)
                for value, (_, kind) in zip(row, columns, strict=True)
            )
        )
    console.print(table, markup=False)
    if len(rows) > limit:
        console.print("… and more; --limit or --format csv shows them")


def _shown_instant(value: str | None) -> str:
    """An instant with all digits of its microseconds, or none."""
    text = value or ""
    return re.sub(r"\.(\d{1,5})$", lambda fraction: f".{fraction[1]:<06}", text)


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
