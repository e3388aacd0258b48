"""The accounts of every source: rows in its files = formatted + quarantined + duplicates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from backbone.dataset import BatchCount
from backbone.ledger.index import Index
from backbone.ledger.manifest import Manifest


@dataclass(frozen=True)
class SourceAccount:
    """One source's files and rows.

    `files` are those whose rows count now and `deliveries` all that ever arrived; `unformatted` files
    wait for a run, or can't be read; of `given_up` ones the newest version was let go by `--accept-loss`.
    """

    source: str
    deliveries: int
    repeated: int
    files: int
    unformatted: int
    latest: datetime | None
    rows: BatchCount
    given_up: int = 0


def source_account(
    source: str, redelivery: str, manifest: Manifest, index: Index, given_up: Collection[str] = ()
) -> SourceAccount:
    """Add up what is known of a source's batches.

    Parameters
    ----------
    given_up : the batches that its table was published without.
    """
    arrived = [b for b in manifest.batches if b.source == source]
    versions = manifest.versions(source, redelivery)
    known = index.batches(source)
    counts = [k.count for k in known.values()]
    newest = [file[0].batch for file in versions if file[0].batch not in known]
    return SourceAccount(
        source,
        len(arrived),
        sum(b.status == "duplicate" for b in arrived),
        len(versions),
        sum(batch not in given_up for batch in newest),
        max((b.arrived_at for b in arrived), default=None),
        BatchCount(
            sum(c.rows for c in counts),
            sum(c.formatted for c in counts),
            sum(c.quarantined for c in counts),
            sum(c.duplicate for c in counts),
        ),
        sum(batch in given_up for batch in newest),
    )
