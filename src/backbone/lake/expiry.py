"""Which versions of a table have expired, by the times of its commits and by their number.

No clock is asked: a version's age is counted up to the newest commit. A clock that was wrong for a while has
left commits with wrong times. One that is earlier than a commit before it counts as made at the next time
that is not, so none expires too early. While a clock is ahead all versions seem old, but the newest never
expire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from backbone.lake.log import SAME_ROWS, LoggedCommit

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
NEWEST = 10  # what readers that have just begun look at, and the commits that are compared with the ledger


@dataclass(frozen=True)
class KeptVersions:
    """The versions of a table that can be read although others have superseded them.

    Parameters
    ----------
    days : for how long after they were superseded.
    versions : at most so many, but not fewer than `NEWEST`.
    """

    days: int
    versions: int


def first_kept(commits: Sequence[LoggedCommit], keep: KeptVersions) -> int:
    """The oldest version that has not expired; all after it have not either.

    The commit that made the present rows stays too, as its receipt is asked for.

    Parameters
    ----------
    commits : those of a log, oldest first, at least one.
    """
    at = _plausible([commit.at or LONG_AGO for commit in commits])
    newest = commits[-1].at or LONG_AGO
    fewest = max(len(commits) - max(keep.versions, NEWEST), 0)
    oldest = max(newest, LONG_AGO + timedelta(days=keep.days)) - timedelta(days=keep.days)
    young = next((n for n, (_, until) in enumerate(pairwise(at)) if until > oldest), len(commits) - 1)
    place = min(max(fewest, young), max(len(commits) - NEWEST, 0))
    made = (n for n, c in reversed([*enumerate(commits)]) if c.receipt and c.receipt.stage not in SAME_ROWS)
    return commits[min(place, next(made, place))].version


def _plausible(times: Sequence[datetime]) -> list[datetime]:
    """The times in an order in which none goes back: those that do are taken for the next that does not.

    Examples
    --------
    >>> [at.day for at in _plausible([datetime(2026, 1, day) for day in (3, 9, 4, 5, 10, 2)])]
    [3, 9, 10, 10, 10, 10]
    """
    found: list[datetime] = []
    latest = times[0]
    for place, at in enumerate(times):
        if at >= latest:
            found += [at] * (place + 1 - len(found))
            latest = at
    return found + [latest] * (len(times) - len(found))
