"""What tasks may write and take, by the receipts of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import log

from backbone.engines.duckdb.database import Database
from backbone.ledger.index import Index
from backbone.ledger.manifest import DATASET, Manifest
from backbone.planning.task import Part, Task

RECEIPTS = 20  # the last ones of a table that are looked at


@dataclass(frozen=True)
class _Past:
    windows: int
    rows_read: int
    rows_written: int
    seconds: float


def estimated(
    tasks: Iterable[Task], index: Index, database: Database, manifest: Manifest
) -> tuple[Task, ...]:
    """The tasks with rows and seconds, where something like them has been done before.

    Of a table with windows the receipt with the nearest number of windows counts, in proportion to them; of
    files the bytes count.
    """
    tasks = tuple(tasks)
    names = {part.dataset for task in tasks for part in task.parts}
    past = _past(index, database, names)
    if not past:
        return tasks
    return tuple(
        replace(task, parts=tuple(_estimated(task, part, past, index, manifest) for part in task.parts))
        for task in tasks
    )


def _past(index: Index, database: Database, names: Iterable[str]) -> Mapping[str, list[_Past]]:
    facts = index.facts("receipt")
    found: dict[str, list[_Past]] = {}
    if facts is None or not names:
        return found
    rows = database.fetch(
        f"select dataset, windows, rows_read, rows_written, seconds from {facts} as r "
        "where stage in ('land', 'format', 'build') and dataset in (select unnest($names)) "
        "qualify row_number() over (partition by dataset order by version desc) <= $last "
        "order by dataset, version desc",
        {"names": sorted(names), "last": RECEIPTS},
    )
    for dataset, *values in rows:
        found.setdefault(dataset, []).append(_Past(*values))
    return found


def _estimated(
    task: Task, part: Part, past: Mapping[str, list[_Past]], index: Index, manifest: Manifest
) -> Part:
    before = past.get(part.dataset, [])
    if not before or not part.why:
        return part
    if task.kind == "build":
        wanted = max(len(part.windows), 1)
        nearest = min(before, key=lambda p: abs(log(max(p.windows, 1) / wanted)))
        share = wanted / max(nearest.windows, 1) if part.windows else 1.0
        rows, seconds = round(nearest.rows_written * share), nearest.seconds * share
        return replace(part, rows=rows, seconds=round(seconds, 3))
    read, spent = sum(p.rows_read for p in before), sum(p.seconds for p in before)
    if not read:
        return part
    if part.dataset == DATASET:  # whose rows are files
        return replace(part, seconds=round(spent / read * (part.files + len(part.windows)), 3))
    counts = {batch: known.count.rows for batch, known in index.batches(part.source).items()}
    size = sum(b.bytes for b in manifest.batches if b.batch in counts)
    if not size or not part.bytes:
        return part
    expected = part.bytes * sum(counts.values()) / size
    return replace(part, rows=round(expected), seconds=round(spent / read * expected, 3))
