"""The same files through DuckDB, Polars and pandas.

Each is given the table's types and its delimiter. After reading, columns are taken by name, where the reader
knows names. Texts become dates and decimals by a conversion that raises, and a null where the contract has
none raises too. What raises is a refusal of the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pollution.reading import Reading
from pollution.tables import Row, Table

CELLS: Mapping[str, Callable[[str], Any]] = {
    "decimal": Decimal,
    "date": date.fromisoformat,
    "instant": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
}


@cache
def _duckdb() -> Any:
    """One database: a cursor on it has its own rejects, and is there ten times sooner than a database."""
    import duckdb

    return duckdb.connect()


def duckdb_detecting(path: Path, table: Table) -> Reading:
    """`read_csv` as it comes: delimiter, quotes, header and types are found out."""
    names = ", ".join(f'"{one.name}"' for one in table.fields)
    with _duckdb().cursor() as connection:
        found = connection.execute(f"select {names} from read_csv($path)", {"path": str(path)})
        return Reading(tuple(_rows(found.fetchall(), table)))


def duckdb_with_schema(path: Path, table: Table) -> Reading:
    """`read_csv` with columns and types, in its strict mode, with a table of rejects."""
    types = {"int": "BIGINT", "decimal": "DECIMAL(10, 2)", "date": "DATE", "instant": "TIMESTAMP"}
    columns = {one.name: types.get(one.kind, "VARCHAR") for one in table.fields}
    for place in range(table.header_cells):
        columns[f"unnamed_{place}"] = "VARCHAR"
    with _duckdb().cursor() as connection:
        rows = connection.execute(
            f"select * from read_csv($path, columns = {columns}, header = true, delim = $delimiter, "
            "quote = '\"', escape = '\"', strict_mode = true, store_rejects = true)",
            {"path": str(path), "delimiter": table.delimiter},
        ).fetchall()
        rejects = connection.execute(
            "select line, any_value(csv_line), any_value(error_message) "
            "from reject_errors group by line order by line"
        ).fetchall()
    bad = tuple((str(text), (str(reason).splitlines()[0],)) for _, text, reason in rejects)
    return Reading(tuple(_rows([row[: len(table.fields)] for row in rows], table)), bad)


def polars(path: Path, table: Table) -> Reading:
    """`read_csv` with a schema."""
    import polars

    types = {
        "int": polars.Int64(),
        "decimal": polars.Decimal(10, 2),
        "date": polars.Date(),
        "instant": polars.Datetime("us"),
    }
    schema = {one.name: types.get(one.kind, polars.String()) for one in table.fields}
    for place in range(table.header_cells):
        schema[f"unnamed_{place}"] = polars.String()
    found = polars.read_csv(path, schema=schema, separator=table.delimiter)
    return Reading(tuple(_rows(found.select([one.name for one in table.fields]).rows(), table)))


def pandas(path: Path, table: Table) -> Reading:
    """`read_csv` with types; `on_bad_lines="error"` is its default. Only an empty field is a null."""
    import pandas

    types = {one.name: "Int64" if one.kind == "int" else "str" for one in table.fields}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pandas.read_csv(
            path,
            sep=table.delimiter,
            dtype=types,
            keep_default_na=False,
            na_values=[""],
            on_bad_lines="error",
        )
    columns = []
    for one in table.fields:
        convert = CELLS.get(one.kind, int if one.kind == "int" else str)
        columns.append([None if pandas.isna(value) else convert(value) for value in found[one.name]])
    return Reading(tuple(_rows(list(zip(*columns, strict=True)), table)))


PEERS: Mapping[str, Callable[[Path, Table], Reading]] = {
    "DuckDB, detecting": duckdb_detecting,
    "DuckDB, with schema": duckdb_with_schema,
    "Polars, with schema": polars,
    "pandas, with types": pandas,
}


def read(peer: str, path: Path, table: Table) -> Reading:
    """What a reader makes of a file; an error is a refusal."""
    try:
        return PEERS[peer](path, table)
    except Exception as error:  # each reader has its own
        return Reading(refused=f"{type(error).__name__}: {error}")


def _rows(rows: Sequence[Sequence[Any]], table: Table) -> list[Row]:
    """Rows as the contract has them.

    Raises
    ------
    ValueError
        When a value is null, or another than its type can hold.
    """
    clean = {_without_empty(row): row for row in table.rows}
    found = []
    for values in rows:
        row = tuple(_value(one.kind, value) for one, value in zip(table.fields, values, strict=True))
        if any(value is None and not one.nullable for one, value in zip(table.fields, row, strict=True)):
            raise ValueError(f"a null in {row!r}")
        # Not every reader knows an empty text from a null; that counts for nothing here.
        found.append(clean.get(_without_empty(row), row))
    return found


def _without_empty(row: Row) -> Row:
    return tuple(None if value == "" else value for value in row)


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "instant" and isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if kind == "decimal":
        exact = Decimal(str(value))
        if exact != round(exact, 2):
            raise ValueError(f"{value} has more than two decimals")
        return exact
    if kind == "int":
        if int(value) != value or isinstance(value, bool):
            raise ValueError(f"{value!r} is no whole number")
        return int(value)
    if kind == "str":
        return value if isinstance(value, str) else str(value)
    if not isinstance(value, date) or (kind == "date") == isinstance(value, datetime):
        raise ValueError(f"{value!r} is no {kind}")
    return value
