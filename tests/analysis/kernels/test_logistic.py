"""Against scikit-learn, and against a slow Newton in extended precision where scikit-learn is inexact."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from slow_fit import coefficients, models_of, optimum, table_of

from backbone.analysis.kernels.logistic import LogisticKernel
from backbone.analysis.kernels.rows import BLOCK
from backbone.testing import check_kernel

Rows = tuple[Any, Any]


def drawn(seed: int, rows: int = 60, d: int = 2, *, strength: float = 0.5) -> Rows:
    """Features and classes of a group in which both classes occur."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 10, (rows, d)).astype(np.float64)
    score = (x - 4.5) @ rng.normal(0, strength, d) + rng.normal()
    y = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.float64)
    y[:2] = 0.0, 1.0
    return x, y


def kernel(d: int, weight: str | None = None, **settings: Any) -> LogisticKernel:
    return LogisticKernel(tuple(f"x{j}" for j in range(d)), "y", weight, **settings)


def sklearn_fit(estimator: Any, x: Any, y: Any, w: Any = None) -> tuple[float, Any]:
    """Intercept and coefficients in the units of the data."""
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at its tightest it may say that it can't do better
        if last is estimator:
            estimator.fit(x, y, sample_weight=w)
            return float(last.intercept_[0]), last.coef_[0]
        estimator.fit(x, y, logisticregression__sample_weight=w)
    scaler = estimator[0]
    scale = scaler.scale_ if scaler.with_std else 1.0
    coef = last.coef_[0] / scale
    return float(last.intercept_[0] - (coef @ scaler.mean_ if scaler.with_mean else 0.0)), coef


def strict(**settings: Any) -> LogisticRegression:
    return LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **settings)


def assert_close(model: dict[str, Any], intercept: float, coef: Any, tolerance: float = 1e-6) -> None:
    assert model["status"] == "fitted"
    norm = float(np.linalg.norm(coef))
    assert np.linalg.norm(coefficients(model) - coef) <= tolerance * norm
    assert model["intercept"] == pytest.approx(intercept, rel=tolerance, abs=tolerance * max(norm, 1.0))


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0, np.inf])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", (0.5, 3.0)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scaler", [None, (True, True), (True, False), (False, True)])
def test_scikit_learn_finds_the_same(
    c: float, fit_intercept: bool, class_weight: Any, weighted: bool, scaler: Any
) -> None:
    rng = np.random.default_rng(1)
    groups = [drawn(seed, rows=int(rng.integers(40, 90)), strength=0.3) for seed in range(4)]
    weights = [rng.integers(0, 4, len(y)).astype(np.float64) + rng.random(len(y)) for _, y in groups]
    rows = [(x, y, w) for (x, y), w in zip(groups, weights, strict=True)]
    center, scale = scaler or (False, False)
    found = models_of(
        kernel(
            2,
            "w" if weighted else None,
            penalty=0.0 if np.isinf(c) else 1 / c,
            fit_intercept=fit_intercept,
            class_weight=class_weight,
            center=center,
            scale=scale,
        ),
        rows,
    )
    for (x, y, w), model in zip(rows, found, strict=True):
        weight = (
            {0.0: class_weight[0], 1.0: class_weight[1]} if isinstance(class_weight, tuple) else class_weight
        )
        peer: Any = strict(C=c, fit_intercept=fit_intercept, class_weight=weight)
        if scaler is not None:
            peer = make_pipeline(StandardScaler(with_mean=center, with_std=scale), peer)
        assert_close(model, *sklearn_fit(peer, x, y, w if weighted else None))
        if scaler is not None:
            fitted = peer[0]
            assert [model["mean_x0"], model["mean_x1"]] == pytest.approx(
                fitted.mean_ if center else x.mean(axis=0)
            )
            if scale:
                assert [model["scale_x0"], model["scale_x1"]] == pytest.approx(fitted.scale_)


