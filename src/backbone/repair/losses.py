"""The rows that a repair can't bring back: they are gone from the tables, and their original is too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from backbone.dataset import BatchCount
from backbone.landing.check_originals import original_problem
from backbone.ledger.index import Index
from backbone.ledger.manifest import Manifest
from backbone.printable import shown


@dataclass(frozen=True)
class Loss:
    """Rows of one file that are lost.

    Parameters
    ----------
    path : of the original, as the manifest has it; empty where it has no record.
    why : what is wrong with the original.
    """

    source: str
    name: str
    batch: str
    path: str
    lost: int
    rows: int
    why: str

    @property
    def count(self) -> str:
        """How many of its rows."""
        return f"{self.lost:,} of its {self.rows:,} row{'' if self.rows == 1 else 's'}"

    def __str__(self) -> str:
        return (
            f"Lost: source {self.source}, {shown(self.name)} (batch {self.batch}): {self.count}, "
            f"as they can't be formatted again ({self.why})"
        )


def losses(
    project: Path,
    index: Index,
    manifest: Manifest,
    source: str,
    redone: Mapping[str, BatchCount],
    adopted: Collection[str] = (),
) -> list[Loss]:
    """Of the files of a source that are to be formatted again, those that can't be.

    Parameters
    ----------
    redone : by batch, the rows that are left.
    adopted : batches without a record that have an original, so that the repair records them.
    """
    batches = {batch.batch: batch for batch in manifest.batches}
    known = index.batches(source)
    found = []
    for name, actual in sorted(redone.items()):
        batch = batches.get(name)
        problem = None if batch is None else original_problem(project, batch, deep=True)
        if name not in known or (problem is None and (batch is not None or name in adopted)):
            continue
        rows = known[name].count.rows
        found.append(
            Loss(
                source,
                "a file" if batch is None else batch.name,
                name,
                "" if batch is None else batch.path,
                rows - actual.rows,
                rows,
                "its original has no record" if problem is None else f"of its original: found {problem[1]}",
            )
        )
    return found
