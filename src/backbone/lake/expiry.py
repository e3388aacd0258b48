"""Which versions of a table have expired, by the times of its commits and by their number.

No clock is asked. A clock that was wrong for a while has left commits with wrong times: one that went back
makes no version older, as a commit is never taken to be earlier than one before it; one that went ahead makes
those before it old, but the newest ones never expire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from backbone.lake.log import SAME_ROWS, LoggedCommit

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
NEWEST = 10  # what readers that have just begun look at, and the commits that are compared with the ledger


@dataclass(frozen=True)
class Kept:
    """The versions of a table that can be read although others have superseded them.

    Parameters
    ----------
    days : for how long after they were superseded.
    versions : at most so many, but not fewer than `NEWEST`.
    """

    days: int
    versions: int


def first_kept(commits: Sequence[LoggedCommit], kept: Kept) -> int:
    """The oldest version that has not expired; all after it have not either.

    The commit that made the present rows stays too, as its receipt is asked for.

    Parameters
    ----------
    commits : those of a log, oldest first, at least one.
    """
    at = list(accumulate((commit.at or LONG_AGO for commit in commits), max))
    fewest = max(len(commits) - max(kept.versions, NEWEST), 0)
    oldest = max(at[-1], LONG_AGO + timedelta(days=kept.days)) - timedelta(days=kept.days)
    young = next((n for n, (_, until) in enumerate(pairwise(at)) if until > oldest), len(commits) - 1)
    place = min(max(fewest, young), max(len(commits) - NEWEST, 0))
    made = (n for n, c in reversed([*enumerate(commits)]) if c.receipt and c.receipt.stage not in SAME_ROWS)
    return commits[min(place, next(made, place))].version
