"""Join the small files of tables, in commits of their own that change no row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backbone.dataset import Dataset, Receipt
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError
from backbone.lake.log import MAINTAIN
from backbone.lake.pieces import all_pieces

FEW = 4  # small files of a table of the ledger; what is done here is said in further ones


def join_small_files(work: LocalWork, dataset: str) -> int:
    """Write the small files of a table again as one, or as one for each day; returns how many they were.

    Readers of the table do not become stale by it: the commit's receipt names no hours.

    Raises
    ------
    BackboneError
        When a file of the table is gone or can't be read; the table stays as it is.
    """
    table = work.lake.read(dataset)
    try:
        small = all_pieces(table)
    except FileNotFoundError as error:
        raise BackboneError(
            dataset,
            f"expected {Path(error.filename).relative_to(work.lake.project).as_posix()}, found none",
            "Its small files were not joined.",
            "backbone repair",
        ) from error
    of_ledger = Dataset.of(dataset).zone == "operations"
    if not small or (of_ledger and len(small) <= FEW):
        return 0
    receipt = Receipt(work.run_id, MAINTAIN, dataset, "", notes=(f"joined {len(small)} small files",))
    if of_ledger:
        last = work.lake.last_receipt(dataset)
        # By its inputs the newest commit of the receipts tells whether another table has lost one.
        receipt = replace(receipt, stage="index", inputs={} if last is None else last.inputs, notes=())
    work.store.join(dataset, small, receipt)
    return len(small)
