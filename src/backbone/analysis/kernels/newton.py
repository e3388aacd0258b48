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

from typing import NamedTuple

import numpy as np

from backbone.analysis.kernels.cholesky import ALIASED, VANISHED, Factor, choose, decompose, shorten, solve
from backbone.analysis.kernels.compiled import compiled, inlined
from backbone.analysis.kernels.lanes import largest
from backbone.analysis.kernels.loss import add_derivatives, loss_of
from backbone.analysis.kernels.memory import vector
from backbone.analysis.kernels.penalty import Penalty, set_derivatives
from backbone.analysis.kernels.rows import Block, Frame, Scaling, load, standardise, whole

FITTED, SINGLE_CLASS, TOO_FEW_ROWS, NOT_CONVERGED = range(4)

NEAR = 1e-5  # the largest change of a score by a step after which the next one is lost in rounding
ROUNDING = 1e-3  # below this, steps that get no smaller are rounding errors
RADIUS = 10.0  # the change of a score by the first step; where the loss is flat a step would be endless
FLAT = 0.5  # the slope at the end of a step, as a share of that at its start
FLATTER = 1e-3  # the same upwards, after so many iterations that steps should not go beyond the lowest point
CAREFUL = 20  # so many
BISECT, TRIALS = 10, 60  # lengths of one step that are tried before halving them, and before giving up
FAINT = 1e-11  # the probability of the other class at which a row says no more about the coefficients


class Walk(NamedTuple):
    """Addresses of what Newton's method needs to know; vectors of shape (features + 1,), the intercept last.

    Parameters
    ----------
    b, trial, step : coefficients, where they may go, and the way there.
    reach : the largest absolute value in each column.
    gradient, hessian : of loss and penalty.
    """

    b: int
    trial: int
    step: int
    reach: int
    gradient: int
    hessian: int


class Task(NamedTuple):
    """One group's problem.

    Parameters
    ----------
    classes : the loss is a log loss; otherwise half a squared error.
    penalised, prior : whether anything pulls the coefficients, and whether a prior does.
    start, stop, used : its rows, and how many of them are usable.
    """

    classes: bool
    penalised: bool
    prior: bool
    start: int
    stop: int
    used: int
    scaling: Scaling
    block: Block
    frame: Frame
    penalty: Penalty
    walk: Walk
    factor: Factor


@compiled
def minimise(task: Task, most: int) -> tuple[int, int, float]:
    """Go from `walk.b` to the optimum.

    Parameters
    ----------
    task : of a group whose rows are loaded, where they fit into one block.
    most : iterations.

    Returns
    -------
    The status, the iterations, and the loss at the end.
    """
    if _in_one_block(task):
        standardise(task.block, task.frame, task.used, task.classes, task.scaling)
    status, iterations = _descend(task, most)
    return status, iterations, _loss(task)


@inlined
def _descend(task: Task, most: int) -> tuple[int, int]:
    walk, factor, p = task.walk, task.factor, task.factor.size
    b, trial, step = vector(walk.b, p), vector(walk.trial, p), vector(walk.step, p)
    gradient, reach = vector(walk.gradient, p), vector(walk.reach, p)
    _measure_reach(task)
    wrong = _differentiate(task, walk.b, 0.0)
    rank, clear = choose(walk.hessian, factor, ALIASED), True
    radius, rounding = (RADIUS, ROUNDING) if task.classes else (np.inf, np.inf)
    change = np.inf
    for iteration in range(1, most + 1):
        if iteration > 1:
            clear = decompose(walk.hessian, rank, factor, VANISHED)
        solve(walk.gradient, rank, factor, walk.step)
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
                shorten(walk.hessian, rank, factor, task.penalty.units, walk.b)
            if clear and task.classes and not task.penalised:
                # The optimum must not rest on rows that say nothing: then it is not finite.
                _differentiate(task, walk.b, FAINT)
                clear = decompose(walk.hessian, rank, factor, VANISHED)
            return FITTED if clear else NOT_CONVERGED, iteration
        length, shortened, wrong = _follow(task, fall, min(1.0, radius / change), iteration > CAREFUL)
        if length == 0.0:
            return NOT_CONVERGED, iteration
        if shortened:
            radius = 2.0 * length * change
        elif length < 1.0:
            radius *= 4.0
        for j in range(p):
            b[j] = trial[j]
        if task.classes and not task.penalised and wrong == 0.0:
            return NOT_CONVERGED, iteration  # all rows lie on their own side: no optimum is finite
    return NOT_CONVERGED, most


@inlined
def _follow(task: Task, fall: float, length: float, careful: bool) -> tuple[float, bool, float]:
    """Find how far to go along the step; the derivatives are those at the end of it, which is `walk.trial`.

    Returns
    -------
    The share of the step, 0 where there is none to be found; whether it was shortened; and the weight of the
    rows that do not lie on their own side.
    """
    walk, p = task.walk, task.factor.size
    b, trial, step = vector(walk.b, p), vector(walk.trial, p), vector(walk.step, p)
    gradient = vector(walk.gradient, p)
    low, low_slope, high, high_slope = 0.0, -fall, length, 0.0
    for trials in range(TRIALS):
        slope = 0.0
        for j in range(p):
            trial[j] = b[j] + length * step[j]
        wrong = _differentiate(task, walk.trial, 0.0)
        for j in range(p):
            slope += gradient[j] * step[j]
        if slope > fall * (FLATTER if careful else FLAT) and task.classes:
            high, high_slope = length, slope
        elif slope < -FLAT * fall and trials > 0:
            low, low_slope = length, slope
        else:
            return length, trials > 0, wrong
        between = low_slope / (low_slope - high_slope) if trials < BISECT else 0.5
        length = low + (high - low) * min(max(between, 0.1), 0.9)
    return 0.0, True, 0.0


@inlined
def _in_one_block(task: Task) -> bool:
    return task.stop - task.start <= task.block.rows


@inlined
def _ready(task: Task, begin: int) -> int:
    """See to it that the rows from `begin` on are in the block, standardised; returns how many they are."""
    block = task.block
    if _in_one_block(task):
        return task.used
    n = load(block, begin, min(begin + block.rows, task.stop))
    standardise(block, task.frame, n, task.classes, task.scaling)
    return n


@compiled
def _differentiate(task: Task, at: int, faint: float) -> float:
    """Gradient and Hessian of loss and penalty; returns the weight of rows that lie on the wrong side."""
    block, walk, p = task.block, task.walk, task.factor.size
    set_derivatives(task.prior, p, task.penalty, at, walk.gradient, walk.hessian)
    wrong = 0.0
    for begin in range(task.start, task.stop, block.rows):
        n = _ready(task, begin)
        wrong += add_derivatives(task.classes, block, n, p, at, faint, walk.gradient, walk.hessian)
    return wrong


@inlined
def _measure_reach(task: Task) -> None:
    block, reach = task.block, vector(task.walk.reach, task.factor.size)
    for j in range(len(reach)):
        reach[j] = 0.0
    for begin in range(task.start, task.stop, block.rows):
        n = whole(_ready(task, begin))
        for j in range(len(reach)):
            reach[j] = max(reach[j], largest(block.x + 8 * block.stride * j, n))


@inlined
def _loss(task: Task) -> float:
    """Σ weight · loss in the units of the target."""
    p, scaling, loss = task.factor.size, task.scaling, 0.0
    for begin in range(task.start, task.stop, task.block.rows):
        n = _ready(task, begin)
        loss += loss_of(task.classes, task.block, n, p, task.walk.b, scaling.negative, scaling.positive)
    return loss * scaling.spread * scaling.spread
