"""What is asked of every group: the loss, the scaler, the weights of the classes, and when to stop."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """What is the same for all groups.

    Parameters
    ----------
    classes : the target is 0 or 1, the loss its log loss; otherwise it is half a squared error.
    intercept : whether there is one.
    center, scale : whether a StandardScaler takes off the mean, and divides by the deviation.
    balanced, negative, positive : whether the classes weigh the same, or else what their rows weigh.
    min_rows, most : usable rows, and iterations.
    """

    classes: bool
    intercept: bool
    center: bool
    scale: bool
    balanced: bool
    negative: float
    positive: float
    min_rows: int
    most: int
