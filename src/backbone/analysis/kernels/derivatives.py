"""Where the derivatives of a group's objective are: the penalty starts them, the rows add to them."""

from __future__ import annotations

from typing import NamedTuple


class Derivatives(NamedTuple):
    """Addresses of the first and second derivatives of loss and penalty.

    Parameters
    ----------
    size : how many coefficients there are.
    gradient, hessian : of shape (size,) and (size, size), of which the lower triangle counts.
    """

    size: int
    gradient: int
    hessian: int
