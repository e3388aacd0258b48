"""Minimise the loss of one group, by Newton's method in the group's own coordinates.

Along each step the loss is followed by its slope alone: a step is shortened to where the loss stops falling,
or nearly so. A squared loss is the case in which the first step is the solution and the second takes back its
rounding.

References
----------
Boyd and Vandenberghe, Convex Optimization (2004), chapter 9. Where a step changes no score by more than ε,
the next is at most ε of it, measured by the curvature (Bach, Self-concordant analysis for logistic
regression, 2010).
"""

from __future__ import annotations

import numpy as np

from backbone.analysis.kernels.cholesky import ALIASED, VANISHED, choose, decompose, shorten, solve
from backbone.analysis.kernels.compiled import compiled, inlined
from backbone.analysis.kernels.group import Group, differentiate
from backbone.analysis.kernels.memory import vector

FITTED, SINGLE_CLASS, TOO_FEW_ROWS, NOT_CONVERGED = range(4)

NEAR = 1e-5  # the largest change of a score by a step after which the next one is lost in rounding
ROUNDING = 1e-3  # below this, steps that get no smaller are rounding errors
RADIUS = 10.0  # the change of a score by the first step; where the loss is flat a step would be endless
FLAT = 0.5  # the slope at the end of a step, as a share of that at its start
FLATTER = 1e-3  # the same upwards, after so many iterations that steps should not go beyond the lowest point
CAREFUL = 20  # so many
BISECT, TRIALS = 10, 60  # lengths of one step that are tried before halving them, and before giving up
FAINT = 1e-11  # the probability of the other class at which a row says no more about the coefficients


@compiled
def descend(group: Group, most: int) -> tuple[int, int]:
    """Go from `walk.b` to the optimum of a group that is prepared, in `most` iterations at most.

    Returns
    -------
    The status, and the iterations.
    """
    walk, factor, p = group.work.walk, group.work.factor, group.work.factor.size
    b, trial, step = vector(walk.b, p), vector(walk.trial, p), vector(walk.step, p)
    derivatives, reach = walk.derivatives, vector(walk.reach, p)
    gradient, hessian = vector(derivatives.gradient, p), derivatives.hessian
    differentiate(group, walk.b, 0.0)
    rank, clear = choose(hessian, factor, ALIASED), True
    radius, rounding = (RADIUS, ROUNDING) if group.classes else (np.inf, np.inf)
    change = np.inf
    for iteration in range(1, most + 1):
        if iteration > 1:
            clear = decompose(hessian, rank, factor, VANISHED)
        solve(derivatives.gradient, rank, factor, walk.step)
        before, fall, change = change, 0.0, 0.0
        for j in range(p):
            step[j] = -step[j]
            fall -= gradient[j] * step[j]
            change += abs(step[j]) * reach[j]
        if not abs(fall + change) < np.inf:
            return NOT_CONVERGED, iteration
        if change <= NEAR or (change <= rounding and change > 0.5 * before):
            for j in range(p):
                b[j] += step[j]
            if rank < p:
                shorten(hessian, rank, factor, group.work.penalty.units, walk.b)
            if clear and group.classes and not group.penalised:
                # The optimum must not rest on rows that say nothing: then it is not finite.
                differentiate(group, walk.b, FAINT)
                clear = decompose(hessian, rank, factor, VANISHED)
            return FITTED if clear else NOT_CONVERGED, iteration
        length, shortened, wrong = _follow(group, fall, min(1.0, radius / change), iteration > CAREFUL)
        if length == 0.0:
            return NOT_CONVERGED, iteration
        if shortened:
            radius = 2.0 * length * change
        elif length < 1.0:
            radius *= 4.0
        for j in range(p):
            b[j] = trial[j]
        if group.classes and not group.penalised and wrong == 0.0:
            return NOT_CONVERGED, iteration  # all rows lie on their own side: no optimum is finite
    return NOT_CONVERGED, most


@inlined
def _follow(group: Group, fall: float, length: float, careful: bool) -> tuple[float, bool, float]:
    """Find how far to go along the step; the derivatives are those at the end of it, which is `walk.trial`.

    Returns
    -------
    The share of the step, 0 where there is none to be found; whether it was shortened; and the weight of the
    rows that do not lie on their own side.
    """
    walk, p = group.work.walk, group.work.factor.size
    b, trial, step = vector(walk.b, p), vector(walk.trial, p), vector(walk.step, p)
    gradient = vector(walk.derivatives.gradient, p)
    low, low_slope, high, high_slope = 0.0, -fall, length, 0.0
    for trials in range(TRIALS):
        slope = 0.0
        for j in range(p):
            trial[j] = b[j] + length * step[j]
        wrong = differentiate(group, walk.trial, 0.0)
        for j in range(p):
            slope += gradient[j] * step[j]
        if slope > fall * (FLATTER if careful else FLAT) and group.classes:
            high, high_slope = length, slope
        elif slope < -FLAT * fall and trials > 0:
            low, low_slope = length, slope
        else:
            return length, trials > 0, wrong
        between = low_slope / (low_slope - high_slope) if trials < BISECT else 0.5
        length = low + (high - low) * min(max(between, 0.1), 0.9)
    return 0.0, True, 0.0
