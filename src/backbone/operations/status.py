"""What is in a project: its sources with their accounts, its tables with their windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from backbone.engines.protocol import Engine
from backbone.exploitation.model import LoadedModel
from backbone.lake.table import Lake
from backbone.operations.index import Index
from backbone.operations.staleness import stale_windows


@dataclass(frozen=True)
class TableStatus:
    """One table of the exploitation zone; `windows` and `stale` are None for one that has no windows."""

    dataset: str
    version: int
    rows: int
    windows: int | None
    latest: datetime | None
    stale: int


def table_status(lake: Lake, engine: Engine, index: Index, model: LoadedModel, now: datetime) -> TableStatus:
    """Count a table's rows and windows, and how many of these the next run would compute."""
    states = index.windows(model.dataset)
    stale = stale_windows(model, states, index.changes, now=now)
    waiting = len(stale.windows) if model.every else int(stale.due)
    if not lake.exists(model.dataset):
        return TableStatus(model.dataset, -1, 0, None, None, waiting)
    table = lake.read(model.dataset)
    engine.read(table)
    rows = engine.fetch(f"select count(*) from {model.dataset}")[0][0]
    starts = [s.astimezone(UTC) for s in states if s is not None]
    return TableStatus(
        model.dataset,
        table.version,
        rows,
        len(starts) if model.every else None,
        max(starts, default=None),
        waiting,
    )
