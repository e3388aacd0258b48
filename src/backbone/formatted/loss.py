"""Files that can't be formatted, and what becomes of a source whose table would lose them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backbone.dataset import Batch, BatchCount
from backbone.errors import BackboneError, NotRepublished

SHOWN = 10
NOT_FORMATTED = "can't be formatted under the current contract and settings"


@dataclass(frozen=True)
class Loss:
    """A batch that can't be formatted.

    Attributes
    ----------
    count : its rows in the tables; None where it has none there.
    has_other : whether an earlier version of its file is in the table.
    """

    batch: Batch
    error: BackboneError
    count: BatchCount | None = None
    has_other: bool = False

    def __str__(self) -> str:
        return f"{self.batch.name} (batch {self.batch.batch}{self._rows}): {self.error.problem}"

    @property
    def _rows(self) -> str:
        if self.count is None:
            return f", never formatted{'; the version before it stays' if self.has_other else ''}"
        return f", {self.count.rows:,} row{'' if self.count.rows == 1 else 's'}"


def not_republished(source: str, losses: Sequence[Loss], files: int) -> NotRepublished:
    """The error of a source whose table stays as it is, as it would lose some of its `files` files."""
    shown = "".join(f"\n  {loss}" for loss in losses[:SHOWN])
    if len(losses) > SHOWN:
        shown += f"\n  and {len(losses) - SHOWN:,} more"
    some = "the only file" if files == 1 else f"{len(losses):,} of the {files:,} files"
    these = "this file" if len(losses) == 1 else "these files"
    mend = [*dict.fromkeys(loss.error.next_step for loss in losses if loss.error.next_step)][:3]
    ways = [
        *mend,
        f"mend [sources.{source}] in backbone.toml, or the contract",
        "make the field optional (`| None = None`)",
        f"publish without {these}: backbone run --accept-loss {source}",
    ]
    return NotRepublished(
        f"formatted.{source}",
        f"{some} in the table {NOT_FORMATTED}:{shown}",
        "Nothing of the source is published: its tables stay as they were, and new files wait.",
        "; or ".join(ways),
    )


def unrecorded(source: str, batches: Sequence[str]) -> NotRepublished:
    """The error of a source whose table holds batches that the manifest does not know any more."""
    shown = ", ".join(batches[:SHOWN]) + (" …" if len(batches) > SHOWN else "")
    some = "a file" if len(batches) == 1 else f"{len(batches):,} files"
    return NotRepublished(
        f"formatted.{source}",
        f"the table holds rows of {some} that landing has no record and no original of (batch {shown})",
        "Nothing of the source is published: its tables stay as they were, and new files wait.",
        f"put the originals back into landing/persistent/{source} and run backbone repair; or publish "
        f"without their rows: backbone run --accept-loss {source}",
    )


def with_way_out(source: str, error: BackboneError) -> BackboneError:
    """The refusal of a file that was never in the table, with the command that gives it up."""
    ways = [*filter(None, [error.next_step]), f"give it up: backbone run --accept-loss {source}"]
    return type(error)(error.where, error.problem, error.state, "; or ".join(ways))


def accepted(losses: Sequence[Loss]) -> tuple[str, ...]:
    """A warning for each batch that a table is published without, as the run was asked to."""
    return tuple(f"published without {loss}" for loss in losses)
