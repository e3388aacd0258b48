"""What the last runs failed at, and what they warned of that is in no receipt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from backbone.engines.duckdb.database import Database
from backbone.lake.table import Lake
from backbone.ledger.tables import columns

DATASET = "operations.run"


@dataclass(frozen=True)
class LastRun:
    """When a run ended, what failed in it as it was printed, and its warnings that no receipt has."""

    at: datetime
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """What failed in the last run of a pipeline, as it was printed, and when."""

    at: datetime
    error: str


def last_runs(lake: Lake, database: Database, pipelines: Collection[str]) -> list[LastRun]:
    """The last run of all, and the last of each of some pipelines, newest first.

    None where the table was made by a version of Backbone that recorded less.
    """
    if not lake.exists(DATASET):
        return []
    stored = lake.read(DATASET)
    if stored.columns != columns("run"):
        return []
    database.read(stored)
    rows = database.fetch(
        "with r as (select *, row_number() over (order by finished_at desc, run_id desc) as age "
        f"from {DATASET}), p as (select unnest(pipelines) as pipeline, age from r) "
        "select finished_at, errors, coalesce(warnings, []) from r where age = 1 or age in "
        "(select min(age) from p where list_contains($pipelines, pipeline) group by pipeline) order by age",
        {"pipelines": list(pipelines)},
    )
    return [LastRun(at.astimezone(UTC), tuple(errors), tuple(warnings)) for at, errors, warnings in rows]


def failures_of(runs: Collection[LastRun]) -> list[Failed]:
    """What failed in some runs, newest first; the same failure once."""
    found: dict[str, Failed] = {}
    for run in runs:
        for error in run.errors:
            found.setdefault(error, Failed(run.at, error))
    return list(found.values())


def is_news(runs: Collection[LastRun], warnings: Collection[str]) -> bool:
    """Whether a run that published nothing and failed at nothing says something else than those before."""
    newest = next(iter(runs), None)
    before = newest.warnings if newest else ()
    return tuple(warnings) != before or any(run.errors for run in runs)
