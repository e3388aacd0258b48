"""Have those files of a source formatted again whose rows are lost in one of its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from backbone.dataset import BatchCount, HourRanges, Receipt, merge_hours
from backbone.engines.duckdb.local_work import LocalWork
from backbone.formatted.source import FormattedSource
from backbone.lake.drop_files import drop_files
from backbone.lake.log import RESTART
from backbone.landing.check_originals import original_problem
from backbone.ledger.compare import other_batches, rows_by_batch
from backbone.ledger.index import Index
from backbone.ledger.manifest import Manifest
from backbone.quoting import quote_identifier

NONE = BatchCount(0, 0, 0, 0)


def restore_source(
    work: LocalWork, index: Index, manifest: Manifest, source: FormattedSource, damaged: Collection[str]
) -> list[str]:
    """Commit the tables of a source without their damaged files; their batches count as not formatted then.

    The commit of the formatted table comes last, and its receipt says so. A process that dies before leaves
    all batches to be formatted again, as a bad or duplicate table's commit after it means that.

    Parameters
    ----------
    damaged : data files of the three tables.

    Returns
    -------
    What was done and what is lost, a sentence each.
    """
    lake, name = work.lake, source.name
    actual = rows_by_batch(lake, work.database, name, damaged)
    of_formatted = [file for file in damaged if _is_of(work, file, source.dataset)]
    redone = {*other_batches(index, name, actual)}
    if of_formatted:
        redone |= _without_winner(work, source)
    if not redone and not damaged:
        return []
    losses = _losses(work, index, manifest, source, {b: actual.get(b, NONE) for b in redone})
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
            batches={batch: actual.get(batch, NONE) for batch in sorted(redone)},
        )
        drop_files(lake, of_formatted, receipt)
    count = "1 file is" if len(redone) == 1 else f"{len(redone):,} files are"
    return [f"source {name}: {count} to be formatted again", *losses]


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


def _losses(
    work: LocalWork,
    index: Index,
    manifest: Manifest,
    source: FormattedSource,
    redone: Mapping[str, BatchCount],
) -> list[str]:
    """Of files that can't be formatted again, what rows are lost."""
    batches = {batch.batch: batch for batch in manifest.batches}
    known = index.batches(source.name)
    found = []
    for name, actual in sorted(redone.items()):
        batch = batches.get(name)
        problem = None if batch is None else original_problem(work.lake.project, batch, deep=True)
        if (batch is not None and problem is None) or name not in known:
            continue
        rows = known[name].count.rows
        what = "its original has no record" if problem is None else f"of its original: found {problem[1]}"
        found.append(
            f"Lost: source {source.name}, {batch.name if batch else 'a file'} (batch {name}): "
            f"{rows - actual.rows:,} of its {rows:,} rows, as they can't be formatted again ({what})"
        )
    return found
