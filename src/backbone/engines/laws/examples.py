"""Tables on which the laws are tried, and what several laws ask of an engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation
from backbone.lake.publish import Staged
from backbone.lake.table import TableVersion, columns_of

DAY = datetime(1969, 12, 30, 22, tzinfo=UTC)
HOURS = pa.table(
    {
        "window_start": pa.array(
            [DAY + timedelta(hours=hour % 60) for hour in range(120)], pa.timestamp("us", "UTC")
        ),
        "n": pa.array([7919 * n % 120 for n in range(120)], pa.int64()),
    }
)
ODD = pa.table(
    {
        "number": pa.array([2**40, None, -1], pa.int64()),
        "small": pa.array([None, 32_767, -32_768], pa.int16()),
        "share": pa.array([0.1, None, -math.inf], pa.float64()),
        "price": pa.array([Decimal("9999999.99"), Decimal("-0.01"), None], pa.decimal128(9, 2)),
        "name": pa.array(["ä 'quoted' \"text\"", "", None], pa.string()),
        "yes": pa.array([True, False, None], pa.bool_()),
        "day": pa.array([date(1969, 12, 31), None, date(2026, 2, 28)], pa.date32()),
        "at": pa.array([DAY + timedelta(microseconds=1), None, DAY], pa.timestamp("us", "UTC")),
    }
)  # fmt: skip
"""A row of each type that a table stores, nulls among them."""


def version(engine: Engine, rows: pa.Table, folder: Path, *, partitioned: bool = False) -> TableVersion:
    """Rows written as the version of a table."""
    return of_files(engine.write(engine.put(rows), folder, partitioned=partitioned))


def of_files(staged: Staged) -> TableVersion:
    """Files as the version of a table that they would be published as."""
    files = tuple(map(str, staged.files))
    return TableVersion("formatted.sale", 0, files, columns_of(staged.schema), staged.partitioned)


def put_columns(engine: Engine, columns: Mapping[str, Sequence[Any]]) -> Relation:
    """Columns put into the engine."""
    return engine.put(pa.table(dict(columns)))


def count(engine: Engine, rows: Relation) -> int:
    """The number of rows."""
    return int(engine.fetch(f"select count(*) from {rows}")[0][0])


def table_of(engine: Engine, sql: str) -> pa.Table:
    """A query's rows."""
    return engine.stream(sql).read_all()
