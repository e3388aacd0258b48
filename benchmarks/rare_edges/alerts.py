"""Alerts as a contestant stores them, so that all can be held to each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("destination", pa.string()),
        ("hour", pa.int64()),
        ("value", pa.int64()),
        ("expected", pa.float64()),
    ]
)


def store(rows: Sequence[tuple[Any, ...]], out: Path) -> None:
    """Write alerts, as rows of source, destination, hour (a number), value and expected."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    parquet.write_table(pa.table(arrays, schema=SCHEMA), out / "alerts.parquet")
