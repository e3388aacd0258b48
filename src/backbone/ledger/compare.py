"""The accounts of the receipts, compared with the rows that the tables hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from backbone.dataset import BatchCount
from backbone.engines.duckdb.database import Database
from backbone.lake.data_files import logged_rows
from backbone.lake.finding import DEEP_REPAIR, REPAIR, Finding, What
from backbone.lake.table import Lake
from backbone.ledger.index import Index

PARTS = ("formatted", "quarantine", "duplicate")  # as BatchCount has them


def compare_account(lake: Lake, index: Index, source: str) -> list[Finding]:
    """Where the rows of a source by its receipts are not those of its tables by their logs.

    Of a source that a run has published by half before it ended, nothing: the next run completes it.
    """
    if index.half_published(source) is not None:
        return []
    counts = [known.count for known in index.batches(source).values()]
    by_receipts = _parts(
        BatchCount(
            sum(count.rows for count in counts),
            sum(count.formatted for count in counts),
            sum(count.quarantined for count in counts),
            sum(count.duplicate for count in counts),
        )
    )
    found = []
    for zone, rows in zip(PARTS, by_receipts, strict=True):
        dataset = f"{zone}.{source}"
        there = logged_rows(lake, dataset)
        if there is not None and there != rows:
            found.append(
                Finding(
                    What.ACCOUNT,
                    dataset,
                    dataset,
                    f"{rows:,} rows by the receipts",
                    f"{there:,} by the log of the table",
                    f"The accounts of source {source} don't say what its tables hold.",
                    REPAIR,
                )
            )
    return found


def compare_batches(lake: Lake, database: Database, index: Index, source: str) -> list[Finding]:
    """The same for each batch, by reading the tables."""
    if index.half_published(source) is not None:
        return []
    actual = rows_by_batch(lake, database, source)
    found = []
    for batch in other_batches(index, source, actual):
        known = index.batches(source).get(batch)
        expected = (0, 0, 0) if known is None else _parts(known.count)
        for zone, rows, there in zip(
            PARTS, expected, _parts(actual.get(batch, BatchCount(0, 0, 0, 0))), strict=True
        ):
            if rows != there:
                found.append(
                    Finding(
                        What.ACCOUNT,
                        f"{zone}.{source}",
                        f"{zone}.{source}, batch {batch}",
                        f"{rows:,} rows by its receipt",
                        f"{there:,} in the table",
                        f"The accounts of source {source} don't say what its tables hold.",
                        DEEP_REPAIR,
                    )
                )
    return found


def rows_by_batch(
    lake: Lake, database: Database, source: str, without: Collection[str] = ()
) -> dict[str, BatchCount]:
    """How many rows of each batch the three tables of a source hold.

    Parameters
    ----------
    without : data files that are not read.
    """
    counted: dict[str, list[int]] = {}
    for place, zone in enumerate(PARTS):
        dataset = f"{zone}.{source}"
        if not lake.exists(dataset):
            continue
        table = lake.read(dataset)
        database.read(table.of_files([file for file in table.files if file not in without]))
        for batch, rows in database.fetch(f"select _batch, count(*) from {dataset} group by _batch"):
            counted.setdefault(batch, [0, 0, 0])[place] = rows
    return {batch: BatchCount(sum(parts), *parts) for batch, parts in counted.items()}


def other_batches(index: Index, source: str, actual: Mapping[str, BatchCount]) -> list[str]:
    """The batches of which the tables hold other rows than the receipts say."""
    known = {batch: _parts(found.count) for batch, found in index.batches(source).items()}
    there = {batch: _parts(count) for batch, count in actual.items()}
    return sorted(
        batch for batch in {*known, *there} if known.get(batch, (0, 0, 0)) != there.get(batch, (0, 0, 0))
    )


def _parts(count: BatchCount) -> tuple[int, int, int]:
    return count.formatted, count.quarantined, count.duplicate
