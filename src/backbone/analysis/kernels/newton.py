"""Fit a linear model to each of many groups by Newton's method, for a log loss or a squared one.

Every group has coordinates of its own, centred and scaled, in which all columns have one size; a penalty or a
prior is translated into them and stays what it was. A step is accepted when the loss along it has stopped
falling or nearly so, which its slope there tells; the loss itself is not needed. A squared loss is the case
in which the first step is the solution and the second one takes back its rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backbone.analysis.kernels.cholesky import VANISHED, Factor, choose, decompose, shorten, solve
from backbone.analysis.kernels.compiled import compiled, dot, dot3, exp, inlined, matrix, softplus, vector
from backbone.analysis.kernels.rows import Block, Frame, Totals, load, measure, standardise, whole

FITTED, SINGLE_CLASS, TOO_FEW_ROWS, NOT_CONVERGED = range(4)

STATUS, MISSING, NEGATIVE, POSITIVE, ITERATIONS, LOSS, INTERCEPT, COEFFICIENTS = range(8)

NEAR = 1e-5  # the largest change of a score by a step after which the next one is lost in rounding
ROUNDING = 1e-3  # below this, steps that get no smaller are rounding errors
CAREFUL = 20  # iterations after which a step may not go beyond the lowest point along it
BEYOND = 0.5  # how far it may up to then: to where the slope is this much of what it was, upwards
TRIALS = 60  # lengths of one step


class Problem(NamedTuple):
    """What is the same for all groups.

    Parameters
    ----------
    classes : the target is 0 or 1, the loss its log loss; otherwise it is half a squared error.
    intercept : whether there is one.
    center, scale : whether a StandardScaler takes off the mean, and divides by the deviation.
    penalty : of ½ · penalty · ‖coefficients of the scaled features‖².
    balanced, negative, positive : whether classes weigh the same, or else what their rows weigh.
    strength : of the prior; 0 where there is none.
    prior : address of the prior's model in its coordinates, shape (features + 1,), the intercept last.
    prior_center, prior_scale : addresses of its coordinates, shape (features,).
    min_rows, max_iterations : limits.
    """

    classes: bool
    intercept: bool
    center: bool
    scale: bool
    penalty: float
    balanced: bool
    negative: float
    positive: float
    strength: float
    prior: int
    prior_center: int
    prior_scale: int
    min_rows: int
    max_iterations: int


class Group(NamedTuple):
    """Addresses of a group's numbers in its coordinates, of shape (features + 1,), the intercept last.

    Parameters
    ----------
    b, trial, step : coefficients, where they may go, and the way there.
    gradient, hessian : of loss and penalty.
    ridge, anchor : the penalty ½ Σ (ridge · b - anchor)² …
    tie : … + ½ (tie · b - anchor of the intercept)², which is how a prior pulls the intercept.
    units : lengths among equivalent solutions are those of b · units.
    """

    b: int
    trial: int
    step: int
    gradient: int
    hessian: int
    ridge: int
    anchor: int
    tie: int
    units: int


class Scaling(NamedTuple):
    """How the target and the weights of a group's rows enter its problem."""

    shift: float
    spread: float
    negative: float
    positive: float


@inlined
def _scores(block: Block, n: int, p: int, coefficients: int) -> None:
    """Put the score of each row into `slope`."""
    x, score = matrix(block.x, block.d + 1, block.stride), vector(block.slope, block.stride)
    b = vector(coefficients, p)
    for i in range(n):
        score[i] = 0.0
    for j in range(0, p - 1, 2):
        b0, b1 = b[j], b[j + 1]
        for i in range(n):
            score[i] += b0 * x[j, i] + b1 * x[j + 1, i]
    if p % 2 == 1:
        b0 = b[p - 1]
        for i in range(n):
            score[i] += b0 * x[p - 1, i]


