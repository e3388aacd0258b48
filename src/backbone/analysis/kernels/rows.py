"""The usable rows of one group, block by block, and the group's own centred and scaled coordinates.

A row is usable when its features, its target and its weight are finite. A block holds so few rows that it
stays in the processor's cache; a group of one block is loaded once, a larger one whenever it is gone through,
so that memory does not grow with the group.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backbone.analysis.kernels.compiled import compiled, inlined
from backbone.analysis.kernels.lanes import LANES
from backbone.analysis.kernels.memory import integers, matrix, vector
from backbone.analysis.kernels.problem import Problem

BLOCK = 4096  # rows


class Block(NamedTuple):
    """Addresses of room for the rows of one block, and of where the rows of all groups lie.

    Parameters
    ----------
    columns : of the d + 2 addresses of the features, the target and the weight; that of the weight is 0 where
        rows have none.
    d : the number of features.
    rows, stride : how many rows there is room for, and the distance from one column to the next.
    x : shape (d + 1, stride); the last column is the intercept's.
    y, w : shape (stride,); target and weight.
    slope, curve : shape (stride,); of each row's loss.
    """

    columns: int
    d: int
    rows: int
    stride: int
    x: int
    y: int
    w: int
    slope: int
    curve: int


class Frame(NamedTuple):
    """Addresses of a group's coordinates u = (x - centre) · per_unit, each of shape (d,).

    Parameters
    ----------
    first : a row with weight; sums are counted from there so that they stay small.
    mean, scale : those of a StandardScaler before the model.
    """

    centre: int
    per_unit: int
    first: int
    mean: int
    scale: int


class Scaling(NamedTuple):
    """How a group's rows enter its problem: (target - shift) / spread, or the weights of their classes."""

    shift: float
    spread: float
    negative: float
    positive: float


class Totals(NamedTuple):
    """What a group's usable rows add up to.

    Parameters
    ----------
    used, weight : how many there are, and what they weigh.
    positive, positive_weight : those with a target above 0.5, where the target is a class.
    target_mean, target_variance : weighted, of the population, where it is a number.
    """

    used: int
    positive: int
    weight: float
    positive_weight: float
    target_mean: float
    target_variance: float


