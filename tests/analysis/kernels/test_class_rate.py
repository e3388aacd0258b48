from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss
from slow_fit import models_of, table_of

from backbone.analysis.kernels.class_rate import ClassRateKernel
from backbone.testing import check_kernel


@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learn_finds_the_same(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 30).astype(np.float64)
    w = rng.random(30)
    x = np.zeros((30, 0))
    (model,) = models_of(ClassRateKernel("y", "w" if weighted else None), [(x, y, w)])
    peer = DummyClassifier(strategy="prior").fit(x, y, sample_weight=w if weighted else None)
    rate = peer.predict_proba(x)[0, 1]
    assert model["intercept"] == pytest.approx(np.log(rate / (1 - rate)), rel=1e-12)
    assert model["status"] == "fitted"
    loss = log_loss(y, np.full(30, rate), sample_weight=w if weighted else None)
    assert model["log_loss"] == pytest.approx(loss)


def test_one_class_and_too_few_rows_are_smoothed() -> None:
    x = np.zeros((3, 0))
    found = models_of(ClassRateKernel("y", min_rows=2), [(x, [1.0, 1, 1]), (x, [0.0, np.nan, np.nan])])
    assert [m["status"] for m in found] == ["single_class", "too_few_rows"]
    assert [m["intercept"] for m in found] == pytest.approx([np.log(4), np.log(1 / 2)])
    assert [m["n_missing"] for m in found] == [0, 2]


def test_the_laws_of_kernels() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 9, 30)
    rows = table_of([(np.zeros((n, 0)), rng.integers(0, 2, n) + 0.0, rng.random(n)) for n in sizes])
    check_kernel(ClassRateKernel("y", "w"), rows, by=["key"])
