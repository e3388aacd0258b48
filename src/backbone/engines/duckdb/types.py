"""The types of DuckDB, of Delta tables and of Arrow, and which of one is which of the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backbone.contract import quote_identifier
from backbone.errors import PipelineError

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


def stored_type(name: str, kind: str, where: str) -> str:
    """The type that a table stores for a column of this type.

    Raises
    ------
    PipelineError
        When no table can store it.
    """
    if UNSTORABLE.match(kind):
        raise PipelineError(
            where,
            f"column {name!r} has the type {kind}, which a table can't store",
            "Nothing was changed.",
            f"cast {name} to a number, text, date or timestamptz",
        )
    return "VARCHAR" if kind.startswith("ENUM") else STORED_TYPES.get(kind, kind)


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
