"""What the detector is told: how long it trains and waits, and how what it expects of an edge decays."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

MOST_HOURS = 1_000_000_000  # over a hundred thousand years: differences of hours stay far from overflowing


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

    def refuse_nonsense(self) -> None:
        """Refuse settings that the detector can't go by.

        Raises
        ------
        ValueError
            When hours are not whole or too few or many, or the decay is not of finite numbers.
        """
        for name, least in (("training_hours", 1), ("cooldown_hours", 0), ("retire_hours", 1)):
            hours = getattr(self, name)
            if hours is None and name == "retire_hours":
                continue
            if not _is_integer(hours) or not least <= hours <= MOST_HOURS:
                never = ", or None" if name == "retire_hours" else ""
                raise ValueError(
                    f"expected {name} of {least} or more (a whole number to {MOST_HOURS:,}){never}, "
                    f"found {hours!r}"
                )
        for name in ("slope", "intercept"):
            number = getattr(self, name)
            if not _is_number(number) or not math.isfinite(number):
                raise ValueError(f"expected a finite number as {name}, found {number!r}")
        if self.floor is not None and (not _is_number(self.floor) or not self.floor < math.inf):
            raise ValueError(f"expected a finite number as floor, or None, found {self.floor!r}")

    def decay(self, hours: int) -> float:
        """By what the maximum is multiplied, so many hours after it."""
        multiple = self.intercept + self.slope * hours / 24.0
        return multiple if self.floor is None or multiple > self.floor else self.floor


def _is_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not _is_flag(value)


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not _is_flag(value)


def _is_flag(value: Any) -> bool:
    return type(value).__name__ in ("bool", "bool_")  # of Python, and of NumPy, which is not needed here