@pytest.mark.parametrize("d", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_any_number_of_features(d: int, penalty: float) -> None:
    x, y = drawn(3, rows=400, d=d, strength=0.1)
    (model,) = models_of(kernel(d, penalty=penalty), [(x, y)])
    intercept, coef = optimum(x, y, penalty=penalty)
    assert_close(model, intercept, coef, 1e-9)
    if d > 0:
        peer = strict(C=1 / penalty if penalty else np.inf)
        assert_close(model, *sklearn_fit(peer, x, y))
        assert model["log_loss"] == pytest.approx(log_loss(y, peer.predict_proba(x)[:, 1]), rel=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 0.01, 1.0])
def test_features_of_other_sizes_need_no_scaling(penalty: float) -> None:
    rng = np.random.default_rng(4)
    rows = 200
    x = np.column_stack([rng.normal(1e5, 3e4, rows), rng.integers(0, 4, rows), rng.normal(0, 1e-4, rows)])
    score = (x[:, 0] - 1e5) / 3e4 + 0.5 * x[:, 1] - 1
    y = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.float64)
    (model,) = models_of(kernel(3, penalty=penalty), [(x, y)])
    assert_close(model, *optimum(x, y, penalty=penalty), 1e-9)
    assert_close(
        models_of(kernel(2, penalty=penalty), [(x[:, :2], y)])[0],
        *sklearn_fit(strict(C=1 / penalty if penalty else np.inf), x[:, :2], y),
    )


@pytest.mark.parametrize("penalty", [1e-6, 1e-2, 1.0, 100.0])
def test_separable_classes_have_an_optimum_under_a_penalty(penalty: float) -> None:
    x = np.arange(12.0).reshape(6, 2)
    y = np.array([0.0, 0, 0, 1, 1, 1])
    (model,) = models_of(kernel(2, penalty=penalty), [(x, y)])
    assert_close(model, *optimum(x, y, penalty=penalty), 1e-8)


def test_a_constant_column_has_coefficient_0() -> None:
    x, y = drawn(5)
    constant = np.column_stack([x, np.full(len(y), 0.1)])
    both: Any = ({}, {"center": True, "scale": True})
    for penalty in (0.0, 1.0):
        for options in both:
            three, two = (
                models_of(kernel(d, penalty=penalty, **options), [(c, y)])[0]
                for d, c in ((3, constant), (2, x))
            )
            assert three["coef_x2"] == 0.0
            assert_close(three, two["intercept"], [two["coef_x0"], two["coef_x1"], 0.0], 1e-12)
    (model,) = models_of(kernel(3, fit_intercept=False), [(constant, y)])
    assert_close(model, *optimum(constant, y, penalty=1.0, fit_intercept=False), 1e-9)


@pytest.mark.parametrize(
    ("factor", "size"),
    [(2.0, 1.0), (2.0, 1e5), (3.0, 1.0), (3.0, 1e5), (-0.7, 1.0)],  # -0.7e5 is rounded, and the optimum moves
)
def test_columns_that_repeat_others_share_under_a_penalty(factor: float, size: float) -> None:
    x, y = drawn(6, d=1)
    x *= size
    both = np.column_stack([x, factor * x + 7.0])
    (model,) = models_of(kernel(2), [(both, y)])
    # The same scores at the least length: one column, penalised as much as both together are.
    intercept, coef = optimum(x, y, penalty=1 / (1 + factor**2))
    shared = np.array([coef[0], coef[0] * factor]) / (1 + factor**2)
    assert_close(model, intercept - 7.0 * shared[1], shared)
    if size == 1.0:
        assert_close(model, *sklearn_fit(strict(), both, y))


def test_columns_that_repeat_others_are_as_small_as_can_be_without_a_penalty() -> None:
    x, y = drawn(6, d=2)
    more = np.column_stack([x, x[:, 0] + x[:, 1], 2 * x[:, 0]])
    (model,) = models_of(kernel(4, penalty=0.0), [(more, y)])
    intercept, coef = optimum(x, y)
    along = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    assert_close(model, intercept, along @ np.linalg.solve(along.T @ along, coef), 1e-9)


