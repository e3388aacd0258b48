"""Against scikit-learn and, where it truncates or rounds, against extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from slow_fit import coefficients, models_of, optimum, table_of

from backbone.analysis.kernels.least_squares import LeastSquaresKernel
from backbone.analysis.kernels.rows import BLOCK
from backbone.testing import check_kernel


def drawn(seed: int, rows: int = 50, d: int = 3) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 10, (rows, d)).astype(np.float64)
    y = 30 + x @ rng.normal(0, 2, d) + rng.normal(0, 1, rows)
    return x, y, rng.random(rows) + 0.1


def kernel(d: int, weight: str | None = None, **settings: Any) -> LeastSquaresKernel:
    return LeastSquaresKernel(tuple(f"x{j}" for j in range(d)), "y", weight, **settings)


def sklearn_fit(estimator: Any, x: Any, y: Any, w: Any = None) -> tuple[float, Any]:
    if not hasattr(estimator, "steps"):
        estimator.fit(x, y, sample_weight=w)
        return float(estimator.intercept_), estimator.coef_
    estimator.fit(x, y, **{f"{estimator.steps[-1][0]}__sample_weight": w})
    scaler, last = estimator[0], estimator[-1]
    coef = last.coef_ / (scaler.scale_ if scaler.with_std else 1.0)
    return float(last.intercept_ - (coef @ scaler.mean_ if scaler.with_mean else 0.0)), coef


def assert_close(model: dict[str, Any], intercept: float, coef: Any, tolerance: float = 1e-6) -> None:
    assert model["status"] == "fitted"
    norm = float(np.linalg.norm(coef))
    assert np.linalg.norm(coefficients(model) - coef) <= tolerance * norm
    assert model["intercept"] == pytest.approx(intercept, rel=tolerance, abs=tolerance * max(norm, 1.0))


@pytest.mark.parametrize("penalty", [0.0, 0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scaler", [None, (True, True), (True, False), (False, True)])
def test_scikit_learn_finds_the_same(
    penalty: float, fit_intercept: bool, weighted: bool, scaler: Any
) -> None:
    center, scale = scaler or (False, False)
    groups = [drawn(seed) for seed in range(4)]
    options: Any = {"fit_intercept": fit_intercept, "center": center, "scale": scale}
    found = models_of(kernel(3, "w" if weighted else None, penalty=penalty, **options), groups)
    for (x, y, w), model in zip(groups, found, strict=True):
        peer: Any = (
            Ridge(penalty, fit_intercept=fit_intercept)
            if penalty
            else LinearRegression(fit_intercept=fit_intercept)
        )
        if scaler is not None:
            peer = make_pipeline(StandardScaler(with_mean=center, with_std=scale), peer)
        assert_close(model, *sklearn_fit(peer, x, y, w if weighted else None), 1e-9)
        predicted = model["intercept"] + x @ coefficients(model)
        error = np.average((y - predicted) ** 2, weights=w if weighted else None)
        assert model["mean_squared_error"] == pytest.approx(error)


@pytest.mark.parametrize("d", [0, 1, 2, 5, 20])
def test_any_number_of_features(d: int) -> None:
    x, y, _ = drawn(1, rows=60, d=d)
    (model,) = models_of(kernel(d), [(x, y)])
    assert_close(model, *optimum(x, y, classes=False), 1e-11)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_features_of_other_sizes_need_no_scaling(penalty: float, fit_intercept: bool) -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([rng.normal(1e5, 3e4, 200), rng.integers(0, 4, 200), rng.normal(1e9, 1.0, 200)])
    y = x[:, 0] / 1e4 + x[:, 1] + rng.normal(size=200)
    (model,) = models_of(kernel(3, penalty=penalty, fit_intercept=fit_intercept), [(x, y)])
    coef = optimum(x, y, classes=False, penalty=penalty, fit_intercept=fit_intercept)[1]
    assert np.linalg.norm(coefficients(model) - coef) <= 1e-6 * np.linalg.norm(coef)
    (model,) = models_of(kernel(2, penalty=penalty, fit_intercept=fit_intercept), [(x[:, :2], y)])
    peer = (
        Ridge(penalty, fit_intercept=fit_intercept)
        if penalty
        else LinearRegression(fit_intercept=fit_intercept)
    )
    assert_close(model, *sklearn_fit(peer, x[:, :2], y))


RANK_DEFICIENT = {
    "more columns than rows": np.random.default_rng(0).normal(size=(4, 7)),
    "a sum": (lambda x: np.column_stack([x, x[:, 0] + x[:, 1]]))(drawn(2)[0]),
    "multiples": (lambda x: np.column_stack([x[:, 0], 3 * x[:, 0], -7 * x[:, 0], x[:, 1]]))(drawn(3)[0]),
    "constant": (lambda x: np.column_stack([x, np.full(len(x), 0.1)]))(drawn(4)[0]),
    "a sum, other sizes": (lambda x: np.column_stack([1e3 * x[:, 0], x[:, 1], 1e3 * x[:, 0] + x[:, 1]]))(
        drawn(5)[0]
    ),
    "one row": np.array([[3.0, 4.0]]),
    "one row thrice": np.array([[3.0, 4.0]] * 3),
    "all the same column": np.tile(np.arange(6.0)[:, None], 5),
}


@pytest.mark.parametrize("case", RANK_DEFICIENT)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("scale", [False, True])
def test_of_several_solutions_the_shortest(case: str, fit_intercept: bool, scale: bool) -> None:
    x = RANK_DEFICIENT[case]
    y = np.random.default_rng(1).normal(5, 2, len(x))
    (model,) = models_of(kernel(x.shape[1], fit_intercept=fit_intercept, center=scale, scale=scale), [(x, y)])
    peer: Any = LinearRegression(fit_intercept=fit_intercept)
    if scale:
        peer = make_pipeline(StandardScaler(), peer)
    intercept, coef = sklearn_fit(peer, x, y)
    assert model["status"] == "fitted"
    assert np.abs(coefficients(model) - coef).max() <= 1e-9 * max(np.abs(coef).max(), 1e-3)
    assert model["intercept"] == pytest.approx(intercept, abs=1e-8)


def test_columns_that_differ_by_little_are_distinguished() -> None:
    x, y, _ = drawn(6, d=1)
    near = np.column_stack([x, x[:, 0] + 1e-4 * np.random.default_rng(2).normal(size=len(x))])
    (model,) = models_of(kernel(2), [(near, y)])
    assert_close(model, *optimum(near, y, classes=False), 1e-8)


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
def test_far_from_0_nothing_is_lost(offset: float) -> None:
    x, y, _ = drawn(7)
    (model,) = models_of(kernel(3), [(x + offset, y + offset)])
    coef = optimum(x, y, classes=False)[1]
    assert np.linalg.norm(coefficients(model) - coef) <= 1e-7 * np.linalg.norm(coef)


def test_too_few_rows() -> None:
    x, y, w = drawn(8, rows=4)
    few, none = models_of(kernel(3, "w", min_rows=5), [(x, y, w), (x, y, np.full(4, np.nan))])
    assert few["status"] == none["status"] == "too_few_rows"
    assert few["intercept"] == pytest.approx(np.average(y, weights=w))
    assert coefficients(few).tolist() == [0.0] * 3
    assert none["intercept"] is None and none["coef_x0"] is None and none["mean_squared_error"] is None
    assert none["n_missing"] == 4


def test_a_group_larger_than_a_block() -> None:
    x, y, w = drawn(9, rows=3 * BLOCK + 5)
    x[7:500, 2] = np.inf
    usable = np.isfinite(x[:, 2])
    (model,) = models_of(kernel(3, "w", scale=True, penalty=5.0), [(x, y, w)])
    peer = make_pipeline(StandardScaler(with_mean=False), Ridge(5.0))
    assert_close(model, *sklearn_fit(peer, x[usable], y[usable], w[usable]), 1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 2.0]))
def test_a_weight_is_a_number_of_repetitions(seed: int, penalty: float) -> None:
    x, y, _ = drawn(seed, rows=12)
    w = np.random.default_rng(seed).integers(0, 4, 12)
    w[:4] = 1
    repeated = (np.repeat(x, w, axis=0), np.repeat(y, w), np.ones(w.sum()))
    one, other = models_of(kernel(3, "w", penalty=penalty), [(x, y, w), repeated])
    assert_close(one, other["intercept"], coefficients(other), 1e-8)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1e200, -1e200, 2e200], [1.0, 2, 3]),
        ([1.0, 2, 3], [1e200, -1e200, 0]),
    ],
)
def test_numbers_whose_squares_no_double_holds_are_not_called_fitted(x: Any, y: Any) -> None:
    (model,) = models_of(kernel(1), [(np.array(x)[:, None], np.array(y))])
    assert model["status"] == "not_converged"
    assert np.isfinite([model["intercept"], model["coef_x0"]]).all()


def test_the_laws_of_kernels() -> None:
    groups = [drawn(seed, rows=1 + seed % 9) for seed in range(30)]
    groups.append((np.full((2, 3), np.nan), np.zeros(2), np.ones(2)))
    groups.append(drawn(77, rows=BLOCK + 3))
    rows = table_of(groups)
    check_kernel(kernel(3, "w"), rows, by=["key"])
    check_kernel(kernel(3, penalty=1.0, center=True, scale=True), rows, by=["key"])
