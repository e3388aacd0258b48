"""Fit the model of each of many groups, and give it in the units of the data."""

from __future__ import annotations

import numpy as np

from backbone.analysis.kernels.compiled import compiled
from backbone.analysis.kernels.group import Group, Workspace, prepare, total_loss
from backbone.analysis.kernels.memory import integers, matrix, vector
from backbone.analysis.kernels.newton import NOT_CONVERGED, SINGLE_CLASS, TOO_FEW_ROWS, descend
from backbone.analysis.kernels.penalty import Pull, express
from backbone.analysis.kernels.problem import Problem
from backbone.analysis.kernels.rows import Scaling, Totals, measure

STATUS, MISSING, NEGATIVE, POSITIVE, ITERATIONS, LOSS, INTERCEPT, COEFFICIENTS = range(8)


@compiled
def fit_groups(
    offsets: int, groups: int, problem: Problem, pull: Pull, work: Workspace, results: int
) -> None:
    """Fit the model of each group.

    Parameters
    ----------
    offsets : address, of shape (groups + 1,), integers.
    results : address of zeros of shape (COEFFICIENTS + 3 · features, groups), to be filled: coefficients,
        means and scales follow the rows that have a name.
    """
    block, frame, walk = work.block, work.frame, work.walk
    d, ends = block.d, integers(offsets, groups + 1)
    result = matrix(results, COEFFICIENTS + 3 * d, groups)
    mean, scale = vector(frame.mean, d), vector(frame.scale, d)
    b, centre, per_unit = vector(walk.b, d + 1), vector(frame.centre, d), vector(frame.per_unit, d)
    prior = pull.strength > 0.0
    for g in range(groups):
        start, stop = ends[g], ends[g + 1]
        totals = measure(block, frame, start, stop, problem)
        hits, weight = totals.positive_weight, totals.weight
        result[MISSING, g] = stop - start - totals.used
        result[NEGATIVE, g] = totals.used - totals.positive
        result[POSITIVE, g] = totals.positive
        for j in range(d):
            result[COEFFICIENTS + d + j, g] = mean[j] if weight > 0.0 else np.nan
            result[COEFFICIENTS + 2 * d + j, g] = scale[j] if weight > 0.0 else np.nan
        few = totals.used < problem.min_rows or not weight > 0.0
        if few or (problem.classes and not prior and not 0.0 < hits < weight):
            result[STATUS, g] = TOO_FEW_ROWS if few else SINGLE_CLASS
            _constant(problem.classes, pull, totals, d, results, groups, g)
            continue

        scaling = _scaling(problem, totals)
        express(pull, d, frame, scaling.shift, scaling.spread, work.penalty, walk.b)
        if problem.classes and problem.intercept and not prior:
            b[d] = np.log(scaling.positive * hits / (scaling.negative * (weight - hits)))
        penalised = pull.penalty > 0.0 or prior
        group = Group(problem.classes, penalised, prior, start, stop, totals.used, scaling, work)
        prepare(group)
        status, iterations = descend(group, problem.most)
        loss = total_loss(group)
        intercept = scaling.shift + (scaling.spread * b[d] if problem.intercept else 0.0)
        check = loss
        for j in range(d):
            coefficient = scaling.spread * b[j] * per_unit[j]
            result[COEFFICIENTS + j, g] = coefficient
            intercept -= coefficient * centre[j]
            check += coefficient
        result[STATUS, g] = status
        result[ITERATIONS, g] = iterations
        result[LOSS, g] = loss / weight
        result[INTERCEPT, g] = intercept
        if not abs(check + intercept) < np.inf:
            result[STATUS, g] = NOT_CONVERGED
            _constant(problem.classes, pull, totals, d, results, groups, g)


@compiled
def _scaling(problem: Problem, totals: Totals) -> Scaling:
    hits, weight = totals.positive_weight, totals.weight
    if not problem.classes:
        shift = totals.target_mean if problem.intercept else 0.0
        square = totals.target_variance + (totals.target_mean - shift) * (totals.target_mean - shift)
        return Scaling(shift, np.sqrt(square) if square > 0.0 else 1.0, 1.0, 1.0)
    if not problem.balanced:
        return Scaling(0.0, 1.0, problem.negative, problem.positive)
    classes = 2.0 if 0.0 < hits < weight else 1.0
    negative = weight / (classes * (weight - hits)) if hits < weight else 1.0
    positive = weight / (classes * hits) if hits > 0.0 else 1.0
    return Scaling(0.0, 1.0, negative, positive)


@compiled
def _constant(classes: bool, pull: Pull, totals: Totals, d: int, results: int, groups: int, g: int) -> None:
    """The model of a group that has none of its own."""
    result = matrix(results, COEFFICIENTS + 3 * d, groups)
    hits, weight = totals.positive_weight, totals.weight
    result[LOSS, g] = np.nan
    for j in range(d):
        result[COEFFICIENTS + j, g] = 0.0
    if pull.strength > 0.0:
        model, center, scale = vector(pull.model, d + 1), vector(pull.center, d), vector(pull.scale, d)
        result[INTERCEPT, g] = model[d]
        for j in range(d):
            result[COEFFICIENTS + j, g] = model[j] / scale[j]
            result[INTERCEPT, g] -= model[j] / scale[j] * center[j]
    elif classes:
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