def test_one_class_gives_the_smoothed_rate() -> None:
    x = np.array([[1.0], [2.0], [3.0]])
    found = models_of(
        kernel(1, "w"),
        [
            (x, [1.0, 1, 1], [1.0, 1, 1]),
            (x, [0.0, 0, 1], [1.0, 1, 0]),
            (x[:1], [1.0], [2.5]),
        ],
    )
    rates = [4 / 5, 1 / 4, 3.5 / 4.5]
    for model, rate in zip(found, rates, strict=True):
        assert model["status"] == "single_class"
        assert model["intercept"] == pytest.approx(np.log(rate / (1 - rate)))
        assert (model["coef_x0"], model["iterations"]) == (0.0, 0)
    assert found[0]["log_loss"] == pytest.approx(-np.log(4 / 5))
    assert (found[1]["n_negative"], found[1]["n_positive"]) == (2, 1)


def test_too_few_rows_give_the_smoothed_rate() -> None:
    x, y = drawn(7, rows=5)
    few, none, weightless = models_of(
        kernel(2, "w", min_rows=6),
        [
            (x, y, np.ones(5)),
            (x, np.full(5, np.nan), np.ones(5)),
            (np.tile(x, (2, 1)), np.tile(y, 2), np.zeros(10)),
        ],
    )
    assert [m["status"] for m in (few, none, weightless)] == ["too_few_rows"] * 3
    assert few["intercept"] == pytest.approx(np.log((y.sum() + 1) / (5 - y.sum() + 1)))
    assert none["intercept"] == weightless["intercept"] == 0.0
    assert none["log_loss"] is None and few["log_loss"] is not None
    assert (none["n_rows"], none["n_missing"], few["n_missing"]) == (5, 5, 0)


def test_missing_values_leave_their_row_out() -> None:
    x, y = drawn(8, rows=50)
    w = np.ones(50)
    holes_x, holes_y, holes_w = np.tile(x, (2, 1)), np.tile(y, 2), np.ones(100)
    out = np.arange(50, 100)
    holes_x[out[:20], 0] = np.nan
    holes_x[out[20:30], 1] = -np.inf
    holes_y[out[30:40]] = np.nan
    holes_w[out[40:]] = np.inf
    shuffled = np.random.default_rng(0).permutation(100)
    complete, holes = models_of(
        kernel(2, "w", scale=True),
        [(x, y, w), (holes_x[shuffled], holes_y[shuffled], holes_w[shuffled])],
    )
    assert (holes["n_rows"], holes["n_missing"]) == (100, 50)
    assert_close(holes, complete["intercept"], coefficients(complete), 1e-9)
    assert holes["n_positive"] == complete["n_positive"]


@pytest.mark.parametrize("center", [False, True])
def test_a_group_larger_than_a_block(center: bool) -> None:
    x, y = drawn(9, rows=2 * BLOCK + 77)
    x[5:900, 0] = np.nan
    usable = np.isfinite(x[:, 0])
    x[:, 1] += 1e4
    w = np.random.default_rng(9).random(len(y))
    (model,) = models_of(kernel(2, "w", center=center, scale=center, class_weight="balanced"), [(x, y, w)])
    peer: Any = strict(class_weight="balanced")
    if center:
        peer = make_pipeline(StandardScaler(), peer)
    assert_close(model, *sklearn_fit(peer, x[usable], y[usable], w[usable]), 1e-7)
    score = model["intercept"] + x[usable] @ coefficients(model)
    loss = log_loss(y[usable], 1 / (1 + np.exp(-score)), sample_weight=w[usable])
    assert model["log_loss"] == pytest.approx(loss, rel=1e-9)
    assert model["n_missing"] == 895


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([None, "balanced", (2.0, 0.5)]), st.sampled_from([0.0, 0.1, 3.0])
)
def test_a_weight_is_a_number_of_repetitions(seed: int, class_weight: Any, penalty: float) -> None:
    x, y = drawn(seed, rows=25)
    w = np.random.default_rng(seed).integers(0, 4, 25)
    w[:2] = 1
    repeated = (np.repeat(x, w, axis=0), np.repeat(y, w), np.ones(w.sum()))
    settings = {"class_weight": class_weight, "penalty": penalty}
    one, other = models_of(kernel(2, "w", **settings), [(x, y, w), repeated])
    assert one["status"] == other["status"]
    if one["status"] == "fitted":
        assert_close(one, other["intercept"], coefficients(other), 1e-8)
        assert one["log_loss"] == pytest.approx(other["log_loss"], rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-3, 1.0]))
