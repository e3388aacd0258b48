"""The batches that a table holds rows of, and of which landing has neither a record nor an original."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from backbone.lake.finding import Finding, What
from backbone.landing.persistent import Arrival
from backbone.ledger.index import Index
from backbone.ledger.manifest import DATASET, Manifest, batch_id


def lost_batches(
    index: Index, manifest: Manifest, unrecorded: Sequence[Arrival], sources: Collection[str]
) -> Iterator[Finding]:
    """A finding of each: with rows of such a batch, nothing more of its source is published.

    Parameters
    ----------
    unrecorded : the originals without a record.
    sources : the project's.
    """
    there = {batch.batch for batch in manifest.batches}
    there.update(batch_id(a.source, a.name, a.arrived_at) for a in unrecorded)
    for source in sorted(sources):
        known = index.batches(source)
        for batch in sorted(known.keys() - there):
            dataset, rows = f"formatted.{source}", known[batch].count.rows
            yield Finding(
                What.BATCH,
                dataset,
                f"{dataset}, batch {batch}",
                f"a record in {DATASET} and an original",
                "neither",
                f"Its {'row stays' if rows == 1 else f'{rows:,} rows stay'} in the tables, "
                f"but new files of source {source} wait.",
                f"put the original back into its folder in landing/persistent/{source} and run backbone "
                f"repair; or publish without its rows: backbone run --accept-loss {source}",
            )


def has_lost_batches(index: Index, manifest: Manifest, sources: Collection[str]) -> bool:
    """Whether a table holds rows of a batch without a record; it may have an original."""
    there = {batch.batch for batch in manifest.batches}
    return any(index.batches(source).keys() - there for source in sources)
