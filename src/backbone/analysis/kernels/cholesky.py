"""Solve small symmetric systems whose matrix may be singular because columns are aliases of others.

Matrices and vectors are given by their addresses; of a matrix the lower triangle is read.
"""

from __future__ import annotations

from typing import NamedTuple

from backbone.analysis.kernels.compiled import Floats, compiled
from backbone.analysis.kernels.memory import integers, matrix, vector

CLEAR = 1e-6  # of its own square: what is left of a column beside the others, if it surely is none of them
ALIASED = 1e-12  # the same, if it counts as their sum
VANISHED = 1e-14  # the same, where a column that was none has become one to within rounding


class Factor(NamedTuple):
    """Addresses of L and D for the columns `order[:rank]` of a matrix, which is L D Lᵀ there.

    Parameters
    ----------
    size : p, the number of columns.
    lower : shape (p, p), in the order of `order`; 1 / D on the diagonal, L · D below.
    order : shape (p,), integers; the columns, those that are aliases of others last.
    rest, solution, null : shape (p,), (p,), (p, p); room.
    """

    size: int
    lower: int
    order: int
    rest: int
    solution: int
    null: int


@compiled
def decompose(symmetric: int, rank: int, factor: Factor, least: float) -> bool:
    """Factor the first `rank` columns in their order.

    Where less than `least` is left of a column, it is taken to be that much, and the result is False: what
    `solve` finds then is no solution, but a direction in which a convex function still falls.
    """
    p = factor.size
    values, lower = matrix(symmetric, p, p), matrix(factor.lower, p, p)
    order = integers(factor.order, p)
    clear = True
    for k in range(rank):
        for j in range(k, rank):
            a, b = order[j], order[k]
            s = values[max(a, b), min(a, b)]
            for m in range(k):
                s -= lower[j, m] * lower[k, m] * lower[m, m]
            if j > k:
                lower[j, k] = s
            elif s > least * values[a, a]:
                lower[k, k] = 1.0 / s
            else:
                lower[k, k] = 1.0 / (least * values[a, a]) if values[a, a] > 0.0 else 0.0
                clear = False
    return clear


@compiled
def choose(symmetric: int, factor: Factor, least: float) -> int:
    """Order the columns, the one with most of its own left first; returns how many have more than `least`."""
    p = factor.size
    values, lower = matrix(symmetric, p, p), matrix(factor.lower, p, p)
    order, rest = integers(factor.order, p), vector(factor.rest, p)
    for j in range(p):
        order[j] = j
        rest[j] = values[j, j]
    if decompose(symmetric, p, factor, CLEAR):  # nearly always
        return p
    for k in range(p):
        best, share = k, -1.0
        for j in range(k, p):
            own = values[order[j], order[j]]
            left = rest[j] / own if own > 0.0 else 0.0
            if left > share:
                best, share = j, left
        if not share > least:
            return k
        order[k], order[best] = order[best], order[k]
        rest[k], rest[best] = rest[best], rest[k]
        for m in range(k):
            lower[k, m], lower[best, m] = lower[best, m], lower[k, m]
        lower[k, k] = 1.0 / rest[k]
        for j in range(k + 1, p):
            a, b = order[j], order[k]
            s = values[max(a, b), min(a, b)]
            for m in range(k):
                s -= lower[j, m] * lower[k, m] * lower[m, m]
            lower[j, k] = s
            rest[j] -= s * s * lower[k, k]
    return p


@compiled
def solve(right: int, rank: int, factor: Factor, result: int) -> None:
    """Find the `result` for which symmetric · result = right; it is 0 for columns that are aliases."""
    p = factor.size
    lower, order = matrix(factor.lower, p, p), integers(factor.order, p)
    solution = vector(factor.solution, p)
    known, found = vector(right, p), vector(result, p)
    for k in range(rank):
        s = known[order[k]]
        for m in range(k):
            s -= lower[k, m] * solution[m]
        solution[k] = s * lower[k, k]
    for k in range(rank - 1, -1, -1):
        s = 0.0
        for m in range(k + 1, rank):
            s += lower[m, k] * solution[m]
        solution[k] -= s * lower[k, k]
    for k in range(p):
        found[order[k]] = solution[k] if k < rank else 0.0


@compiled
def shorten(symmetric: int, rank: int, factor: Factor, units: int, b: int) -> None:
    """Of all vectors that the matrix can't tell from `b`, put the shortest into its place.

    Parameters
    ----------
    units : of shape (p,); lengths are those of the entries times these, so 0 leaves an entry out.
    """
    p = factor.size
    values, null = matrix(symmetric, p, p), matrix(factor.null, p, p)
    order = integers(factor.order, p)
    found = 0
    for k in range(rank, p):
        alias = order[k]
        if not values[alias, alias] > 0.0:  # a column of zeros
            continue
        row = factor.null + 8 * p * found
        for j in range(p):
            null[found, j] = values[max(alias, j), min(alias, j)]
        solve(row, rank, factor, row)
        for j in range(p):
            null[found, j] = -null[found, j]
        null[found, alias] = 1.0
        for m in range(found):
            _remove(null[found], null[m], vector(units, p))
        found += 1
    for m in range(found):
        _remove(vector(b, p), null[m], vector(units, p))


@compiled
def _remove(b: Floats, direction: Floats, units: Floats) -> None:
    """Take a direction out of `b`, at right angles where both are measured in `units`."""
    along, square = 0.0, 0.0
    for j in range(len(b)):
        u = direction[j] * units[j]
        along += u * b[j] * units[j]
        square += u * u
    if square > 0.0:
        for j in range(len(b)):
            b[j] -= along / square * direction[j]
