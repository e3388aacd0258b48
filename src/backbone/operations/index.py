"""`operations.*`: what the receipts in the commits say, as tables.

The receipts are the truth. These tables are an index over them, brought up to date at the beginning and
the end of each run: of every dataset, the commits after the last one indexed are read and their facts
appended. So a run that died after a commit and before its end loses nothing.

`receipt`: a row per commit. `change`: the hours each commit changed (null for all). `window`: the state of
each window after each commit. `batch`: the accounts of each batch after each commit that changed them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbone.dataset import BatchCount, Receipt, instant_of
from backbone.engines.protocol import Engine
from backbone.formatted.duplicates import REVIVED, TRIM
from backbone.formatted.source import Known
from backbone.lake.publish import Staged, publish
from backbone.lake.table import Lake

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("receipt", "change", "window", "batch", "run")
MANY_FILES = 40


@dataclass(frozen=True)
class WindowState:
    """What a window (or a table that is one whole, `start` None) was last computed from, in which version."""

    start: datetime | None
    every: str | None
    fingerprint: str
    inputs: dict[str, int]
    version: int = -1


@dataclass(frozen=True)
class Change:
    """Hours `[low, high)` that a version of a dataset changed; None for all of it."""

    version: int
    low: int | None
    high: int | None


class Index:
    """The operations tables of one project, read through an engine."""

    def __init__(self, lake: Lake, engine: Engine, scratch: Path) -> None:
        self._lake, self._engine, self._scratch = lake, engine, scratch
        self._changes: dict[str, list[Change]] = {}
        for table in TABLES:
            if lake.exists(f"operations.{table}"):
                engine.read(lake.read(f"operations.{table}"))

    def update(self) -> int:
        """Index the commits that are not indexed yet; returns how many there were."""
        seen: dict[str, int] = {}
        if self._lake.exists("operations.receipt"):
            seen = dict(
                self._engine.fetch("select dataset, max(version) from operations.receipt group by dataset")
            )
        rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
        commits = 0
        for dataset in self._lake.datasets():
            if dataset.startswith("operations."):
                continue
            after = seen.get(dataset, -1)
            if self._lake.version(dataset) <= after:
                continue
            for version, committed_at, receipt in self._lake.receipts(dataset, after):
                commits += 1
                for table, row in _rows(dataset, version, committed_at, receipt):
                    rows[table].append(row)
        # The receipts come last: a dataset counts as indexed by them.
        for table in ("change", "window", "batch", "receipt"):
            if rows[table]:
                self.append(table, rows[table])
        if commits:
            self._changes.clear()
        return commits

    def append(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Append rows to one of the operations tables."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        dataset = f"operations.{table}"
        self._scratch.mkdir(parents=True, exist_ok=True)
        file = self._scratch / f"{table}-{self._lake.version(dataset) + 1}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, _schema(table)), file)
        staged = Staged((file,), len(rows), _schema(table))
        receipt = Receipt(run_id="", stage="index", dataset=dataset, fingerprint="", rows_written=len(rows))
        publish(
            self._lake,
            dataset,
            staged,
            receipt,
            transaction=("index", self._lake.version(dataset) + 1),
            remove=(),
        )
        if len(self._lake.read(dataset).files) > MANY_FILES:
            self._lake.open(dataset).optimize.compact()
        self._engine.read(self._lake.read(dataset))

    def batches(self, source: str) -> dict[str, Known]:
        """The batches whose rows are in a source's tables, and how they are accounted for."""
        if not self._lake.exists("operations.batch"):
            return {}
        rows = self._engine.fetch(
            "select batch, fingerprint, rows, formatted, quarantined, duplicate, removed "
            "from operations.batch where source = $source "
            "qualify row_number() over (partition by batch order by version desc) = 1",
            {"source": source},
        )
        return {row[0]: Known(row[1], BatchCount(*row[2:6])) for row in rows if not row[6]}

    def revived_left(self, source: str) -> bool:
        """Whether a run died before it removed from the duplicates what it had formatted again."""
        if not self._lake.exists("operations.receipt"):
            return False
        rows = self._engine.fetch(
            "select 1 from operations.receipt as f where f.dataset = $formatted "
            "and json_extract_string(f.measures, $revived) is not null and not exists (select 1 from "
            "operations.receipt as d where d.dataset = $duplicate and d.stage = $trim "
            "and d.committed_at >= f.committed_at) limit 1",
            {
                "formatted": f"formatted.{source}",
                "duplicate": f"duplicate.{source}",
                "revived": f"$.{REVIVED}",
                "trim": TRIM,
            },
        )
        return bool(rows)

    def changes(self, dataset: str) -> list[Change]:
        """The hours each version of a dataset changed, oldest first."""
        if dataset in self._changes or not self._lake.exists("operations.change"):
            return self._changes.get(dataset, [])
        rows = self._engine.fetch(
            "select distinct version, low, high from operations.change where dataset = $dataset "
            "order by version, low",
            {"dataset": dataset},
        )
        self._changes[dataset] = [Change(*row) for row in rows]
        return self._changes[dataset]

    def windows(self, dataset: str) -> dict[datetime | None, WindowState]:
        """The state of each window of a table since it was last replaced as a whole."""
        if not self._lake.exists("operations.window"):
            return {}
        rows = self._engine.fetch(
            "select epoch_us(window_start) // 3600000000, every, fingerprint, inputs, version "
            "from operations.window "
            "where dataset = $dataset "
            "and version >= coalesce((select max(version) from operations.receipt "
            "where dataset = $dataset and replaces_all), 0) "
            "qualify row_number() over (partition by window_start order by version desc) = 1",
            {"dataset": dataset},
        )
        parsed: dict[str, dict[str, int]] = {}  # thousands of windows of one commit have the same
        found = {}
        for hour, every, fingerprint, inputs, version in rows:
            start = None if hour is None else instant_of(hour)
            if inputs not in parsed:
                parsed[inputs] = json.loads(inputs)
            found[start] = WindowState(start, every, fingerprint, parsed[inputs], version)
        return found


