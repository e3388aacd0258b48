"""`operations.pin`: versions that stay readable for ever, whatever expires around them.

Who pins holds the project's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from backbone.dataset import Receipt
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError
from backbone.lake.checkpoint import write_checkpoint
from backbone.lake.publish import Staged
from backbone.lake.store import NOTHING, Replacing
from backbone.lake.table import Lake
from backbone.ledger.tables import schema
from backbone.quoting import quote_literal

DATASET = "operations.pin"


@dataclass(frozen=True)
class Pin:
    """A version of a table that is kept under a name; a name may keep versions of several tables."""

    name: str
    dataset: str
    version: int
    created_at: datetime

    @property
    def removal(self) -> str:
        """The command that lets go of it."""
        return f"backbone pin --remove {self.name} {self.dataset}@{self.version}"


def pins(lake: Lake, database: Database) -> list[Pin]:
    """All pins, oldest first.

    Raises
    ------
    BackboneError
        When the table can't be read.
    """
    if not lake.exists(DATASET):
        return []
    database.read(lake.read(DATASET))
    rows = database.fetch(
        f"select name, dataset, version, created_at from {DATASET} "
        "order by created_at, name, dataset, version"
    )
    return [Pin(name, dataset, version, at.astimezone(UTC)) for name, dataset, version, at in rows]


def pinned_versions(found: Iterable[Pin]) -> dict[str, set[int]]:
    """By dataset, the versions that are pinned."""
    versions: dict[str, set[int]] = {}
    for pin_ in found:
        versions.setdefault(pin_.dataset, set()).add(pin_.version)
    return versions


def pin(work: LocalWork, name: str, versions: Mapping[str, int | None]) -> list[Pin]:
    """Keep versions of tables under a name, in one commit; returns the new pins.

    Parameters
    ----------
    versions : by table, the version; None for the present one.

    Raises
    ------
    BackboneError
        When a version can't be read, such as one that has expired; nothing is pinned then.
    """
    lake = work.lake
    before = {(p.name, p.dataset, p.version) for p in pins(lake, work.database)}
    made = []
    for dataset, version in sorted(versions.items()):
        if dataset not in lake.datasets():
            raise BackboneError(
                dataset, "there is no such table", "Nothing is pinned.", "backbone status lists what is there"
            )
        if version is None:
            version = lake.version(dataset)
        if not lake.has(dataset, version):
            raise BackboneError(
                dataset,
                f"expected version {version}, which is not there, or has expired",
                "Nothing is pinned.",
                f"backbone history {dataset} lists its versions; pin one of the newest",
            )
        lake.read(dataset, version)
        write_checkpoint(lake.path(dataset), version, lake.barrier)
        if (name, dataset, version) not in before:
            made.append(Pin(name, dataset, version, datetime.now(UTC)))
    if made:
        _publish(work, made, "pin", NOTHING)
    return made


def unpin(work: LocalWork, name: str, versions: Mapping[str, int | None] | None = None) -> list[Pin]:
    """Let go of what a name keeps; returns these pins. Their versions expire like others.

    Parameters
    ----------
    versions : only these: by table, the version, or None for all versions of it.
    """
    of_name = [found for found in pins(work.lake, work.database) if found.name == name]
    gone = [
        found
        for found in of_name
        if versions is None
        or (found.dataset in versions and versions[found.dataset] in (None, found.version))
    ]
    if gone:
        left = [found for found in of_name if found not in gone]
        _publish(work, left, "unpin", Replacing(f"name = {quote_literal(name)}"))
    return gone


def create_pins(work: LocalWork) -> None:
    """Make an empty table."""
    _publish(work, [], "pin", NOTHING)


def _publish(work: LocalWork, rows: list[Pin], stage: str, replacing: Replacing) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    version = work.lake.version(DATASET) + 1
    work.scratch.mkdir(parents=True, exist_ok=True)
    file = work.scratch / f"pin-{version}.parquet"
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema("pin")), file)
    receipt = Receipt(work.run_id, stage, DATASET, "", rows_written=len(rows))
    staged = Staged((file,) if rows else (), len(rows), schema("pin"))
    work.store.replace([staged], receipt, ("pin", version), replacing)
    work.lake.barrier.wait()