@compiled
def _derivatives(classes: bool, block: Block, n: int, p: int, group: Group, at: int) -> float:
    """Add the derivatives of the rows' loss; returns the weight of rows on the wrong side."""
    n = whole(n)
    y, w = vector(block.y, block.stride), vector(block.w, block.stride)
    slope, curve = vector(block.slope, block.stride), vector(block.curve, block.stride)
    gradient, hessian = vector(group.gradient, p), matrix(group.hessian, p, p)
    _scores(block, n, p, at)
    wrong = 0.0
    if classes:
        for i in range(n):
            e = exp(slope[i])
            q = 1.0 / (1.0 + e)
            wrong += w[i] * (q > 0.499999999)
            curve[i] = w[i] * (e * q) * q
            slope[i] = -w[i] * q
    else:
        for i in range(n):
            curve[i] = w[i]
            slope[i] = w[i] * (slope[i] - y[i])
    for j in range(p):
        column = block.x + 8 * block.stride * j
        gradient[j] += dot(block.slope, column, n)
        for k in range(j + 1):
            hessian[j, k] += dot3(block.curve, column, block.x + 8 * block.stride * k, n)
    return wrong


@compiled
def _loss(classes: bool, block: Block, n: int, p: int, at: int, scaling: Scaling) -> float:
    """The loss of the rows, in their own weights alone."""
    n = whole(n)
    y, w, score = (
        vector(block.y, block.stride),
        vector(block.w, block.stride),
        vector(block.slope, block.stride),
    )
    _scores(block, n, p, at)
    total = 0.0
    if classes:
        both = 0.5 / scaling.positive + 0.5 / scaling.negative
        side = 0.5 / scaling.positive - 0.5 / scaling.negative
        for i in range(n):
            total += w[i] * (both + side * y[i]) * softplus(-score[i])
    else:
        for i in range(n):
            total += w[i] * (score[i] - y[i]) * (score[i] - y[i])
    return total * scaling.spread * scaling.spread


@inlined
def _penalise(prior: bool, p: int, group: Group, at: int) -> None:
    """Start the derivatives with those of the penalty."""
    gradient, hessian, b = vector(group.gradient, p), matrix(group.hessian, p, p), vector(at, p)
    ridge, anchor, tie = vector(group.ridge, p), vector(group.anchor, p), vector(group.tie, p)
    pulled = 0.0
    if prior:
        pulled = -anchor[p - 1]
        for j in range(p):
            pulled += tie[j] * b[j]
    for j in range(p):
        gradient[j] = ridge[j] * (ridge[j] * b[j] - anchor[j]) + tie[j] * pulled
        for k in range(j):
            hessian[j, k] = tie[j] * tie[k]
        hessian[j, j] = ridge[j] * ridge[j] + tie[j] * tie[j]