def room_of(d: int, largest: int) -> tuple[int, int]:
    """Rows and stride of a block, no larger than the largest group needs.

    Columns are not a multiple of a memory page apart: they would fall onto the same lines of the cache.
    """
    rows = min(BLOCK, -(-largest // LANES) * LANES)
    return rows, rows + LANES


@inlined
def padded(n: int) -> int:
    """Rows with those of weight 0 at their end."""
    return (n + LANES - 1) // LANES * LANES


@compiled
def load(block: Block, start: int, stop: int) -> int:
    """Copy the usable rows from `start` to before `stop`; returns how many there are."""
    d = block.d
    columns = integers(block.columns, d + 2)
    x = matrix(block.x, d + 1, block.stride)
    y, w = vector(block.y, block.stride), vector(block.w, block.stride)
    n = stop - start
    missing = 0.0  # NaN as soon as one value is not finite
    for j in range(d):
        values = vector(columns[j] + 8 * start, n)
        for i in range(n):
            x[j, i] = values[i]
            missing += values[i] * 0.0
    values = vector(columns[d] + 8 * start, n)
    for i in range(n):
        y[i] = values[i]
        missing += values[i] * 0.0
    if columns[d + 1] != 0:
        values = vector(columns[d + 1] + 8 * start, n)
        for i in range(n):
            w[i] = values[i]
            missing += values[i] * 0.0
    else:
        for i in range(n):
            w[i] = 1.0
    used = n
    if missing != 0.0:
        used = 0
        for i in range(n):
            missing = y[i] * 0.0 + w[i] * 0.0
            for j in range(d):
                missing += x[j, i] * 0.0
            if missing == 0.0:
                for j in range(d):
                    x[j, used] = x[j, i]
                y[used], w[used] = y[i], w[i]
                used += 1
    for i in range(used, padded(used)):
        for j in range(d):
            x[j, i] = 0.0
        y[i] = w[i] = 0.0
    return used


@compiled
def measure(block: Block, frame: Frame, start: int, stop: int, problem: Problem) -> Totals:
    """Choose a group's coordinates. A group of one block is loaded when this returns."""
    classes, scale, d = problem.classes, problem.scale, block.d
    x = matrix(block.x, d + 1, block.stride)
    y, w = vector(block.y, block.stride), vector(block.w, block.stride)
    centre, per_unit, first = vector(frame.centre, d), vector(frame.per_unit, d), vector(frame.first, d)
    mean, deviation = vector(frame.mean, d), vector(frame.scale, d)
    used, positive = 0, 0
    weight, positive_weight, target_sum, first_target = 0.0, 0.0, 0.0, 0.0
    for j in range(d):
        centre[j] = mean[j] = 0.0
        per_unit[j] = deviation[j] = 1.0
    for begin in range(start, stop, block.rows):
        n = load(block, begin, min(begin + block.rows, stop))
        used += n
        if weight == 0.0:
            k = 0
            while k < n and not w[k] > 0.0:
                k += 1
            if k < n:
                first_target = y[k]
                for j in range(d):
                    first[j] = x[j, k]
        a, b, hits = 0.0, 0.0, 0.0
        if classes:
            for i in range(padded(n)):
                a += w[i]
                b += w[i] * (y[i] > 0.5)
                hits += 1.0 * (y[i] > 0.5)
            positive_weight += b
            positive += int(hits)
        else:
            for i in range(padded(n)):
                a += w[i]
                b += w[i] * (y[i] - first_target)
            target_sum += b
        weight += a
        for j in range(d):
            a, b, origin = 0.0, 0.0, first[j]
            for i in range(padded(n)):
                a += w[i] * (x[j, i] - origin)
            centre[j] += a
            if problem.center or scale:
                for i in range(n):
                    b += x[j, i] - origin
                mean[j] += b
    if not weight > 0.0:
        return Totals(used, positive, 0.0, 0.0, 0.0, 0.0)
    target_mean = first_target + target_sum / weight
    for j in range(d):
        mean[j] = first[j] + mean[j] / used
        if problem.intercept:  # it takes up any shift; this one makes the columns orthogonal to it
            centre[j] = first[j] + centre[j] / weight
        elif problem.center:
            centre[j] = mean[j]
        else:
            centre[j] = 0.0
        per_unit[j] = deviation[j] = 0.0
    target_squares = 0.0
    for begin in range(start, stop, block.rows):
        n = used
        if stop - start > block.rows:
            n = load(block, begin, min(begin + block.rows, stop))
        if not classes:
            a = 0.0
            for i in range(padded(n)):
                a += w[i] * (y[i] - target_mean) * (y[i] - target_mean)
            target_squares += a
        for j in range(d):
            a, b, origin = 0.0, 0.0, centre[j]
            for i in range(padded(n)):
                a += w[i] * (x[j, i] - origin) * (x[j, i] - origin)
            per_unit[j] += a
            if scale:
                origin = mean[j]
                for i in range(n):
                    b += (x[j, i] - origin) * (x[j, i] - origin)
                deviation[j] += b
    for j in range(d):
        spread = np.sqrt(per_unit[j] / weight)
        per_unit[j] = 0.0
        if spread != 0.0:  # NaN where squares overflow, which the model will be found to be then
            per_unit[j] = 1.0 / spread if 1e-150 < spread < 1e150 else np.nan
        elif _varies(block, j, start, stop, used, first[j]):  # by so little that its squares are 0
            per_unit[j] = np.nan
        variance = deviation[j] / used
        rounding = used * mean[j] * np.finfo(np.float64).eps
        constant = variance <= used * np.finfo(np.float64).eps * variance + rounding * rounding
        deviation[j] = np.sqrt(variance) if scale and not constant else 1.0
    return Totals(used, positive, weight, positive_weight, target_mean, target_squares / weight)


@compiled
def _varies(block: Block, column: int, start: int, stop: int, used: int, usual: float) -> bool:
    """Whether any row with weight has another value in a column."""
    x, w = matrix(block.x, block.d + 1, block.stride), vector(block.w, block.stride)
    for begin in range(start, stop, block.rows):
        n = used
        if stop - start > block.rows:
            n = load(block, begin, min(begin + block.rows, stop))
        for i in range(n):
            if w[i] > 0.0 and x[column, i] != usual:
                return True
    return False


@compiled
def standardise(block: Block, frame: Frame, n: int, classes: bool, scaling: Scaling) -> None:
    """Bring loaded rows into the group's coordinates, the target too. A row without weight becomes 0.

    Where the target is a class, a row of a negative gets the other sign, so that its score is the margin by
    which it lies on its side; weights become those of the class.
    """
    d, n = block.d, padded(n)
    x = matrix(block.x, d + 1, block.stride)
    y, w = vector(block.y, block.stride), vector(block.w, block.stride)
    centre, units = vector(frame.centre, d), vector(frame.per_unit, d)
    if classes:
        both = 0.5 * (scaling.positive + scaling.negative)
        side = 0.5 * (scaling.positive - scaling.negative)
        for i in range(n):
            y[i] = (2.0 * (y[i] > 0.5) - 1.0) * (w[i] > 0.0)
            w[i] *= both + side * y[i]
            x[d, i] = y[i]
    else:
        for i in range(n):
            y[i] = (y[i] - scaling.shift) / scaling.spread
            x[d, i] = 1.0 * (w[i] > 0.0)
    for j in range(d):
        origin, unit = centre[j], units[j]
        for i in range(n):
            x[j, i] = (x[j, i] - origin) * unit * x[d, i]
