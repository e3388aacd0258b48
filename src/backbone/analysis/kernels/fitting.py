"""From many groups of rows to the numbers of their models: room is made, addresses are taken, and it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.cholesky import Factor
from backbone.analysis.kernels.compiled import Floats, address
from backbone.analysis.kernels.newton import COEFFICIENTS, Group, Problem, fit_groups
from backbone.analysis.kernels.prior import Prior
from backbone.analysis.kernels.rows import Block, Frame, room_of

ClassWeight = Literal["balanced"] | tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Objective:
    """What is minimised for every group; `newton.Problem` says what each of these means."""

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
        if isinstance(self.class_weight, tuple) and not all(0.0 < w < np.inf for w in self.class_weight):
            raise ValueError(f"expected weights of the classes above 0, found {self.class_weight}")
        if self.prior is not None and not self.fit_intercept:
            raise ValueError(
                "a prior is one for the intercept as well; fit_intercept=False leaves it nothing to pull"
            )
        if self.min_rows < 1 or self.max_iterations < 1:
            raise ValueError(
                f"expected min_rows and max_iterations from 1, found {self.min_rows}, {self.max_iterations}"
            )


class _Room:
    """Arrays that are held as long as their addresses are in use."""

    def __init__(self) -> None:
        self._held: list[npt.NDArray[np.generic]] = []

    def of(self, values: Floats) -> int:
        self._held.append(values)
        return address(values)

    def empty(self, *shape: int) -> int:
        return self.of(np.zeros(shape))


def column(groups: Groups, name: str) -> Floats:
    """A value column as the compiled functions read it; not copied where it is one already."""
    return np.ascontiguousarray(groups.values[name], dtype=np.float64)


def fit(
    groups: Groups, features: tuple[str, ...], target: str, weight: str | None, objective: Objective
) -> Floats:
    """Fit the model of each group.

    Returns
    -------
    shape (newton.COEFFICIENTS + 3 · features, groups), in the units of the data; `newton` names the rows.
    """
    d = len(features)
    p = d + 1 if objective.fit_intercept else d
    room = _Room()
    names = [*features, target, *([weight] if weight is not None else [])]
    columns = np.zeros(d + 2, dtype=np.int64)
    columns[: len(names)] = [room.of(column(groups, name)) for name in names]
    rows, stride = room_of(d, int(np.diff(groups.offsets).max(initial=1)))
    block = Block(
        int(columns.ctypes.data),
        d,
        rows,
        stride,
        room.empty(d + 1, stride),
        *(room.empty(stride) for _ in range(4)),
    )
    frame = Frame(*(room.empty(d) for _ in range(5)))
    b, trial, step, gradient, ridge, anchor, tie, units = (room.empty(d + 1) for _ in range(8))
    group = Group(b, trial, step, gradient, room.empty(d + 1, d + 1), ridge, anchor, tie, units)
    order, rest, solution = (room.empty(p) for _ in range(3))
    factor = Factor(p, room.empty(p, p), order, rest, solution, room.empty(p, p))
    result = np.zeros((COEFFICIENTS + 3 * d, len(groups)))
    fit_groups(groups.offsets, _problem(objective, d, room), block, frame, group, factor, address(result))
    return result


def _problem(objective: Objective, d: int, room: _Room) -> Problem:
    balanced = objective.class_weight == "balanced"
    negative, positive = objective.class_weight if isinstance(objective.class_weight, tuple) else (1.0, 1.0)
    prior = objective.prior
    model, center, scale = np.zeros(d + 1), np.zeros(d), np.ones(d)
    if prior is not None:
        model = prior.standardised()
        _, center, scale = prior.arrays()
        if len(model) != d + 1:
            raise ValueError(f"expected a prior of {d} features, found one of {len(model) - 1}")
    return Problem(
        objective.classes,
        objective.fit_intercept,
        objective.center and prior is None,
        objective.scale and prior is None,
        float(objective.penalty),
        balanced,
        float(negative),
        float(positive),
        0.0 if prior is None else float(prior.strength),
        room.of(model),
        room.of(center),
        room.of(scale),
        objective.min_rows,
        objective.max_iterations,
    )
