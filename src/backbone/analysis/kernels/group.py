"""The objective of one group: its derivatives and its loss, block by block."""

from __future__ import annotations

from typing import NamedTuple

from backbone.analysis.kernels.cholesky import Factor
from backbone.analysis.kernels.compiled import compiled, inlined
from backbone.analysis.kernels.derivatives import Derivatives
from backbone.analysis.kernels.lanes import largest
from backbone.analysis.kernels.loss import add_derivatives, loss_of
from backbone.analysis.kernels.memory import vector
from backbone.analysis.kernels.penalty import Penalty, set_derivatives
from backbone.analysis.kernels.rows import Block, Frame, Scaling, load, padded, standardise


class Walk(NamedTuple):
    """Addresses of what Newton's method needs to know; vectors of shape (features + 1,), the intercept last.

    Parameters
    ----------
    b, trial, step : coefficients, where they may go, and the way there.
    reach : the largest absolute value in each column.
    derivatives : at the coefficients that were looked at last.
    """

    b: int
    trial: int
    step: int
    reach: int
    derivatives: Derivatives


class Workspace(NamedTuple):
    """The room in which every group is fitted, one after the other."""

    block: Block
    frame: Frame
    penalty: Penalty
    walk: Walk
    factor: Factor


class Group(NamedTuple):
    """One group: where its rows are, and what is to be minimised.

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
    work: Workspace


@inlined
def _in_one_block(group: Group) -> bool:
    return group.stop - group.start <= group.work.block.rows


@compiled
def prepare(group: Group) -> None:
    """Standardise the rows, where they are loaded because they fit into one block; find their reach."""
    block, reach = group.work.block, vector(group.work.walk.reach, group.work.factor.size)
    if _in_one_block(group):
        standardise(block, group.work.frame, group.used, group.classes, group.scaling)
    for j in range(len(reach)):
        reach[j] = 0.0
    for begin in range(group.start, group.stop, block.rows):
        n = padded(_ready(group, begin))
        for j in range(len(reach)):
            reach[j] = max(reach[j], largest(block.x + 8 * block.stride * j, n))


@inlined
def _ready(group: Group, begin: int) -> int:
    """See to it that the rows from `begin` on are in the block, standardised; returns how many they are."""
    block = group.work.block
    if _in_one_block(group):
        return group.used
    n = load(block, begin, min(begin + block.rows, group.stop))
    standardise(block, group.work.frame, n, group.classes, group.scaling)
    return n


@compiled
def differentiate(group: Group, at: int, faint: float) -> float:
    """Put the derivatives of loss and penalty into `walk`.

    Parameters
    ----------
    at : address of the coefficients.
    faint : rows whose other class has less than this probability have no curvature.

    Returns
    -------
    Where the target is a class, the weight of the rows that do not lie on their own side.
    """
    block, derivatives = group.work.block, group.work.walk.derivatives
    set_derivatives(group.prior, group.work.penalty, at, derivatives)
    wrong = 0.0
    for begin in range(group.start, group.stop, block.rows):
        n = _ready(group, begin)
        wrong += add_derivatives(group.classes, block, n, at, faint, derivatives)
    return wrong


@compiled
def total_loss(group: Group) -> float:
    """Σ weight · loss at `walk.b`, in the units of the target and in the weights of the rows alone."""
    block, b, p = group.work.block, group.work.walk.b, group.work.factor.size
    scaling, loss = group.scaling, 0.0
    for begin in range(group.start, group.stop, block.rows):
        n = _ready(group, begin)
        loss += loss_of(group.classes, block, n, p, b, scaling.negative, scaling.positive)
    return loss * scaling.spread * scaling.spread