def test_small_groups_are_at_their_optimum(seed: int, penalty: float) -> None:
    """The slope of the objective, against what rounding leaves of it."""
    x, y = drawn(seed, rows=8, d=2)
    (model,) = models_of(kernel(2, penalty=penalty), [(x, y)])
    if model["status"] != "fitted":
        assert penalty == 0.0
        return
    coef = coefficients(model)
    score = (x.astype(np.longdouble) @ coef) + model["intercept"]
    error = 1 / (1 + np.exp(-score)) - y
    assert abs(error.sum()) < 1e-9
    assert np.abs(x.T @ error + penalty * coef).max() < 1e-8


SEPARABLE = {
    "one feature": ([[1.0], [2], [3], [4]], [0.0, 0, 1, 1]),
    "all but touching": ([[1.0], [2], [2 + 1e-7], [4]], [0.0, 0, 1, 1]),
    "two features": ([[0.0, 1], [1, 0], [5, 9], [9, 5], [4, 9]], [0.0, 0, 1, 1, 1]),
    "touching": ([[1.0], [2], [2], [4]], [0.0, 0, 1, 1]),
    "touching, many on the line": ([[1.0]] * 5 + [[2.0]] * 40 + [[4.0]], [0.0] * 5 + [0.0, 1] * 20 + [1.0]),
    "one value has one class": ([[0.0, 0], [0, 1], [0, 0], [0, 1], [1, 0]], [0.0, 1, 1, 0, 1]),
    "a rare flag": (
        [[float(i % 7), float(i == 3)] for i in range(40)],
        [float(i % 3 == 0) for i in range(40)],
    ),
    "more features than rows": (np.random.default_rng(0).normal(size=(6, 9)).tolist(), [0.0, 1, 0, 1, 1, 0]),
    "large numbers": ([[1e6], [1e6 + 1], [1e6 + 2], [1e6 + 3]], [0.0, 0, 1, 1]),
    "far apart": ([[-1e9], [0.0], [1.0], [1e9]], [0.0, 0, 1, 1]),
    "touching, other sizes": ([[1e5, 1], [1e5, 2], [1e5, 1], [1e5, 2], [2e5, 2]], [0.0, 0, 1, 1, 1]),
}


@pytest.mark.parametrize("case", SEPARABLE)
@pytest.mark.parametrize("weighted", [False, True])
def test_no_finite_optimum_is_never_called_fitted(case: str, weighted: bool) -> None:
    x, y = (np.array(v) for v in SEPARABLE[case])
    w = np.linspace(0.1, 30, len(y)) if weighted else np.ones(len(y))
    for flipped in (y, 1 - y):
        (model,) = models_of(kernel(x.shape[1], "w", penalty=0.0), [(x, flipped, w)])
        assert model["status"] == "not_converged", case
        assert np.isfinite([model["intercept"], *coefficients(model), model["log_loss"]]).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 30), st.integers(1, 3))
