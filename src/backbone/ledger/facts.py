"""What commits and runs say, as rows of the tables `operations.*`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from backbone.dataset import BatchCount, Dataset, Receipt, instant_of
from backbone.lake.log import RESTART, LoggedCommit


def facts_of_commit(dataset: str, commit: LoggedCommit) -> Iterator[tuple[str, dict[str, Any]]]:
    """What one commit with a receipt says: the names of tables, each with a row of it."""
    receipt, version = commit.receipt, commit.version
    assert receipt is not None
    at = {"dataset": dataset, "version": version}
    yield (
        "receipt",
        at
        | {
            "committed_at": commit.at,
            "digest": commit.digest,
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
            "measures": json.dumps(dict(receipt.measures), sort_keys=True),
            "notes": list(receipt.notes),
            "warnings": list(receipt.warnings),
        },
    )
    for name, input_version in sorted(receipt.inputs.items()):
        yield "input", at | {"input": name, "input_version": input_version}
    if receipt.stage not in ("format", "build", RESTART):
        return
    if dataset.startswith(("formatted.", "exploitation.")):
        for low, high in [(None, None)] if receipt.touched is None else receipt.touched:
            yield "change", at | {"low": low, "high": high}
    # What a table has lost counts as made under no contract and by no model, so that it is made again.
    fingerprint = RESTART if receipt.stage == RESTART else receipt.fingerprint
    if receipt.stage == "build" or receipt.windows:
        starts = [instant_of(low) for low, _ in receipt.windows] if receipt.every else [None]
        of_all = at | {"every": receipt.every, "fingerprint": fingerprint}
        for start in starts:
            yield "window", of_all | {"window_start": start}
    if Dataset.of(dataset).zone == "formatted":
        for row in _accounts(Dataset.of(dataset).name, version, fingerprint, receipt):
            yield "batch", row


def _accounts(source: str, version: int, fingerprint: str, receipt: Receipt) -> Iterator[dict[str, Any]]:
    removed = BatchCount(0, 0, 0, 0)
    counts = [(batch, count, False) for batch, count in receipt.batches.items()]
    counts += [(batch, removed, True) for batch in receipt.removed_batches]
    for batch, count, is_removed in counts:
        yield {
            "source": source,
            "batch": batch,
            "version": version,
            "fingerprint": fingerprint,
            "rows": count.rows,
            "formatted": count.formatted,
            "quarantined": count.quarantined,
            "duplicate": count.duplicate,
            "removed": is_removed,
        }


@dataclass(frozen=True)
class Ran:
    """A run that has ended: what it was of, published and failed at."""

    run_id: str
    started_at: datetime
    status: str
    pipelines: Sequence[str]
    published: Sequence[str]
    errors: Sequence[str]
    warnings: Sequence[str] = ()
    finished_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def row(self) -> dict[str, Any]:
        """As a row of `operations.run`."""
        return {found.name: _listed(getattr(self, found.name)) for found in fields(self)}


def _listed(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value
