"""`operations.*`: what the receipts in the commits say, as tables.

The receipts are the truth. These tables are an index over them, brought up to date by each run: of every
dataset, the commits after the last one indexed are read, and at the end their facts are appended, in one
commit for each table. Meanwhile the run itself sees them too. So a run that died after a commit and before
its end loses nothing: the next one reads that commit. Where a dataset is gone, or begins anew, what was
indexed of it is of no table any more, and the index is made again from the receipts that are there.

`receipt`: a row per commit. `change`: the hours each commit changed (null for all). `window`: the state of
each window after each commit. `batch`: the accounts of each batch after each commit that changed them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbone.contract import quote_identifier
from backbone.dataset import BatchCount, Receipt, instant_of
from backbone.engines.protocol import Engine
from backbone.engines.replace import replace_rows
from backbone.formatted.duplicates import REVIVED, TRIM
from backbone.formatted.source import Known
from backbone.lake.publish import Staged
from backbone.lake.table import Lake

if TYPE_CHECKING:
    import pyarrow as pa

# The receipts come after the other facts: a dataset counts as indexed by them.
TABLES = ("change", "window", "batch", "receipt", "run")
# Files of versions that are older than a week are removed now and then, as the log of these tables is.
CLEAN_EVERY, KEEP_HOURS = 100, 168


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
        self._new: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
        self._replaced: set[str] = set()  # tables whose rows go when new ones are written
        self._stored = {table for table in TABLES[:-1] if lake.exists(f"operations.{table}")}
        for table in self._stored:
            engine.read(lake.read(f"operations.{table}"))

    @cached_property
    def _seen(self) -> dict[str, int]:
        """The last version of each dataset that is indexed."""
        if "receipt" not in self._stored:
            return {}
        return dict(
            self._engine.fetch("select dataset, max(version) from operations.receipt group by dataset")
        )

    def update(self) -> int:
        """Read the commits that are not indexed yet; returns how many there were."""
        commits = 0
        if any(self._is_lost(dataset, version) for dataset, version in self._seen.items()):
            self._begin_anew()
        for dataset in self._lake.datasets():
            if dataset.startswith("operations."):
                continue
            after = self._seen.get(dataset, -1)
            # Asked by name: to open each table at every run takes longer than all else that is done here.
            if after >= 0 and not self._lake.has(dataset, after + 1):
                continue
            for version, committed_at, receipt in self._lake.receipts(dataset, after):
                commits += 1
                for table, row in _rows(dataset, version, committed_at, receipt):
                    self._new[table].append(row)
            self._seen[dataset] = max(after, self._lake.version(dataset))
        return commits

    def _is_lost(self, dataset: str, version: int) -> bool:
        """Whether a dataset has no longer the version that is indexed."""
        return not self._lake.has(dataset, version) and self._lake.version(dataset) < version

    def _begin_anew(self) -> None:
        self._stored.clear()
        self._seen.clear()
        self._changes.clear()
        for table in TABLES[:-1]:
            self._new[table] = []
            self._replaced.add(table)

    def add_run(self, row: dict[str, Any]) -> None:
        """Tell of a run, see `run_row`."""
        self._new["run"].append(row)

    def write(self) -> None:
        """Publish what is new, a commit for each table that it concerns; ask the index before."""
        for table in TABLES:
            if self._new[table] or table in self._replaced:
                self._append(table, self._new[table], None if table in self._replaced else "false")
                self._new[table] = []
        self._replaced.clear()

    def _append(self, table: str, rows: list[dict[str, Any]], where: str | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        dataset = f"operations.{table}"
        self._scratch.mkdir(parents=True, exist_ok=True)
        version = self._lake.version(dataset) + 1
        file = self._scratch / f"{table}-{version}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, _schema(table)), file)
        replace_rows(
            self._lake,
            self._engine,
            dataset,
            [Staged((file,), len(rows), _schema(table))],
            Receipt(run_id="", stage="index", dataset=dataset, fingerprint="", rows_written=len(rows)),
            transaction=("index", version),
            scratch=self._scratch,
            where=where,
        )
        if version % CLEAN_EVERY == CLEAN_EVERY - 1:
            self._lake.open(dataset).vacuum(retention_hours=KEEP_HOURS, dry_run=False)

    def _facts(self, table: str, column: str, value: str) -> str | None:
        """SQL of the rows of a table, where a column has a value also of those that are not published yet.

        None where there are none.
        """
        import pyarrow as pa

        listed = ", ".join(quote_identifier(name) for name in _schema(table).names)
        parts = [f"select {listed} from operations.{table}"] if table in self._stored else []
        rows = [row for row in self._new[table] if row[column] == value]
        if rows:  # seldom: what a dead run has left
            self._engine.take(f"new_{table}", pa.Table.from_pylist(rows, _schema(table)))
            parts.append(f"select {listed} from new_{table}")
        return f"({' union all '.join(parts)})" if parts else None

    def batches(self, source: str) -> dict[str, Known]:
        """The batches whose rows are in a source's tables, and how they are accounted for."""
        facts = self._facts("batch", "source", source)
        if facts is None:
            return {}
        rows = self._engine.fetch(
            "select batch, fingerprint, rows, formatted, quarantined, duplicate, removed "
            f"from {facts} as b where source = $source "
            "qualify row_number() over (partition by batch order by version desc) = 1",
            {"source": source},
        )
        return {row[0]: Known(row[1], BatchCount(*row[2:6])) for row in rows if not row[6]}

    def revived_left(self, source: str) -> bool:
        """Whether a run died before it removed from the duplicates what it had formatted again."""
        duplicate, formatted = f"duplicate.{source}", f"formatted.{source}"
        told = self._facts("receipt", "dataset", formatted)
        if told is None:
            return False
        sql = (
            f"select max(committed_at) from {told} as f where dataset = $formatted "
            "and json_extract_string(measures, $revived) is not null"
        )
        revived = self._engine.fetch(sql, {"formatted": formatted, "revived": f"$.{REVIVED}"})[0][0]
        trimmed = self._facts("receipt", "dataset", duplicate)
        if revived is None or trimmed is None:
            return revived is not None
        sql = f"select max(committed_at) from {trimmed} as d where dataset = $duplicate and stage = $trim"
        done = self._engine.fetch(sql, {"duplicate": duplicate, "trim": TRIM})[0][0]
        return done is None or bool(done < revived)

    def changes(self, dataset: str) -> list[Change]:
        """The hours each version of a dataset changed, oldest first."""
        if dataset not in self._changes:
            rows: list[tuple[Any, ...]] = []
            if "change" in self._stored:
                rows = self._engine.fetch(
                    "select distinct version, low, high from operations.change where dataset = $dataset "
                    "order by version, low",
                    {"dataset": dataset},
                )
            self._changes[dataset] = [Change(*row) for row in rows]
        new = [row for row in self._new["change"] if row["dataset"] == dataset]
        return [*self._changes[dataset], *(Change(row["version"], row["low"], row["high"]) for row in new)]

    def windows(self, dataset: str) -> dict[datetime | None, WindowState]:
        """The state of each window of a table since it was last replaced as a whole.

        Those are left out that were computed from a version of an input that is gone.
        """
        facts, receipts = (self._facts(table, "dataset", dataset) for table in ("window", "receipt"))
        if facts is None or receipts is None:
            return {}
        rows = self._engine.fetch(
            "select epoch_us(window_start) // 3600000000, every, fingerprint, inputs, version "
            f"from {facts} as w where dataset = $dataset "
            f"and version >= coalesce((select max(version) from {receipts} as r "
            "where dataset = $dataset and replaces_all), 0) "
            "qualify row_number() over (partition by window_start order by version desc) = 1",
            {"dataset": dataset},
        )
        parsed: dict[str, dict[str, int] | None] = {}  # thousands of windows of one commit have the same
        found = {}
        for hour, every, fingerprint, inputs, version in rows:
            start = None if hour is None else instant_of(hour)
            if inputs not in parsed:
                known: dict[str, int] = json.loads(inputs)
                is_gone = any(at > self._seen.get(name, -1) for name, at in known.items())
                parsed[inputs] = None if is_gone else known
            versions = parsed[inputs]
            if versions is not None:
                found[start] = WindowState(start, every, fingerprint, versions, version)
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
            "warnings": list(receipt.warnings),
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
            "warnings": texts,
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
