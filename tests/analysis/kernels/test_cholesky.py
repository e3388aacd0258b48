from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backbone.analysis.kernels.cholesky import ALIASED, VANISHED, Factor, choose, decompose, shorten, solve
from backbone.analysis.kernels.memory import Memory, integers, matrix, vector


class System:
    """A symmetric matrix and room to solve with it."""

    def __init__(self, values: Any) -> None:
        self.memory, self.p = Memory(), len(values)
        self.matrix = self.memory.of(np.tril(values))
        order, rest, solution = (self.memory.empty(self.p) for _ in range(3))
        lower, null = (self.memory.empty(self.p, self.p) for _ in range(2))
        self.factor = Factor(self.p, lower, order, rest, solution, null)
        self.rank = choose(self.matrix, self.factor, ALIASED)

    def solved(self, right: Any) -> Any:
        result = self.memory.empty(self.p)
        solve(self.memory.numbers(right), self.rank, self.factor, result)
        return vector(result, self.p).copy()

    def shortest(self, b: Any, units: Any) -> Any:
        result = self.memory.numbers(b.copy())
        shorten(self.matrix, self.rank, self.factor, self.memory.numbers(units), result)
        return vector(result, self.p).copy()


@pytest.mark.parametrize("p", [1, 2, 5, 20])
def test_a_regular_system_is_solved(p: int) -> None:
    x = np.random.default_rng(p).normal(size=(3 * p, p))
    system, right = System(x.T @ x), np.arange(1.0, p + 1)
    assert system.rank == p
    assert x.T @ x @ system.solved(right) == pytest.approx(right)


@pytest.mark.parametrize("p", [3, 5, 20])
def test_of_a_singular_one_the_shortest_solution_is_found(p: int) -> None:
    rng = np.random.default_rng(p)
    x = rng.normal(size=(3 * p, p))
    x[:, p // 2] = 0.0
    x[:, 0] = x[:, 1:] @ rng.normal(size=p - 1)
    system, right = System(x.T @ x), x.T @ rng.normal(size=3 * p)
    assert system.rank == p - 2
    assert system.shortest(system.solved(right), np.ones(p)) == pytest.approx(np.linalg.pinv(x.T @ x) @ right)
    units = rng.uniform(0.1, 10, p)
    expected = np.linalg.pinv((x / units).T @ (x / units)) @ (right / units) / units
    assert system.shortest(system.solved(right), units) == pytest.approx(expected)


def test_a_matrix_that_has_become_singular_is_reported_and_still_points_downwards() -> None:
    system = System(np.eye(3))
    values = np.ones((3, 3))
    matrix(system.matrix, 3, 3)[:] = values
    assert not decompose(system.matrix, 3, system.factor, VANISHED)
    right = np.array([1.0, -2.0, 0.5])
    assert system.solved(right) @ right > 0


def test_columns_that_have_most_of_their_own_come_first() -> None:
    system = System(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1e-9]]))
    assert system.rank == 2
    assert sorted(integers(system.factor.order, 3)[:2].tolist()) == [0, 2]