def test_whether_there_is_an_optimum_is_a_linear_program(seed: int, rows: int, d: int) -> None:
    from scipy.optimize import linprog

    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (rows, d)).astype(np.float64)
    y = rng.integers(0, 2, rows).astype(np.float64)
    y[:2] = 0.0, 1.0
    z = (2 * y - 1)[:, None] * np.column_stack([x, np.ones(rows)])
    best = linprog(-z.sum(axis=0), A_ub=-z, b_ub=np.zeros(rows), bounds=[(-1, 1)] * (d + 1))
    (model,) = models_of(kernel(d, penalty=0.0), [(x, y)])
    assert model["status"] == ("not_converged" if -best.fun > 1e-6 else "fitted")


@pytest.mark.parametrize("overlap", [1e-1, 1e-3, 1e-5, 1e-7])
def test_classes_that_overlap_by_little_have_an_optimum(overlap: float) -> None:
    x = np.array([[0.0], [1], [2], [3 + overlap], [3.0], [4], [5], [6]])
    y = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    (model,) = models_of(kernel(1, penalty=0.0), [(x, y)])
    assert_close(model, *optimum(x, y), 1e-6)


@pytest.mark.parametrize("flip", [False, True])
def test_an_outlier_does_not_throw_the_steps_off(flip: bool) -> None:
    x = np.append(np.random.default_rng(1).normal(size=50), [1e4])[:, None]
    y = (x[:, 0] > 0.3).astype(np.float64)
    y[::5] = 1 - y[::5]
    y[-1] = 0.0 if flip else 1.0
    (model,) = models_of(kernel(1, penalty=0.0), [(x, y)])
    assert_close(model, *optimum(x, y), 1e-8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("penalty", [1e-6, 1.0, 1000.0])
def test_heavy_tails_and_weights_of_all_sizes(seed: int, penalty: float) -> None:
    """Steps that end where the loss is flat for nearly all rows."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.normal(0, 3, (40, 3)))
    x[:, 2] = rng.normal(1e5, 1e4, 40)
    y = rng.integers(0, 2, 40).astype(np.float64)
    w = 10 ** rng.uniform(-3, 3, 40)
    (model,) = models_of(kernel(3, "w", penalty=penalty), [(x, y, w)])
    assert_close(model, *optimum(x, y, w, penalty=penalty), 1e-7)


def test_that_there_is_no_finite_optimum_shows_behind_a_light_row() -> None:
    x = np.array([[0.0], [0], [0], [0], [1]])
    y = np.array([0.0, 1, 0, 1, 1])
    for light in (1e-3, 1e-6, 1e-9):
        (model,) = models_of(kernel(1, "w", penalty=0.0), [(x, y, np.array([300.0, 300, 200, 900, light]))])
        assert model["status"] == "not_converged"


def test_the_laws_of_kernels() -> None:
    rng = np.random.default_rng(2)
    groups = [(*drawn(seed, rows=int(rng.integers(2, 40))), 1.0) for seed in range(30)]
    groups += [
        (np.array([[1.0, 2.0]]), np.array([1.0]), 1.0),
        (np.full((3, 2), np.nan), np.array([0.0, 1, 1]), 1.0),
        (np.ones((4, 2)), np.array([0.0, 1, 1, 0]), 1.0),
        (np.arange(8.0).reshape(4, 2), np.array([0.0, 0, 1, 1]), 1.0),
        (*drawn(77, rows=BLOCK + 9), 1.0),
        (*drawn(78, rows=12), 0.0),
    ]
    rows = table_of([(x, y, w * rng.random(len(y))) for x, y, w in groups])
    for options in ({}, {"penalty": 0.0, "class_weight": "balanced"}, {"center": True, "scale": True}):
        check_kernel(kernel(2, "w", **options), rows, by=["key"])


def test_settings_out_of_their_range_are_refused() -> None:
    out: Any = ({"penalty": -1.0}, {"penalty": np.inf}, {"min_rows": 0}, {"max_iterations": 0})
    weights: Any = ({"class_weight": wrong} for wrong in ((0.0, 1.0), "uniform", (1.0, 1.0, 1.0)))
    for wrong in (*out, *weights):
        with pytest.raises(ValueError, match="expected"):
            kernel(1, **wrong)
