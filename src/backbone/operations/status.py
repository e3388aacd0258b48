"""What is in a project: its sources with their accounts, its tables with their windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from backbone.engines.duckdb.database import Database
from backbone.exploitation.model import LoadedModel
from backbone.lake.data_files import logged_rows
from backbone.lake.table import Lake
from backbone.ledger.index import Index


@dataclass(frozen=True)
class TableStatus:
    """One table of the exploitation zone; `windows` is None for one that has none."""

    dataset: str
    version: int
    rows: int
    windows: int | None
    latest: datetime | None
    stale: int


def table_status(lake: Lake, database: Database, index: Index, model: LoadedModel, stale: int) -> TableStatus:
    """Count a table's rows and windows.

    Parameters
    ----------
    stale : how many windows the next run would compute; 1 for a table without windows that is due.
    """
    states = index.windows(model.dataset)
    if not lake.exists(model.dataset):
        return TableStatus(model.dataset, -1, 0, None, None, stale)
    table = lake.read(model.dataset)
    rows = logged_rows(lake, model.dataset)
    if rows is None:
        database.read(table)
        rows = database.fetch(f"select count(*) from {model.dataset}")[0][0]
    starts = [s.astimezone(UTC) for s in states if s is not None]
    return TableStatus(
        model.dataset,
        table.version,
        rows,
        len(starts) if model.every else None,
        max(starts, default=None),
        stale,
    )
