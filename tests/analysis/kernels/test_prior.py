from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slow_fit import coefficients, models_of, optimum, table_of

from backbone.analysis.kernels.least_squares import LeastSquaresKernel
from backbone.analysis.kernels.logistic import LogisticKernel
from backbone.analysis.kernels.prior import Prior
from backbone.testing import check_kernel


def prior(strength: float) -> Prior:
    return Prior(-0.5, np.array([0.3, -2e-5]), np.array([4.0, 9e4]), np.array([2.5, 3e4]), strength)


def kernel(classes: bool, strength: float, weight: str | None = None, **settings: Any) -> Any:
    kind: Any = LogisticKernel if classes else LeastSquaresKernel
    return kind(("x0", "x1"), "y", weight, prior=prior(strength), **settings)


def drawn(seed: int, rows: int, classes: bool, *, away: float = 0.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 9, rows), rng.normal(1e5, 2e4, rows)]) + away * np.array([1.0, 1e4])
    y = rng.integers(0, 2, rows).astype(np.float64) if classes else rng.normal(7, 3, rows) + x[:, 0]
    return x, y, rng.random(rows) + 0.1


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("strength", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_optimum_beside_a_prior(classes: bool, strength: float, weighted: bool) -> None:
    groups = [drawn(seed, rows, classes) for seed, rows in enumerate([1, 2, 3, 10, 40, 5000])]
    groups.append(drawn(9, 12, classes, away=50.0))  # nowhere near the prior's center
    one_class = drawn(10, 6, classes)
    groups.append((one_class[0], np.ones(6), one_class[2]))
    constant = drawn(11, 20, classes)
    groups.append((np.tile(constant[0][:1], (20, 1)), *constant[1:]))
    given = prior(strength)
    found = models_of(kernel(classes, strength, "w" if weighted else None), groups)
    for (x, y, w), model in zip(groups, found, strict=True):
        assert model["status"] == "fitted"
        intercept, coef = optimum(
            x,
            y,
            w if weighted else None,
            classes=classes,
            prior=(given.intercept, *given.arrays(), strength),
        )
        # Coefficients of very different sizes: each must be right in the prior's units.
        off = (coefficients(model) - coef) * given.scale
        assert np.abs(off).max() <= 1e-8 * np.abs(coef * given.scale).max()
        middle = x.mean(axis=0)
        assert model["intercept"] + coefficients(model) @ middle == pytest.approx(
            intercept + coef @ middle, rel=1e-8
        )


@pytest.mark.parametrize("classes", [True, False])
def test_without_rows_the_model_is_that_of_the_prior(classes: bool) -> None:
    x, y, w = drawn(1, 5, classes)
    found = models_of(
        kernel(classes, 3.0, "w", min_rows=4), [(x, y * np.nan, w), (x, y, 0 * w), (x[:3], y[:3], w[:3])]
    )
    for model in found:
        assert model["status"] == "too_few_rows"
        assert model["intercept"] == pytest.approx(-0.5)
        assert coefficients(model) == pytest.approx([0.3, -2e-5])
    assert found[0]["log_loss" if classes else "mean_squared_error"] is None


@pytest.mark.parametrize("classes", [True, False])
def test_the_laws_of_kernels(classes: bool) -> None:
    rows = table_of([drawn(seed, 1 + seed % 7, classes) for seed in range(30)])
    check_kernel(kernel(classes, 2.0, "w"), rows, by=["key"])


def test_a_strong_prior_wins_and_a_weak_one_yields() -> None:
    x, y, w = drawn(3, 60, True)
    weak, strong = (models_of(kernel(True, s, "w"), [(x, y, w)])[0] for s in (1e-9, 1e9))
    assert coefficients(strong) == pytest.approx([0.3, -2e-5], rel=1e-5)
    assert coefficients(weak) == pytest.approx(optimum(x, y, w)[1], rel=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [{"strength": 0.0}, {"scale": [1.0, 0.0]}, {"center": [1.0]}, {"coefficients": [np.nan, 1.0]}],
)
def test_a_prior_out_of_its_range_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "intercept": 0.0,
        "coefficients": [1.0, 2.0],
        "center": [0.0, 0.0],
        "scale": [1.0, 1.0],
        "strength": 1.0,
    }
    with pytest.raises(ValueError, match="expected"):
        Prior(**(right | wrong))


def test_a_prior_has_an_intercept() -> None:
    with pytest.raises(ValueError, match="fit_intercept"):
        kernel(True, 1.0, fit_intercept=False)
