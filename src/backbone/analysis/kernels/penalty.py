"""A penalty, or the pull of a prior, in the coordinates of a group."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backbone.analysis.kernels.compiled import compiled, inlined
from backbone.analysis.kernels.derivatives import Derivatives
from backbone.analysis.kernels.memory import matrix, vector
from backbone.analysis.kernels.rows import Frame


class Pull(NamedTuple):
    """What pulls the coefficients, the same for all groups.

    Parameters
    ----------
    penalty : of ½ · penalty · ‖coefficients of the scaled features‖².
    strength : of the prior; 0 where there is none.
    model : address of the prior's model in its coordinates, shape (features + 1,), the intercept last.
    center, scale : addresses of its coordinates, shape (features,).
    """

    penalty: float
    strength: float
    model: int
    center: int
    scale: int


class Penalty(NamedTuple):
    """Addresses of the terms of ½ Σ (ridge · b - anchor)² + ½ (tie · b - anchor of the intercept)².

    All have shape (features + 1,), in the group's coordinates, the intercept last. The second term is how a
    prior pulls the intercept.
    Of equivalent solutions the one with the smallest b · units is wanted.
    """

    ridge: int
    anchor: int
    tie: int
    units: int


@compiled
def express(
    pull: Pull, d: int, frame: Frame, shift: float, spread: float, penalty: Penalty, start: int
) -> None:
    """Express penalty or prior in a group's coordinates; `start` is where to begin, at the prior or at 0."""
    ridge, anchor = vector(penalty.ridge, d + 1), vector(penalty.anchor, d + 1)
    tie, units = vector(penalty.tie, d + 1), vector(penalty.units, d + 1)
    centre, per_unit, scale = vector(frame.centre, d), vector(frame.per_unit, d), vector(frame.scale, d)
    b = vector(start, d + 1)
    for j in range(d + 1):
        b[j] = ridge[j] = anchor[j] = tie[j] = units[j] = 0.0
    if not pull.strength > 0.0:
        root = np.sqrt(pull.penalty)
        for j in range(d):
            units[j] = scale[j] * per_unit[j]
            ridge[j] = min(root * units[j], 1e150)
        return
    root = np.sqrt(pull.strength)
    model = vector(pull.model, d + 1)
    prior_center, prior_scale = vector(pull.center, d), vector(pull.scale, d)
    b[d] = (model[d] - shift) / spread
    anchor[d] = root * b[d]
    tie[d] = root
    for j in range(d):
        if per_unit[j] == 0.0:  # beside a prior a constant column has a coefficient
            per_unit[j] = 1.0 / prior_scale[j]
        b[j] = model[j] / spread / (prior_scale[j] * per_unit[j])
        ridge[j] = root * prior_scale[j] * per_unit[j]
        anchor[j] = root * model[j] / spread
        distance = (prior_center[j] - centre[j]) * per_unit[j]
        tie[j] = root * distance
        b[d] -= distance * b[j]


@inlined
def set_derivatives(prior: bool, penalty: Penalty, at: int, derivatives: Derivatives) -> None:
    """Start the derivatives at `at` with those of the penalty."""
    p, b = derivatives.size, vector(at, derivatives.size)
    first, second = vector(derivatives.gradient, p), matrix(derivatives.hessian, p, p)
    ridge, anchor, tie = vector(penalty.ridge, p), vector(penalty.anchor, p), vector(penalty.tie, p)
    pulled = 0.0
    if prior:
        pulled = -anchor[p - 1]
        for j in range(p):
            pulled += tie[j] * b[j]
    for j in range(p):
        first[j] = ridge[j] * (ridge[j] * b[j] - anchor[j]) + tie[j] * pulled
        for k in range(j):
            second[j, k] = tie[j] * tie[k]
        second[j, j] = ridge[j] * ridge[j] + tie[j] * tie[j]
