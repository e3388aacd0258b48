from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score, roc_auc_score
from slow_fit import models_of, table_of

from backbone.analysis.kernels.metrics import ClassifierMetricsKernel, RegressionMetricsKernel
from backbone.analysis.kernels.sorting import order_of
from backbone.testing import check_kernel


def classified(seed: int, rows: int, *, ordered: bool = False) -> tuple[Any, Any, Any]:
    """Probabilities, some equal and some 0 or 1, as the one feature; classes; weights."""
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 21, rows) / 20
    if ordered:
        p = np.sort(p)
    return p[:, None], rng.integers(0, 2, rows).astype(np.float64), rng.integers(0, 3, rows) * 0.5


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_classifiers_are_judged_as_by_scikit_learn(weighted: bool, ordered: bool) -> None:
    groups = [
        classified(seed, rows, ordered=ordered) for seed, rows in enumerate([2, 3, 15, 16, 17, 40, 333])
    ]
    found = models_of(ClassifierMetricsKernel("y", "x0", "w" if weighted else None), groups)
    for (x, y, w), metrics in zip(groups, found, strict=True):
        p, weight = x[:, 0], w if weighted else np.ones(len(y))
        assert (metrics["n_rows"], metrics["n_positive"]) == (len(y), y.sum())
        if weight.sum() == 0:
            assert metrics["accuracy"] is metrics["log_loss"] is metrics["auc"] is None
            continue
        assert metrics["accuracy"] == pytest.approx(accuracy_score(y, p > 0.5, sample_weight=weight))
        assert metrics["log_loss"] == pytest.approx(log_loss(y, p, sample_weight=weight, labels=[0, 1]))
        if 0 < weight @ y < weight.sum():
            assert metrics["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=weight))
        else:
            assert metrics["auc"] is None


@pytest.mark.parametrize("weighted", [False, True])
def test_regressions_are_judged_as_by_scikit_learn(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    groups = [(rng.normal(1e6, 2, (n, 1)), rng.normal(1e6, 2, n), rng.random(n)) for n in (2, 3, 50)]
    found = models_of(RegressionMetricsKernel("y", "x0", "w" if weighted else None), groups)
    for (x, y, w), metrics in zip(groups, found, strict=True):
        weight = w if weighted else None
        expected = mean_squared_error(y, x[:, 0], sample_weight=weight)
        assert metrics["mean_squared_error"] == pytest.approx(expected)
        assert metrics["r2"] == pytest.approx(r2_score(y, x[:, 0], sample_weight=weight), rel=1e-9)


def test_rows_with_a_missing_value_are_not_scored() -> None:
    x, y, w = classified(3, 40)
    holes = [np.concatenate([v, v]) for v in (x, y, w)]
    holes[0][40:55, 0] = np.nan
    holes[1][55:65] = np.nan
    holes[2][65:] = np.nan
    for kernel in (ClassifierMetricsKernel("y", "x0", "w"), RegressionMetricsKernel("y", "x0", "w")):
        complete, part = models_of(kernel, [(x, y, w), tuple(holes)])
        assert part == pytest.approx(complete | {"key": 1})


def test_what_can_not_be_said_is_null() -> None:
    one, equal = models_of(
        RegressionMetricsKernel("y", "x0"), [(np.ones((1, 1)), [2.0]), (np.ones((3, 1)), [0.1] * 3)]
    )
    assert one["mean_squared_error"] == 1.0 and one["r2"] is None and equal["r2"] is None
    (nothing,) = models_of(ClassifierMetricsKernel("y", "x0"), [(np.full((2, 1), np.nan), [0.0, 1.0])])
    assert list(nothing.values())[1:] == [0, 0, None, None, None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), max_size=200))
def test_sorting(keys: list[float]) -> None:
    assert order_of(np.array(keys)).tolist() == np.argsort(keys, kind="stable").tolist()


def test_the_laws_of_kernels() -> None:
    rows = table_of([classified(seed, 1 + seed % 9) for seed in range(40)])
    check_kernel(ClassifierMetricsKernel("y", "x0", "w"), rows, by=["key"])
    check_kernel(RegressionMetricsKernel("y", "x0"), rows, by=["key"])
