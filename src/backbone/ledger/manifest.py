"""The batch manifest, `landing.batch`: every version of every file ever taken over."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from backbone.dataset import Batch, Receipt
from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.publish import Staged
from backbone.lake.store import NOTHING
from backbone.ledger.delivered import as_measures

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.engines.duckdb.database import Database
    from backbone.lake.table import Lake

DATASET = "landing.batch"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = ("arrived_at", "window_start", "window_end")


@dataclass(frozen=True)
class Manifest:
    """All batches, oldest first."""

    batches: tuple[Batch, ...]

    def current(self) -> dict[tuple[str, str], Batch]:
        """The latest version of each file, by source and name."""
        return {(b.source, b.name): b for b in self.batches if b.status == "landed"}

    def latest_delivery(self) -> dict[tuple[str, str], Batch]:
        """The latest delivery of each file, duplicates included."""
        return {(b.source, b.name): b for b in self.batches}

    def versions(self, source: str, redelivery: str) -> list[list[Batch]]:
        """The versions of each file whose rows belong in the formatted table, newest first.

        Of each list the first version that can be read counts. Under `append` every version is a file of
        its own.
        """
        key = source, redelivery
        if key not in self._versions:
            landed = self._landed.get(source, [])
            files: dict[str, list[Batch]] = {}
            for batch in landed if redelivery != "append" else ():
                if batch.name in files:
                    files[batch.name].insert(0, batch)
                else:
                    files[batch.name] = [batch]
            self._versions[key] = [[b] for b in landed] if redelivery == "append" else [*files.values()]
        return self._versions[key]

    @cached_property
    def _versions(self) -> dict[tuple[str, str], list[list[Batch]]]:
        """By source and redelivery, what `versions` has said: a run asks several times."""
        return {}

    @cached_property
    def _landed(self) -> dict[str, list[Batch]]:
        """By source, the versions of files that are no duplicates."""
        found: dict[str, list[Batch]] = {}
        for batch in self.batches:
            if batch.status == "landed":
                found.setdefault(batch.source, []).append(batch)
        return found


def read_manifest(lake: Lake, database: Database, without: Collection[str] = ()) -> Manifest:
    """The manifest as it stands; empty in a new project.

    Parameters
    ----------
    without : data files that are not read.
    """
    if not lake.exists(DATASET):
        return Manifest(())
    table = lake.read(DATASET)
    database.read(table.of_files([file for file in table.files if file not in without]))
    names = [f.name for f in fields(Batch)]
    # Every run reads all that ever landed. To fetch an instant takes the database long, a number does not.
    columns = [f"epoch_us({name})" if name in INSTANTS else name for name in names]
    rows = database.fetch(f"select {', '.join(columns)} from {DATASET} order by arrived_at, batch")
    first, *others = [names.index(name) for name in INSTANTS]
    batches = []
    for row in rows:
        values = list(row)
        values[first] = EPOCH + timedelta(microseconds=values[first])
        for column in others:
            if values[column] is not None:
                values[column] = EPOCH + timedelta(microseconds=values[column])
        batches.append(Batch(*values))
    return Manifest(tuple(batches))


def record(
    work: LocalWork, batches: Sequence[Batch], seconds: float, warnings: Sequence[str] = ()
) -> Receipt:
    """Append batches to the manifest in one commit, whose receipt has the warnings."""
    staged = stage(work, batches)
    receipt = Receipt(
        run_id=work.run_id,
        stage="land",
        dataset=DATASET,
        fingerprint="",
        rows_read=len(batches),
        rows_written=sum(b.status == "landed" for b in batches),
        rows_duplicate=sum(b.status == "duplicate" for b in batches),
        started_at=datetime.now(UTC).isoformat(),
        seconds=round(seconds, 3),
        measures={"bytes": str(sum(b.bytes for b in batches))} | as_measures(batches),
        warnings=tuple(warnings),
    )
    # By number: of a name for each landing a table would remember all, for good.
    transaction = "land", work.lake.version(DATASET) + 1
    work.store.replace([staged], receipt, transaction, NOTHING)
    return receipt


def create(work: LocalWork) -> None:
    """Make the empty manifest of a new project, so that it can be queried."""
    if not work.lake.exists(DATASET):
        receipt = Receipt(run_id="", stage="land", dataset=DATASET, fingerprint="")
        staged = stage(work, ())
        work.store.replace([staged], receipt, "create", NOTHING)


def batch_id(source: str, name: str, arrived_at: datetime) -> str:
    """Twelve hexadecimal digits that tell this delivery from every other."""
    text = f"{source}\0{name}\0{arrived_at.isoformat()}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def stage(work: LocalWork, batches: Iterable[Batch]) -> Staged:
    """Write batches as rows that can be added to the manifest."""
    import pyarrow as pa

    schema = _schema()
    table = pa.Table.from_pylist([asdict(b) for b in batches], schema)
    work.database.take("stage_manifest", table)
    staged = work.database.write("select * from stage_manifest", work.scratch)
    work.database.drop("stage_manifest")
    return staged


def _schema() -> pa.Schema:
    import pyarrow as pa

    instant = pa.timestamp("us", "UTC")
    kinds = {"bytes": pa.int64()} | dict.fromkeys(INSTANTS, instant)
    return pa.schema([pa.field(f.name, kinds.get(f.name, pa.string())) for f in fields(Batch)])