@compiled
def _minimise(
    problem: Problem,
    totals: Totals,
    scaling: Scaling,
    block: Block,
    start: int,
    stop: int,
    frame: Frame,
    group: Group,
    factor: Factor,
) -> tuple[int, int, float]:
    """Newton's method from `group.b`, which ends up as the solution; returns status, iterations and loss."""
    d, p = block.d, factor.size
    b, trial, step = vector(group.b, p), vector(group.trial, p), vector(group.step, p)
    gradient = vector(group.gradient, p)
    finite = not problem.classes or problem.penalty > 0.0 or problem.strength > 0.0  # the optimum surely is
    reach = np.sqrt(totals.used)  # no row of average weight is further out in any column
    single = stop - start <= block.rows
    status, iteration, rank, trials = -1, 0, 0, 0
    before, fall, length, loss = np.inf, 0.0, 1.0, 0.0
    for j in range(p):
        trial[j], step[j] = b[j], 0.0
    first = True
    while True:
        if status < 0:
            _penalise(problem.strength > 0.0, p, group, group.trial)
        wrong = 0.0
        for begin in range(start, stop, block.rows):
            n = totals.used
            if not single:
                n = load(block, begin, min(begin + block.rows, stop))
            if first or not single:
                standardise(
                    block,
                    frame,
                    n,
                    scaling.shift,
                    1.0 / scaling.spread,
                    problem.classes,
                    scaling.negative,
                    scaling.positive,
                )
            if status < 0:
                wrong += _derivatives(problem.classes, block, n, p, group, group.trial)
            else:
                loss += _loss(problem.classes, block, n, p, group.b, scaling)
        first = False
        if status >= 0:
            return status, iteration, loss

        ahead = 0.0
        for j in range(p):
            ahead += gradient[j] * step[j]
        if ahead > (BEYOND * fall if iteration <= CAREFUL else 0.0):
            trials += 1
            length *= 0.9 * fall / (fall + ahead)
            for j in range(p):
                trial[j] = b[j] + length * step[j]
            if trials == TRIALS:
                status = NOT_CONVERGED
            continue
        for j in range(p):
            b[j] = trial[j]
        if (wrong == 0.0 and not finite) or iteration == problem.max_iterations:
            status = NOT_CONVERGED  # in the first case no optimum: all rows lie on their side
            continue
        iteration += 1
        if iteration == 1:
            rank = choose(group.hessian, factor)
        elif not decompose(group.hessian, rank, factor, VANISHED):
            status = NOT_CONVERGED
            continue
        solve(group.gradient, rank, factor, group.step)
        fall, change = 0.0, 0.0
        for j in range(p):
            step[j] = -step[j]
            fall -= gradient[j] * step[j]
            change += abs(step[j]) * (reach if j < d else 1.0)
            trial[j] = b[j] + step[j]
        if not np.isfinite(change):
            status = NOT_CONVERGED
        elif change <= NEAR or (change <= ROUNDING and change > 0.5 * before):
            status = FITTED
            for j in range(p):
                b[j] = trial[j]
            if rank < p:
                shorten(group.hessian, rank, factor, group.units, group.b)
        before, length, trials = change, 1.0, 0


@compiled
def _express(problem: Problem, d: int, frame: Frame, group: Group, scaling: Scaling) -> None:
    """Express penalty or prior in the group's coordinates, and choose where to start."""
    b, ridge, anchor = vector(group.b, d + 1), vector(group.ridge, d + 1), vector(group.anchor, d + 1)
    tie, units = vector(group.tie, d + 1), vector(group.units, d + 1)
    centre, per_unit, scale = vector(frame.centre, d), vector(frame.per_unit, d), vector(frame.scale, d)
    for j in range(d + 1):
        b[j] = ridge[j] = anchor[j] = tie[j] = units[j] = 0.0
    if not problem.strength > 0.0:
        root = np.sqrt(problem.penalty)
        for j in range(d):
            units[j] = scale[j] * per_unit[j]
            ridge[j] = min(root * units[j], 1e150)
        return
    root = np.sqrt(problem.strength)
    prior = vector(problem.prior, d + 1)
    prior_center, prior_scale = vector(problem.prior_center, d), vector(problem.prior_scale, d)
    b[d] = (prior[d] - scaling.shift) / scaling.spread
    anchor[d] = root * b[d]
    tie[d] = root
    for j in range(d):
        if per_unit[j] == 0.0:  # beside a prior a constant column has a coefficient
            per_unit[j] = 1.0 / prior_scale[j]
        b[j] = prior[j] / scaling.spread / (prior_scale[j] * per_unit[j])
        ridge[j] = root * prior_scale[j] * per_unit[j]
        anchor[j] = root * prior[j] / scaling.spread
        distance = (prior_center[j] - centre[j]) * per_unit[j]
        tie[j] = root * distance
        b[d] -= distance * b[j]


