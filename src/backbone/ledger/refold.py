"""Make `operations.commit` again, where it has lost receipts, from the other tables of the ledger.

They have all of a receipt that the ledger is made from. What they don't have are the parts of a fingerprint,
by which `plan` says in more detail why something is stale, and when a stage began.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from backbone.dataset import BatchCount, Dataset, Receipt, hour_of, merge_hours, step
from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.log import LoggedCommit
from backbone.ledger.folded import DATASET, fold
from backbone.ledger.known import LOST
from backbone.ledger.tables import OF_RECEIPTS, columns

Place = tuple[str, int]
Row = Mapping[str, Any]
SAME = ("run_id", "stage", "rows_read", "rows_written", "rows_rejected", "rows_duplicate", "seconds")


def refold(work: LocalWork, broken: Collection[str]) -> int:
    """Fold the receipts that the ledger has, and neither this table nor a log; returns how many.

    None where the ledger itself is damaged or gone, as half a receipt would be a wrong one.

    Parameters
    ----------
    broken : tables of the ledger that can't be read.
    """
    lake = work.lake
    if any(name in broken or not lake.exists(f"operations.{name}") for name in OF_RECEIPTS):
        return 0
    tables = {name: lake.read(f"operations.{name}") for name in OF_RECEIPTS}
    if any(table.columns != columns(name) for name, table in tables.items()):
        return 0
    for table in (*tables.values(), lake.read(DATASET)):
        work.database.read(table)
    there = {
        (row["dataset"], row["version"]) for row in _rows(work, f"select dataset, version from {DATASET}")
    }
    for dataset in lake.datasets():
        there |= {(dataset, version) for version in lake.log(dataset).versions}
    lost = [
        row
        for row in _rows(work, "select * from operations.receipt order by dataset, version")
        if (row["dataset"], row["version"]) not in there
    ]
    if lost:
        places = {(row["dataset"], row["version"]) for row in lost}
        parts = {name: _by_place(work, name, places) for name in OF_RECEIPTS if name != "receipt"}
        fold(work, _commits(lost, parts))
    return len(lost)


def _rows(work: LocalWork, sql: str) -> list[Row]:
    found: list[Row] = work.database.stream(sql).read_all().to_pylist()
    return found


def _by_place(work: LocalWork, table: str, places: Collection[Place]) -> Mapping[Place, list[Row]]:
    """The rows of a table of the ledger by the table and version that they are about."""
    found: dict[Place, list[Row]] = defaultdict(list)
    for row in _rows(work, f"select distinct * from operations.{table} order by all"):
        place = f"formatted.{row['source']}" if table == "batch" else row["dataset"], row["version"]
        if place in places:
            found[place].append(row)
    return found


def _commits(
    lost: Collection[Row], parts: Mapping[str, Mapping[Place, list[Row]]]
) -> Iterator[tuple[str, LoggedCommit]]:
    for row in lost:
        place = row["dataset"], row["version"]
        receipt = _receipt(row, {name: rows.get(place, []) for name, rows in parts.items()})
        at = row["committed_at"].astimezone(UTC)
        yield (
            row["dataset"],
            LoggedCommit(row["version"], row["digest"], at, receipt, text=receipt.to_json()),
        )


def _receipt(row: Row, parts: Mapping[str, list[Row]]) -> Receipt:
    """A receipt of which the ledger has the same facts as it has now."""
    dataset = row["dataset"]
    if row["stage"] == LOST:
        return Receipt("", LOST, dataset, "", replaces_all=True)
    receipt = Receipt(
        **{name: row[name] for name in SAME},
        dataset=dataset,
        fingerprint=row["fingerprint"],
        peak_memory_bytes=row["peak_memory_bytes"],
        replaces_all=row["replaces_all"],
        measures=json.loads(row["measures"]),
        notes=tuple(row["notes"]),
        warnings=tuple(row["warnings"]),
        inputs={part["input"]: part["input_version"] for part in parts["input"]},
    )
    receipt = _with_windows(receipt, parts["window"])
    if Dataset.of(dataset).zone in ("formatted", "exploitation"):
        hours = [(part["low"], part["high"]) for part in parts["change"]]
        is_all = any(low is None for low, _ in hours)
        receipt = replace(receipt, touched=None if is_all else merge_hours(hours))
    there = [part for part in parts["batch"] if not part["removed"]]
    return replace(
        receipt,
        batches={
            part["batch"]: BatchCount(part["rows"], part["formatted"], part["quarantined"], part["duplicate"])
            for part in there
        },
        removed_batches=tuple(part["batch"] for part in parts["batch"] if part["removed"]),
    )


def _with_windows(receipt: Receipt, found: Collection[Row]) -> Receipt:
    starts = [(part["window_start"].astimezone(UTC), part["every"]) for part in found if part["window_start"]]
    if starts:
        windows = tuple((hour_of(at), hour_of(step(at, every))) for at, every in starts)
        return replace(receipt, every=starts[0][1], windows=windows)
    # No window at all is said by a cadence, else it would be the one of a table without windows.
    return receipt if found or receipt.stage != "build" else replace(receipt, every="hour")
