"""Rows that a changed contract or setting takes out of a table, though every file can still be formatted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backbone.dataset import Batch, BatchCount

FEW_FILES = 5


@dataclass(frozen=True)
class _Change:
    """How many rows of a file are no longer in the tables, and how many of these are in quarantine now."""

    name: str
    rows: int
    quarantined: int


def fewer_rows_warning(
    source: str,
    batches: Sequence[Batch],
    before: Mapping[str, BatchCount],
    now: Mapping[str, BatchCount],
) -> str | None:
    """A warning where files that were formatted again have fewer good rows than before; None without any.

    Parameters
    ----------
    batches : in the order in which they arrived.
    before, now : the counts of batches under the contract and settings of before, and of now.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> batch = Batch("7f3a", "sale", "a.csv", "", 0, datetime(2026, 1, 1, tzinfo=UTC), "")
    >>> print(fewer_rows_warning(
    ...     "sale", [batch], {"7f3a": BatchCount(9, 9, 0, 0)}, {"7f3a": BatchCount(9, 7, 2, 0)}
    ... ))
    formatted again under the present contract and settings, 2 rows that the table had are now in quarantine \
(a.csv 2), and the table is published without them: backbone quarantine sale
    """
    both = [batch for batch in batches if batch.batch in before and batch.batch in now]
    changes = [_change(b.name, before[b.batch], now[b.batch]) for b in both]
    changes = [change for change in changes if change.rows]
    if not changes:
        return None
    rows, quarantined = sum(c.rows for c in changes), sum(c.quarantined for c in changes)
    files = ", ".join(f"{change.name} {change.rows:,}" for change in changes[:FEW_FILES])
    if len(changes) > FEW_FILES:
        files += f" and {len(changes) - FEW_FILES:,} more files"
    some, them = (
        ("1 row that the table had is", "it")
        if rows == 1
        else (f"{rows:,} rows that the table had are", "them")
    )
    what = f"now in quarantine ({files})"
    if quarantined < rows:
        what = (
            f"gone ({files}): {quarantined:,} to quarantine, and the others are not read as records any more"
        )
    return (
        f"formatted again under the present contract and settings, {some} {what}, and the "
        f"table is published without {them}: backbone quarantine {source}"
    )


def _change(name: str, before: BatchCount, now: BatchCount) -> _Change:
    rows = before.formatted + before.duplicate - now.formatted - now.duplicate
    return _Change(name, max(rows, 0), max(min(rows, now.quarantined - before.quarantined), 0))