@compiled
def _constant(problem: Problem, totals: Totals, block: Block, fits: int, groups: int, g: int) -> None:
    """The model of a group that has none of its own."""
    d = block.d
    result = matrix(fits, COEFFICIENTS + 3 * d, groups)
    hits, weight = totals.positive_weight, totals.weight
    result[LOSS, g] = np.nan
    if problem.strength > 0.0:
        prior = vector(problem.prior, d + 1)
        prior_center, prior_scale = vector(problem.prior_center, d), vector(problem.prior_scale, d)
        result[INTERCEPT, g] = prior[d]
        for j in range(d):
            result[COEFFICIENTS + j, g] = prior[j] / prior_scale[j]
            result[INTERCEPT, g] -= prior[j] / prior_scale[j] * prior_center[j]
    elif problem.classes:
        rate = (hits + 1.0) / (weight + 2.0)
        result[INTERCEPT, g] = np.log(rate / (1.0 - rate))
        if weight > 0.0:
            result[LOSS, g] = -(hits * np.log(rate) + (weight - hits) * np.log(1.0 - rate)) / weight
    elif weight > 0.0:
        result[INTERCEPT, g] = totals.target_mean
        result[LOSS, g] = totals.target_variance
    else:
        result[INTERCEPT, g] = np.nan
        for j in range(d):
            result[COEFFICIENTS + j, g] = np.nan


@compiled
def fit_groups(
    offsets: npt.NDArray[np.int64],
    problem: Problem,
    block: Block,
    frame: Frame,
    group: Group,
    factor: Factor,
    fits: int,
) -> None:
    """Fit the model of each group.

    Parameters
    ----------
    fits : address of the results, zeros of shape (COEFFICIENTS + 3 · features, groups): coefficients, means
        and scales follow the rows that have a name. All is in the units of the data.
    """
    d, groups = block.d, len(offsets) - 1
    result = matrix(fits, COEFFICIENTS + 3 * d, groups)
    b, centre, per_unit = vector(group.b, d + 1), vector(frame.centre, d), vector(frame.per_unit, d)
    mean, scale = vector(frame.mean, d), vector(frame.scale, d)
    for g in range(groups):
        start, stop = offsets[g], offsets[g + 1]
        totals = measure(
            block, frame, start, stop, problem.classes, problem.intercept, problem.center, problem.scale
        )
        hits, weight = totals.positive_weight, totals.weight
        result[MISSING, g] = stop - start - totals.used
        result[NEGATIVE, g] = totals.used - totals.positive
        result[POSITIVE, g] = totals.positive
        for j in range(d):
            result[COEFFICIENTS + d + j, g] = mean[j] if weight > 0.0 else np.nan
            result[COEFFICIENTS + 2 * d + j, g] = scale[j] if weight > 0.0 else np.nan
        few = totals.used < problem.min_rows or not weight > 0.0
        prior = problem.strength > 0.0
        if few or (problem.classes and not prior and not 0.0 < hits < weight):
            result[STATUS, g] = TOO_FEW_ROWS if few else SINGLE_CLASS
            _constant(problem, totals, block, fits, groups, g)
            continue

        scaling = Scaling(0.0, 1.0, problem.negative, problem.positive)
        if problem.balanced:
            present = 2.0 if 0.0 < hits < weight else 1.0
            scaling = Scaling(
                0.0,
                1.0,
                weight / (present * (weight - hits)) if hits < weight else 1.0,
                weight / (present * hits) if hits > 0.0 else 1.0,
            )
        if not problem.classes:
            shift = totals.target_mean if problem.intercept else 0.0
            square = totals.target_variance + (totals.target_mean - shift) * (totals.target_mean - shift)
            scaling = Scaling(shift, np.sqrt(square) if square > 0.0 else 1.0, 1.0, 1.0)
        _express(problem, d, frame, group, scaling)
        if problem.classes and problem.intercept and not prior:
            b[d] = np.log(scaling.positive * hits / (scaling.negative * (weight - hits)))
        status, iterations, loss = _minimise(
            problem, totals, scaling, block, start, stop, frame, group, factor
        )
        intercept = scaling.shift + (scaling.spread * b[d] if problem.intercept else 0.0)
        for j in range(d):
            coefficient = scaling.spread * b[j] * per_unit[j]
            result[COEFFICIENTS + j, g] = coefficient
            intercept -= coefficient * centre[j]
        result[STATUS, g] = status
        result[INTERCEPT, g] = intercept
        result[ITERATIONS, g] = iterations
        result[LOSS, g] = loss / weight
