"""The loss of a block of rows at some coefficients, and its derivatives.

The rows are standardised; those of a class have its sign, so that a score is the margin by which the row lies
on its own side.
"""

from __future__ import annotations

from backbone.analysis.kernels.compiled import compiled, inlined
from backbone.analysis.kernels.derivatives import Derivatives
from backbone.analysis.kernels.exponential import exp, softplus
from backbone.analysis.kernels.lanes import dot, dot3
from backbone.analysis.kernels.memory import matrix, vector
from backbone.analysis.kernels.rows import Block, padded

_TINY = 1e-100  # of curvature, so that there is some where all rows lie far on one side


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
def add_derivatives(
    classes: bool, block: Block, n: int, at: int, faint: float, derivatives: Derivatives
) -> float:
    """Add first and second derivatives of the rows' loss to what is there.

    Parameters
    ----------
    n : rows.
    at : address of the coefficients.
    faint : rows whose other class has less than this probability have no curvature.

    Returns
    -------
    Where the target is a class, the weight of the rows that do not lie on their own side.
    """
    n, p = padded(n), derivatives.size
    y, w = vector(block.y, block.stride), vector(block.w, block.stride)
    slope, curve = vector(block.slope, block.stride), vector(block.curve, block.stride)
    first, second = vector(derivatives.gradient, p), matrix(derivatives.hessian, p, p)
    _scores(block, n, p, at)
    wrong = 0.0
    if classes:
        for i in range(n):
            e = exp(slope[i])
            q = 1.0 / (1.0 + e)
            wrong += w[i] * (q > 0.499999999)
            curve[i] = w[i] * ((e * q) * q + _TINY) * (q > faint)
            slope[i] = -w[i] * q
    else:
        for i in range(n):
            curve[i] = w[i]
            slope[i] = w[i] * (slope[i] - y[i])
    for j in range(p):
        column = block.x + 8 * block.stride * j
        first[j] += dot(block.slope, column, n)
        for k in range(j + 1):
            second[j, k] += dot3(block.curve, column, block.x + 8 * block.stride * k, n)
    return wrong


@compiled
def loss_of(classes: bool, block: Block, n: int, p: int, at: int, negative: float, positive: float) -> float:
    """Σ weight · log loss, or squared error, without the weights of the classes given as they were used."""
    n = padded(n)
    y, w = vector(block.y, block.stride), vector(block.w, block.stride)
    score = vector(block.slope, block.stride)
    _scores(block, n, p, at)
    total = 0.0
    if classes:
        both, side = 0.5 / positive + 0.5 / negative, 0.5 / positive - 0.5 / negative
        for i in range(n):
            total += w[i] * (both + side * y[i]) * softplus(-score[i])
    else:
        for i in range(n):
            total += w[i] * (score[i] - y[i]) * (score[i] - y[i])
    return total
