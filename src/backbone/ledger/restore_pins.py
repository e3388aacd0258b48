"""Pin again the versions that only a pin can have kept, where `operations.pin` has lost rows.

Around a pinned version others expire: in the log it is a commit with a checkpoint, and none follows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.log import RESTART, TableLog
from backbone.lake.version_problem import version_problem
from backbone.ledger.pins import Pin, pin, pinned_versions, pins

NAME = "restored"
"""The name under which they are pinned, as their own is lost."""


def restore_pins(work: LocalWork) -> list[Pin]:
    """Pin the versions that only a pin can have kept; returns the new pins.

    Of a pinned version around which none has expired nothing is known.
    """
    there, made = pinned_versions(pins(work.lake, work.database)), []
    for dataset in work.lake.datasets():
        for version in _kept_alone(work.lake.log(dataset)):
            is_pinned = version in there.get(dataset, ())
            if not is_pinned and version_problem(work.lake, dataset, version) is None:
                made += pin(work, NAME, {dataset: version})
    return made


def restored_lines(made: Collection[Pin], lost: int | None = None) -> list[str]:
    """What was pinned again and what could not be, a sentence each.

    Parameters
    ----------
    lost : how many pins there were, where that is known.
    """
    named = ", ".join(f"{found.dataset}@{found.version}" for found in made)
    again = [f"{named} pinned again as {NAME}, as only a pin can have kept it"] if named else []
    if lost is not None and len(made) >= lost:
        return again
    return [*again, "what else was pinned is not known: pin it again before the next maintain"]


def _kept_alone(log: TableLog) -> Iterator[int]:
    versions, checkpoints = log.versions, {*log.checkpoints}
    for place, version in enumerate(versions[:-1]):
        following = versions[place + 1]
        if version in checkpoints and following != version + 1:
            receipt = log.commit(following).receipt
            if receipt is None or receipt.stage != RESTART:  # which leaves out the numbers of what was lost
                yield version
