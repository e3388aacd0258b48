"""Rows that no table has yet, as they lie in windows that have not closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backbone.contracts.contract import quote_identifier
from backbone.dataset import floor
from backbone.engines.duckdb.database import Database
from backbone.exploitation.model import LoadedModel
from backbone.lake.table import Lake


@dataclass(frozen=True)
class OpenRows:
    """How many rows of a formatted table lie in windows that have not closed.

    `latest` is the last event of theirs, `future` the number of those that happen later than now. In the
    window that is open now rows are expected; a row in the future may be a mistake.
    """

    dataset: str
    rows: int
    latest: datetime
    future: int

    def __str__(self) -> str:
        latest = f"{self.latest:%Y-%m-%d %H:%M} UTC"
        if self.rows == 1:
            when = "in the future, " if self.future else ""
            return (
                f"1 row of {self.dataset} lies in a window that has not closed ({when}at {latest}); "
                "it is computed when its window closes"
            )
        share = "all" if self.future == self.rows else f"{self.future:,}"
        when = f"{share} of them in the future, " if self.future else ""
        return (
            f"{self.rows:,} rows of {self.dataset} lie in windows that have not closed "
            f"({when}the latest at {latest}); they are computed when their windows close"
        )


def open_rows(
    lake: Lake,
    database: Database,
    event_times: Iterable[tuple[str, str | None]],
    models: Sequence[LoadedModel],
    now: datetime,
) -> list[OpenRows]:
    """The open rows of formatted tables; none of a table that no windowed model reads.

    Where models of several cadences read a table, the longest window that is open counts.

    Parameters
    ----------
    event_times : the tables, each with the column of its event time.
    """
    found = []
    for dataset, event_time in event_times:
        starts = [floor(now, m.every) for m in models if m.every is not None and dataset in m.events]
        if event_time is None or not starts or not lake.exists(dataset):
            continue
        table = lake.read(dataset)
        if event_time not in {name for name, _ in table.columns}:
            continue  # it had another name when the table was formatted
        database.read(table)
        column = quote_identifier(event_time)
        # Files and row groups of earlier events are passed over by their statistics.
        rows, latest, future = database.fetch(
            f"select count(*), max({column}), count(*) filter (where {column} > $now) "
            f"from {dataset} as t where {column} >= $start",
            {"start": min(starts), "now": now},
        )[0]
        if rows:
            found.append(OpenRows(dataset, rows, latest.astimezone(UTC), future))
    return found
