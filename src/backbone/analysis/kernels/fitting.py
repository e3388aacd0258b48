"""From many groups of rows to the numbers of their models: room is made, addresses are taken, and it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.cholesky import Factor
from backbone.analysis.kernels.compiled import Floats
from backbone.analysis.kernels.derivatives import Derivatives
from backbone.analysis.kernels.group import Walk, Workspace
from backbone.analysis.kernels.linear_form import model_batch, model_schema
from backbone.analysis.kernels.memory import Memory
from backbone.analysis.kernels.models import COEFFICIENTS, fit_groups
from backbone.analysis.kernels.penalty import Penalty, Pull
from backbone.analysis.kernels.prior import Prior
from backbone.analysis.kernels.problem import Problem
from backbone.analysis.kernels.rows import Block, Frame, room_of

ClassWeight = Literal["balanced"] | tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Objective:
    """What is minimised for every group; `Problem` and `Pull` say what each of these means."""

    classes: bool
    penalty: float
    fit_intercept: bool
    center: bool
    scale: bool
    class_weight: ClassWeight
    prior: Prior | None
    min_rows: int
    max_iterations: int

    def __post_init__(self) -> None:
        if not 0.0 <= self.penalty < np.inf:
            raise ValueError(f"expected a penalty that is finite and not negative, found {self.penalty}")
        weights = (1.0, 1.0) if self.class_weight in (None, "balanced") else self.class_weight
        if not isinstance(weights, tuple) or len(weights) != 2 or not all(0.0 < w < np.inf for w in weights):
            raise ValueError(
                f"expected no class_weight, 'balanced' or two numbers above 0, found {self.class_weight!r}"
            )
        if self.prior is not None and not self.fit_intercept:
            raise ValueError(
                "a prior is one for the intercept as well; fit_intercept=False leaves it nothing to pull"
            )
        if self.min_rows < 1 or self.max_iterations < 1:
            raise ValueError(
                f"expected min_rows and max_iterations from 1, found {self.min_rows}, {self.max_iterations}"
            )

    def schema(self, keys: pa.Schema, features: tuple[str, ...]) -> pa.Schema:
        """The columns of the models; a prior takes the place of a scaler."""
        problem = self.problem()
        return model_schema(keys, features, classes=self.classes, center=problem.center, scale=problem.scale)

    def problem(self) -> Problem:
        negative, positive = self.class_weight if isinstance(self.class_weight, tuple) else (1.0, 1.0)
        return Problem(
            self.classes,
            self.fit_intercept,
            self.center and self.prior is None,
            self.scale and self.prior is None,
            self.class_weight == "balanced",
            float(negative),
            float(positive),
            self.min_rows,
            self.max_iterations,
        )


def models_of(
    groups: Groups, features: tuple[str, ...], target: str, weight: str | None, objective: Objective
) -> pa.RecordBatch:
    """The model of each group as a row; `Objective.schema` tells the columns."""
    fits = fit(groups, features, target, weight, objective)
    return model_batch(groups, fits, objective.schema(groups.keys.schema, features))


def fit(
    groups: Groups, features: tuple[str, ...], target: str, weight: str | None, objective: Objective
) -> Floats:
    """Fit the model of each group.

    Returns
    -------
    shape (models.COEFFICIENTS + 3 · features, groups), in the units of the data; `models` names the rows.
    """
    d = len(features)
    p = d + 1 if objective.fit_intercept else d
    room = Memory()
    columns = [room.numbers(groups.values[name]) for name in (*features, target)]
    columns.append(0 if weight is None else room.numbers(groups.values[weight]))
    rows, stride = room_of(d, int(np.diff(groups.offsets).max(initial=1)))
    x, y, w, slope, curve = room.empty(d + 1, stride), *(room.empty(stride) for _ in range(4))
    block = Block(room.integers(np.array(columns)), d, rows, stride, x, y, w, slope, curve)
    frame = Frame(*(room.empty(d) for _ in range(5)))
    penalty = Penalty(*(room.empty(d + 1) for _ in range(4)))
    b, trial, step, reach, gradient = (room.empty(d + 1) for _ in range(5))
    walk = Walk(b, trial, step, reach, Derivatives(p, gradient, room.empty(p, p)))
    order, rest, solution = (room.empty(p) for _ in range(3))
    factor = Factor(p, room.empty(p, p), order, rest, solution, room.empty(p, p))
    result = np.zeros((COEFFICIENTS + 3 * d, len(groups)))
    fit_groups(
        room.integers(groups.offsets),
        len(groups),
        objective.problem(),
        _pull(objective, d, room),
        Workspace(block, frame, penalty, walk, factor),
        room.of(result),
    )
    return result


def _pull(objective: Objective, d: int, room: Memory) -> Pull:
    prior = objective.prior
    if prior is None:
        nothing = room.empty(d + 1)
        return Pull(float(objective.penalty), 0.0, nothing, nothing, nothing)
    model = prior.standardised()
    if len(model) != d + 1:
        raise ValueError(f"expected a prior of {d} features, found one of {len(model) - 1}")
    _, center, scale = prior.arrays()
    return Pull(0.0, float(prior.strength), room.of(model), room.of(center), room.of(scale))
