"""Have those files of a source formatted again whose rows are lost in one of its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from backbone.dataset import BatchCount, HourRanges, Receipt, merge_hours
from backbone.engines.duckdb.local_work import LocalWork
from backbone.formatted.source import FormattedSource
from backbone.lake.drop_files import drop_files
from backbone.lake.log import RESTART
from backbone.ledger.compare import other_batches, rows_by_batch
from backbone.ledger.half_published import versions_beside
from backbone.ledger.index import Index
from backbone.ledger.manifest import Manifest
from backbone.quoting import quote_identifier
from backbone.repair.losses import Loss, losses

NONE = BatchCount(0, 0, 0, 0)


def restore_source(
    work: LocalWork, index: Index, manifest: Manifest, source: FormattedSource, damaged: Collection[str]
) -> tuple[list[str], list[Loss]]:
    """Commit the tables of a source without their damaged files; their batches count as not formatted then.

    The commit of the formatted table comes last, and its receipt says so. A process that dies before leaves
    all batches to be formatted again, as a bad or duplicate table's commit after it means that.

    Parameters
    ----------
    damaged : data files of the three tables.

    Returns
    -------
    What was done and what is lost, a sentence each; and the losses.
    """
    lake, name = work.lake, source.name
    redone = to_redo(work, index, source, damaged)
    if not redone and not damaged:
        return [], []
    lost = losses(lake.project, index, manifest, name, redone)
    was_half_published = index.half_published(name) is not None
    of_formatted = [file for file in damaged if _is_of(work, file, source.dataset)]
    last = lake.last_receipt(source.dataset)
    receipt = Receipt(work.run_id, RESTART, source.dataset, "", inputs={} if last is None else last.inputs)
    for zone in ("quarantine", "duplicate"):
        dataset = f"{zone}.{name}"
        files = [file for file in damaged if _is_of(work, file, dataset)]
        if files:
            drop_files(lake, files, replace(receipt, dataset=dataset, inputs={}))
    if last is not None:
        receipt = replace(
            receipt,
            fingerprint=last.fingerprint,
            remembered=last.remembered,
            touched=_touched(index, source, redone),
            batches={batch: redone[batch] for batch in sorted(redone)},
            measures={} if was_half_published else versions_beside(lake, name),
        )
        drop_files(lake, of_formatted, receipt)
    count = "1 file is" if len(redone) == 1 else f"{len(redone):,} files are"
    return [f"source {name}: {count} to be formatted again", *map(str, lost)], lost


def to_redo(
    work: LocalWork, index: Index, source: FormattedSource, damaged: Collection[str]
) -> dict[str, BatchCount]:
    """The batches to be formatted again, each with the rows that are left of it."""
    actual = rows_by_batch(work.lake, work.database, source.name, damaged)
    redone = {*other_batches(index, source.name, actual)}
    if any(_is_of(work, file, source.dataset) for file in damaged):
        redone |= _without_winner(work, source)
    return {batch: actual.get(batch, NONE) for batch in redone}


def _is_of(work: LocalWork, file: str, dataset: str) -> bool:
    return file.startswith(f"{work.lake.path(dataset)}/")


def _without_winner(work: LocalWork, source: FormattedSource) -> set[str]:
    """The batches with a duplicate of a row that is lost, which may have won in its place."""
    duplicate = f"duplicate.{source.name}"
    if not source.keys or not work.lake.exists(duplicate):
        return set()
    same = " and ".join(
        f"f.{name} is not distinct from d.{name}" for name in map(quote_identifier, source.keys)
    )
    found = work.database.fetch(
        f"select distinct _batch from {duplicate} d "
        f"where not exists (select 1 from {source.dataset} f where {same})"
    )
    return {batch for (batch,) in found}


def _touched(index: Index, source: FormattedSource, batches: Iterable[str]) -> HourRanges | None:
    """The hours that the commits changed which wrote these batches; None where that is not known."""
    if source.event_time is None:
        return None
    wrote = index.versions_of_batches(source.name, batches)
    changes = [change for change in index.changes(source.dataset) if change.version in wrote]
    if any(change.low is None for change in changes):
        return None
    return merge_hours((c.low, c.high) for c in changes if c.low is not None and c.high is not None)
