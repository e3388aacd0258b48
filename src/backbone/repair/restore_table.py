"""Have those windows of a computed table computed again whose rows are lost."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC

from backbone.dataset import Receipt, hour_of, merge_hours, step
from backbone.engines.duckdb.local_work import LocalWork
from backbone.exploitation.model import LoadedModel
from backbone.exploitation.retention import is_retained
from backbone.lake.drop_files import drop_files
from backbone.lake.log import RESTART
from backbone.lake.table import day_of
from backbone.ledger.index import Index


def restore_table(work: LocalWork, index: Index, model: LoadedModel, damaged: Collection[str]) -> list[str]:
    """Commit a table without its damaged files; its windows of those days count as not computed then.

    A table without windows is computed again as a whole. So is one whose rows are dropped after some time, as
    its first windows may continue from rows that are gone.

    Returns
    -------
    What was done, a sentence each.
    """
    lake, dataset = work.lake, model.dataset
    states = index.windows(dataset)
    cadences = {state.every for state in states.values()}
    if model.every is None or is_retained(model) or cadences != {model.every}:
        receipt = Receipt(work.run_id, RESTART, dataset, "", touched=None, replaces_all=True)
        drop_files(lake, lake.read(dataset).files, receipt, aside=damaged)
        return [f"{dataset}: all of it is to be computed again"]
    days = {day_of(file) for file in damaged}
    starts = sorted(at.astimezone(UTC) for at in states if at is not None and f"{at:%Y-%m-%d}" in days)
    windows = tuple((hour_of(at), hour_of(step(at, model.every))) for at in starts)
    last = lake.last_receipt(dataset)
    receipt = Receipt(
        work.run_id,
        RESTART,
        dataset,
        "",
        every=model.every,
        windows=windows,
        touched=merge_hours(windows),
        kept_from=None if last is None else last.kept_from,
    )
    drop_files(lake, damaged, receipt)
    count = "1 window is" if len(windows) == 1 else f"{len(windows):,} windows are"
    return [f"{dataset}: {count} to be computed again"]
