"""Record again the originals whose records are lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from backbone.dataset import Batch, Receipt
from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.drop_files import drop_files
from backbone.lake.log import RESTART
from backbone.landing.persistent import Arrival
from backbone.ledger.delivered import Delivered, as_delivered, as_measures, unknown_sentence
from backbone.ledger.manifest import DATASET, batch_id, create, read_manifest, stage


def restore_manifest(
    work: LocalWork,
    damaged: Collection[str],
    arrivals: Sequence[Arrival],
    delivered: Mapping[str, Delivered],
) -> list[str]:
    """Commit the manifest without its damaged files, with the records of originals that it lacks.

    Their ids are what they were, as these are made of source, name and arrival.

    Parameters
    ----------
    damaged : data files of the manifest.
    arrivals : originals without a record.
    delivered : the hashes with which batches landed, as far as they are known.

    Returns
    -------
    What was done, a sentence each.
    """
    create(work)
    known = read_manifest(work.lake, work.database, damaged).batches
    adopted = [as_delivered(batch, delivered) for batch in _adopted(work, known, arrivals)]
    measures = as_measures(adopted)
    receipt = Receipt(work.run_id, RESTART, DATASET, "", rows_written=len(adopted), measures=measures)
    drop_files(work.lake, damaged, receipt, stage(work, adopted))
    count = "1 original" if len(adopted) == 1 else f"{len(adopted):,} originals"
    unknown = unknown_sentence(adopted, delivered)
    return [f"{DATASET}: {count} recorded again", *([f"{DATASET}: {unknown}"] if unknown else [])]


def _adopted(work: LocalWork, known: Sequence[Batch], arrivals: Sequence[Arrival]) -> list[Batch]:
    """The batches of some arrivals: versions of their files, or duplicates of the version before."""
    found: list[Batch] = []
    current: dict[tuple[str, str], str] = {}
    ordered: list[Batch | Arrival] = sorted([*known, *arrivals], key=lambda one: one.arrived_at)
    for one in ordered:
        key = one.source, one.name
        if isinstance(one, Batch):
            if one.status == "landed":
                current[key] = one.sha256
            continue
        sha256, size = work.originals.digest(one.path)
        status = "duplicate" if current.get(key) == sha256 else "landed"
        current[key] = sha256
        found.append(
            Batch(
                batch_id(one.source, one.name, one.arrived_at),
                one.source,
                one.name,
                sha256,
                size,
                one.arrived_at,
                one.path.relative_to(work.lake.project).as_posix(),
                status,
                one.origin,
                one.window_start,
                one.window_end,
            )
        )
    return found
