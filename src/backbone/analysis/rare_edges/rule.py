"""What the detector is told: how long it trains and waits, and how what it expects of an edge decays."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """The settings of a detector.

    Parameters
    ----------
    training_hours : how long an edge is only watched, from the hour in which it was first seen; at least 1.
    cooldown_hours : an alert comes more than this many hours after the one before it.
    slope, intercept : of the decay, per day and at once: so many times its maximum is expected of an edge.
    floor : the smallest multiple of the maximum that is expected; None for none.
    retire_hours : an edge that is seen again more than this many hours after it was last seen starts anew, as
        if it had never been seen; None for never.

    Examples
    --------
    >>> Rule().decay(0), round(Rule().decay(24), 5), round(Rule().decay(90 * 24), 4)
    (3.6, 3.55552, -0.4032)
    >>> Rule(floor=0.5).decay(90 * 24)
    0.5
    """

    training_hours: int = 720
    cooldown_hours: int = 24
    slope: float = -0.04448
    intercept: float = 3.6
    floor: float | None = None
    retire_hours: int | None = None

    def decay(self, hours: int) -> float:
        """By what the maximum is multiplied, so many hours after it."""
        multiple = self.intercept + self.slope * hours / 24.0
        return multiple if self.floor is None or multiple > self.floor else self.floor
