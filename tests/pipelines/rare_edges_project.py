"""Small projects of the pipeline `rare_edges`, whose hours are told apart one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbone.dataset import instant_of
from backbone.operations.query import open_tables
from backbone.runner import RunResult
from conftest import Trial
from projects import receipt_of

TABLES = ("edge_hour", "edge_state", "rare_edge")
QUICK = "training_hours = 20\ncooldown_hours = 3\nslope = -0.8\nintercept = 2.0\n"
START = datetime(2026, 1, 1, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADER = "started_at,source,destination,connections\n"


def project(root: Path, settings: str = "") -> Trial:
    trial = Trial(root, source="connection")
    trial.write(
        root / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.rare_edges"]\n[engine]\nthreads = 2\n'
        f"[pipelines.rare_edges]\n{settings}\n",
    )
    return trial


def table(trial: Trial, sql: str) -> pa.Table:
    found = trial.open()
    with found.database("question") as database:
        open_tables(found.lake, database)
        return database.stream(sql).read_all()


def contents(trial: Trial) -> dict[str, list[tuple[Any, ...]]]:
    return {name: trial.rows(f"select * from exploitation.{name} order by all") for name in TABLES}


def built(result: RunResult, name: str) -> list[int]:
    """The windows of a table that a run replaced, as hours since `START`."""
    receipt = receipt_of(result, f"exploitation.{name}")
    windows = () if receipt is None else receipt.windows
    return [(instant_of(low) - START) // HOUR for low, _ in windows]


Count = tuple[int, str, str, int]
COUNTS: list[Count] = [
    (hour, source, destination, 5 + (hour * (1 + len(source)) + ord(destination[0])) % 7)
    for hour in range(60)
    for source, destination in (("a", "x"), ("a", "y"), ("bb", "x"), ("bb", "z"))
    if (hour * len(source) + ord(destination[0])) % 3 and hour not in (7, 8, 9, 30, 31, 50)
]
COUNTS += [(26, "a", "late", 3), (40, "a", "x", 300), (41, "bb", "z", 90), (48, "bb", "z", 4000)]


def deliver(trial: Trial, counts: list[Count], name: str) -> None:
    rows = "".join(f"{START + hour * HOUR:%Y-%m-%d %H:%M},{s},{d},{n}\n" for hour, s, d, n in counts)
    trial.drop(HEADER + rows, name)


def project_of(root: Path, counts: list[Count], settings: str = QUICK) -> Trial:
    root.mkdir()
    trial = project(root, settings)
    deliver(trial, counts, "all.csv")
    trial.run_well()
    return trial