def _rows(
    dataset: str, version: int, committed_at: datetime, receipt: Receipt
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What one commit says, as rows of the operations tables."""
    at = {"dataset": dataset, "version": version}
    inputs = json.dumps(dict(receipt.inputs), sort_keys=True)
    yield (
        "receipt",
        at
        | {
            "committed_at": committed_at,
            "run_id": receipt.run_id,
            "stage": receipt.stage,
            "rows_read": receipt.rows_read,
            "rows_written": receipt.rows_written,
            "rows_rejected": receipt.rows_rejected,
            "rows_duplicate": receipt.rows_duplicate,
            "seconds": receipt.seconds,
            "peak_memory_bytes": receipt.peak_memory_bytes,
            "windows": len(receipt.windows),
            "replaces_all": receipt.replaces_all,
            "fingerprint": receipt.fingerprint,
            "inputs": inputs,
            "measures": json.dumps(dict(receipt.measures), sort_keys=True),
            "notes": list(receipt.notes),
        },
    )
    if receipt.stage not in ("format", "build"):
        return
    if dataset.startswith(("formatted.", "exploitation.")):
        for low, high in [(None, None)] if receipt.touched is None else receipt.touched:
            yield "change", at | {"low": low, "high": high}
    if receipt.stage == "build":
        starts = [instant_of(low) for low, _ in receipt.windows] if receipt.every else [None]
        for start in starts:
            yield (
                "window",
                at
                | {
                    "window_start": start,
                    "every": receipt.every,
                    "fingerprint": receipt.fingerprint,
                    "inputs": inputs,
                },
            )
    source = dataset.partition(".")[2]
    removed = BatchCount(0, 0, 0, 0)
    counts = [(b, c, False) for b, c in receipt.batches.items()]
    counts += [(b, removed, True) for b in receipt.removed_batches]
    for batch, count, is_removed in counts if dataset.startswith("formatted.") else ():
        yield (
            "batch",
            {
                "source": source,
                "batch": batch,
                "version": version,
                "fingerprint": receipt.fingerprint,
                "rows": count.rows,
                "formatted": count.formatted,
                "quarantined": count.quarantined,
                "duplicate": count.duplicate,
                "removed": is_removed,
            },
        )


def run_row(
    run_id: str,
    started_at: datetime,
    finished_at: datetime,
    status: str,
    pipelines: Iterable[str],
    published: Iterable[str],
    errors: Iterable[str],
) -> dict[str, Any]:
    """A row of `operations.run`."""
    return {
        "run_id": run_id,
        "started_at": started_at,
        "finished_at": finished_at,
        "status": status,
        "pipelines": list(pipelines),
        "published": list(published),
        "errors": list(errors),
    }


def _schema(table: str) -> pa.Schema:
    import pyarrow as pa

    text, whole, instant, flag = pa.string(), pa.int64(), pa.timestamp("us", "UTC"), pa.bool_()
    texts = pa.list_(text)
    columns: dict[str, dict[str, pa.DataType]] = {
        "receipt": {
            "dataset": text, "version": whole, "committed_at": instant, "run_id": text, "stage": text,
            "rows_read": whole, "rows_written": whole, "rows_rejected": whole, "rows_duplicate": whole,
            "seconds": pa.float64(), "peak_memory_bytes": whole, "windows": whole, "replaces_all": flag,
            "fingerprint": text, "inputs": text, "measures": text, "notes": texts,
        },
        "change": {"dataset": text, "version": whole, "low": whole, "high": whole},
        "window": {
            "dataset": text, "version": whole, "window_start": instant, "every": text, "fingerprint": text,
            "inputs": text,
        },
        "batch": {
            "source": text, "batch": text, "version": whole, "fingerprint": text, "rows": whole,
            "formatted": whole, "quarantined": whole, "duplicate": whole, "removed": flag,
        },
        "run": {
            "run_id": text, "started_at": instant, "finished_at": instant, "status": text,
            "pipelines": texts, "published": texts, "errors": texts,
        },
    }  # fmt: skip
    return pa.schema(list(columns[table].items()))
