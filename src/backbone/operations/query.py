"""All tables for a query, their versions fixed when it starts."""

from __future__ import annotations

from datetime import datetime

from backbone.engines.duckdb.database import Database
from backbone.lake.table import Lake


def open_tables(lake: Lake, database: Database, as_of: datetime | None = None) -> None:
    """Let every dataset's name mean its present version, or the one readers saw at an instant."""
    for dataset in lake.datasets():
        table = lake.read(dataset) if as_of is None else lake.as_of(dataset, as_of)
        if table is not None:
            database.read(table)
