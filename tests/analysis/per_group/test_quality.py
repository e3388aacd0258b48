"""Cross-validation and shrinkage against plain, slow versions of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_up_offers import FEATURES, offers
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score, roc_auc_score
from sklearn.naive_bayes import GaussianNB

from backbone import PerGroup
from backbone.analysis.groups import chunks
from backbone.analysis.kernels.folds import fold_of
from backbone.analysis.per_group.quality import FoldedRows
from backbone.testing import check_kernel

PARTS: dict[str, Any] = {"by": "userid", "features": FEATURES, "target": "bought_offer"}
EXACT = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}


def _slowly(table: pa.Table, k: int, estimator: Any, weighted: bool) -> dict[int, tuple[Any, ...]]:
    """Per user: truth, out-of-fold prediction and weight of every row, one scikit-learn model at a time."""
    ordered = table.sort_by([(name, "ascending") for name in ["userid", *FEATURES, "bought_offer", "weight"]])
    values = ordered.cast(
        pa.schema([(n, pa.int64() if n == "userid" else pa.float64()) for n in ordered.column_names])
    )
    (groups,) = chunks(values.to_batches(), ["userid"], chunk_bytes=1 << 60)
    columns = (*FEATURES, "bought_offer", *(["weight"] if weighted else []))
    folds = fold_of(groups, columns, k)
    found = {}
    for i, key in enumerate(groups.keys.column("userid").to_pylist()):
        own = slice(groups.offsets[i], groups.offsets[i + 1])
        x = np.column_stack([groups.values[name][own] for name in FEATURES])
        y, fold = groups.values["bought_offer"][own], folds[own]
        w = groups.values["weight"][own] if weighted else np.ones(len(y))
        prediction = np.zeros(len(y))
        for f in range(k):
            train, asked = fold != f, fold == f
            if not asked.any():
                continue
            if hasattr(estimator, "predict_proba") and len(set(y[train].tolist())) < 2:
                prediction[asked] = (w[train] @ y[train] + 1) / (w[train].sum() + 2)
                continue
            fitted = estimator.fit(x[train], y[train], sample_weight=w[train])
            ask = getattr(fitted, "predict_proba", None)
            prediction[asked] = ask(x[asked])[:, 1] if ask else fitted.predict(x[asked])
        found[key] = (y, prediction, w)
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_a_classifier_is_judged_on_rows_it_has_not_seen(weighted: bool) -> None:
    table = offers(25, 20)
    weight = {"weight": "weight"} if weighted else {}
    quality = PerGroup(LogisticRegression()).cross_validate(table, **PARTS, **weight, k=4)
    expected = _slowly(table, 4, LogisticRegression(**EXACT), weighted)
    for row in quality.table.to_pylist():
        y, p, w = expected[row["userid"]]
        assert row["n_rows"] == len(y)
        assert row["accuracy"] == pytest.approx(accuracy_score(y, p > 0.5, sample_weight=w), abs=1e-9)
        assert row["log_loss"] == pytest.approx(log_loss(y, p, sample_weight=w, labels=[0, 1]), abs=1e-6)
        if len(set(y.tolist())) == 2:
            assert row["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=w), abs=1e-9)
        else:
            assert row["auc"] is None
    y, p, w = (np.concatenate(part) for part in zip(*expected.values(), strict=True))
    assert quality.overall["n_rows"] == table.num_rows
    assert quality.overall["log_loss"] == pytest.approx(log_loss(y, p, sample_weight=w), abs=1e-6)
    assert quality.overall["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=w), abs=1e-6)
    assert quality.overall["accuracy"] == pytest.approx(accuracy_score(y, p > 0.5, sample_weight=w), abs=1e-9)


def test_a_regression_is_judged_too() -> None:
    table = offers(10, 20)
    quality = PerGroup(Ridge()).cross_validate(table, **PARTS, k=3)
    expected = _slowly(table, 3, Ridge(solver="svd"), False)
    for row in quality.table.to_pylist():
        y, p, _ = expected[row["userid"]]
        assert row["mean_squared_error"] == pytest.approx(mean_squared_error(y, p), abs=1e-9)
        if np.var(y):
            assert row["r2"] == pytest.approx(r2_score(y, p), abs=1e-9)
    assert quality.overall["n_rows"] == table.num_rows


def test_both_paths_judge_by_the_same_folds() -> None:
    table = offers(6, 25)
    kernels = PerGroup(Ridge()).cross_validate(table, **PARTS, k=3)
    processes = PerGroup(Ridge(positive=True)).cross_validate(table, **PARTS, k=3)
    slow = _slowly(table, 3, Ridge(positive=True), False)
    assert kernels.table["n_rows"].equals(processes.table["n_rows"])
    for row in processes.table.to_pylist():
        y, p, _ = slow[row["userid"]]
        assert row["mean_squared_error"] == pytest.approx(mean_squared_error(y, p), abs=1e-6)


@pytest.mark.usefixtures("same_process")
def test_classes_that_are_words() -> None:
    table = offers(6, 25)
    words = pa.array(np.array(["no", "yes"])[table["bought_offer"].to_numpy()])
    named = table.set_column(table.column_names.index("bought_offer"), "bought_offer", words)
    numbers = PerGroup(GaussianNB()).cross_validate(table, **PARTS, k=3)
    assert PerGroup(GaussianNB()).cross_validate(named, **PARTS, k=3).overall == numbers.overall


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    table = offers(20, 20)
    shuffled = table.take(np.random.default_rng(1).permutation(table.num_rows))
    first = PerGroup(LogisticRegression()).cross_validate(table, **PARTS)
    again = PerGroup(LogisticRegression()).cross_validate(shuffled, **PARTS)
    assert first.table.equals(again.table)
    assert first.overall == again.overall


def test_fewer_than_two_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="2 to 127 folds, found 1"):
        PerGroup(LogisticRegression()).cross_validate(offers(2, 5), **PARTS, k=1)


def test_a_strong_pull_makes_all_models_that_of_all_rows() -> None:
    table = offers(20, 30)
    x = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(float)
    everything = LogisticRegression(C=np.inf, **EXACT).fit(x, table["bought_offer"].to_numpy())
    models = PerGroup(LogisticRegression(C=np.inf), prior="global", strength=1e9).fit(table, **PARTS).table
    np.testing.assert_allclose(models["coef_asktimes"].to_numpy(), everything.coef_[0, 0], rtol=1e-4)
    np.testing.assert_allclose(models["coef_askbackoffdays"].to_numpy(), everything.coef_[0, 1], rtol=1e-4)
    np.testing.assert_allclose(models["intercept"].to_numpy(), everything.intercept_[0], rtol=1e-4)


def test_a_weak_pull_leaves_large_groups_alone() -> None:
    table = offers(3, 2000)
    alone = PerGroup(LogisticRegression(C=np.inf)).fit(table, **PARTS).table
    pulled = PerGroup(LogisticRegression(), prior="global", strength=1e-6).fit(table, **PARTS).table
    for name in ("intercept", "coef_asktimes", "coef_askbackoffdays"):
        np.testing.assert_allclose(pulled[name].to_numpy(), alone[name].to_numpy(), rtol=1e-4)


def test_the_pull_is_what_it_says() -> None:
    """Against a general-purpose optimiser on the stated objective."""
    from scipy.optimize import minimize

    table = offers(8, 12)
    strength = 3.0
    models = PerGroup(LogisticRegression(), prior="global", strength=strength).fit(table, **PARTS)
    x = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(float)
    y, user = table["bought_offer"].to_numpy().astype(float), table["userid"].to_numpy()
    center, scale = x.mean(axis=0), x.std(axis=0)
    u = (x - center) / scale
    everything = LogisticRegression(**EXACT).fit(u, y)
    prior = np.append(everything.coef_[0], everything.intercept_)

    for row in models.table.to_pylist():
        own = user == row["userid"]

        def loss(b: Any, own: Any = own) -> float:
            score = u[own] @ b[:2] + b[2]
            return float(
                np.sum(np.logaddexp(0, score) - y[own] * score) + strength / 2 * np.sum((b - prior) ** 2)
            )

        best = minimize(loss, prior, method="BFGS", options={"gtol": 1e-9}).x
        coef = best[:2] / scale
        assert row["status"] == "fitted"
        assert row["coef_asktimes"] == pytest.approx(coef[0], abs=1e-5)
        assert row["coef_askbackoffdays"] == pytest.approx(coef[1], abs=1e-5)
        assert row["intercept"] == pytest.approx(best[2] - coef @ center, abs=1e-5)


def _held_out(users: int, rows_each: float, spread: float, **settings: Any) -> tuple[float, float]:
    """Log loss on rows that nothing was fitted on: of separate models, and of shrunk ones."""
    table = offers(users, 2 * rows_each, seed=3, spread=spread)
    half = np.random.default_rng(0).random(table.num_rows) < 0.5
    train, rest = table.filter(pa.array(half)), table.filter(pa.array(~half))
    losses = []
    for models in (
        PerGroup(LogisticRegression()),
        PerGroup(LogisticRegression(), prior="global", **settings),
    ):
        p = models.fit(train, **PARTS).predict_proba(rest)[:, 1]
        known = ~np.isnan(p)
        y = rest["bought_offer"].to_numpy()
        losses.append(log_loss(y[known], p[known]))
    return losses[0], losses[1]


def test_small_groups_gain_by_what_they_have_in_common() -> None:
    separate, shrunk = _held_out(400, 8, spread=0.3)
    assert shrunk < 0.9 * separate


def test_large_and_different_groups_lose_nothing() -> None:
    separate, shrunk = _held_out(10, 1500, spread=1.5)
    assert shrunk < 1.002 * separate


def test_the_strength_is_chosen_by_left_out_rows_and_shown() -> None:
    alike = PerGroup(LogisticRegression(), prior="global").fit(offers(150, 10, spread=0.05), **PARTS)
    different = PerGroup(LogisticRegression(), prior="global").fit(offers(30, 150, spread=2.0), **PARTS)
    assert alike.strengths_ is not None and different.strengths_ is not None
    best = [
        tried["strength"][int(np.argmin(tried["log_loss"].to_numpy()))].as_py()
        for tried in (alike.strengths_, different.strengths_)
    ]
    assert best[0] > best[1]


def test_a_group_not_seen_in_fitting_has_the_model_of_all() -> None:
    table = offers(50, 20)
    models = PerGroup(LogisticRegression(), prior="global", strength=10).fit(table, **PARTS)
    stranger = pa.table({"userid": [-1], "asktimes": [5], "askbackoffdays": [5]})
    x = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(float)
    everything = LogisticRegression(**EXACT).fit(x, table["bought_offer"].to_numpy())
    assert models.predict_proba(stranger)[0, 1] == pytest.approx(
        everything.predict_proba([[5, 5]])[0, 1], abs=1e-3
    )


def test_a_single_class_is_no_special_case_under_a_prior() -> None:
    table = offers(60, 4)
    models = PerGroup(LogisticRegression(), prior="global", strength=5).fit(table, **PARTS).table
    assert set(models["status"].to_pylist()) == {"fitted"}
    assert np.isfinite(models["intercept"].to_numpy()).all()


@pytest.mark.parametrize("columns", [("x", "y"), ("x", "y", "w")])
def test_giving_rows_their_folds_obeys_the_laws_of_kernels(columns: tuple[str, ...]) -> None:
    rng = np.random.default_rng(5)
    keys = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    drawn = {name: rng.integers(-2, 3, len(keys)).astype(float) for name in columns}  # with equal rows
    drawn["x"][:5] = [np.nan, np.inf, -np.inf, -0.0, 0.0]
    rows = pa.table({"key": keys, "part": [f"p{key % 3}" for key in keys], **drawn})
    check_kernel(FoldedRows(columns, 4), rows, by=["key", "part"])
