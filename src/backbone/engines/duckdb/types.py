"""The types of DuckDB, of Delta tables and of Arrow, and which of one is which of the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backbone.quoting import quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa

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

ARROW_TYPES = {
    "VARCHAR": "string",
    "JSON": "string",
    "UUID": "string",
    "BIGINT": "int64",
    "INTEGER": "int32",
    "SMALLINT": "int16",
    "TINYINT": "int8",
    "UBIGINT": "uint64",
    "UINTEGER": "uint32",
    "USMALLINT": "uint16",
    "UTINYINT": "uint8",
    "HUGEINT": "int64",  # of a sum; what exceeds 64 bits fails loudly when it is cast
    "DOUBLE": "double",
    "FLOAT": "float",
    "BOOLEAN": "bool",
    "BLOB": "binary",
    "DATE": "date32[day]",
    '"NULL"': "null",
}
"""Types by DuckDB's name and by Arrow's; instants, decimals and nested types follow rules."""
SQL_TYPES = {arrow: name for name, arrow in ARROW_TYPES.items() if name not in ("JSON", "UUID", "HUGEINT")}


def arrow_schema(columns: Sequence[tuple[str, str]], stream_schema: Callable[[], pa.Schema]) -> pa.Schema:
    """Columns with DuckDB's types as Arrow's.

    Parameters
    ----------
    stream_schema : the schema of the same columns as the database streams them; asked for nested types only.
    """
    import pyarrow as pa

    found_schema: pa.Schema | None = None
    fields = []
    for index, (name, kind) in enumerate(columns):
        found = _arrow_type(kind)
        if found is None:
            found_schema = found_schema or stream_schema()
            found = found_schema.field(index).type
        fields.append(pa.field(name, found))
    return pa.schema(fields)


def _arrow_type(kind: str) -> pa.DataType | None:
    import pyarrow as pa

    if kind in ARROW_TYPES:
        return pa.type_for_alias(ARROW_TYPES[kind])
    if kind == "TIMESTAMP WITH TIME ZONE":
        return pa.timestamp("us", "UTC")
    if kind == "UHUGEINT":
        return pa.decimal128(38, 0)
    if kind.startswith("ENUM"):
        return pa.string()
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else None


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type.

    Examples
    --------
    >>> import pyarrow as pa
    >>> sql_type(pa.list_(pa.decimal128(12, 3))), sql_type(pa.timestamp("us", "UTC"))
    ('DECIMAL(12,3)[]', 'TIMESTAMP WITH TIME ZONE')
    """
    import pyarrow as pa

    named = SQL_TYPES.get(str(kind))
    if named is not None:
        return named
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            return "TIMESTAMP WITH TIME ZONE"
        return {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}[kind.unit]
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_dictionary(kind):
        return sql_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "VARCHAR"
    if pa.types.is_fixed_size_list(kind):
        return f"{sql_type(kind.value_type)}[{kind.list_size}]"
    if pa.types.is_map(kind):
        return f"MAP({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    if pa.types.is_struct(kind):
        fields = ", ".join(f"{quote_identifier(field.name)} {sql_type(field.type)}" for field in kind)
        return f"STRUCT({fields})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    raise TypeError(f"{kind} has no type in DuckDB that a table could hold")


def duckdb_type(delta_type: str) -> str:
    if delta_type.startswith("decimal("):
        return delta_type.upper()
    if delta_type.startswith("array<"):
        return f"{duckdb_type(delta_type[6:-1])}[]"
    if delta_type.startswith("map<"):
        key, _, value = delta_type[4:-1].partition(",")
        return f"MAP({duckdb_type(key)}, {duckdb_type(value)})"
    if delta_type.startswith("struct<"):
        parts = re.split(r",(?![^<(]*[>)])", delta_type[7:-1])
        pairs = (part.partition(":") for part in parts)
        return "STRUCT(" + ", ".join(f"{quote_identifier(n)} {duckdb_type(k)}" for n, _, k in pairs) + ")"
    return DUCKDB_TYPES[delta_type]


def delta_field(field: pa.Field) -> pa.Field:
    """Arrow's field as a Delta table stores it: instants in microseconds and UTC."""
    import pyarrow as pa

    if pa.types.is_timestamp(field.type):
        return pa.field(field.name, pa.timestamp("us", "UTC"))
    return field
