from __future__ import annotations

import json
import pickle
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeRegressor

from backbone.analysis.groups import Groups, Kernel, chunks, map_chunks
from backbone.analysis.processes.group_fit import smoothed_rates
from backbone.analysis.processes.kernels import EstimatorKernel, GroupEstimator, OutOfFoldEstimatorKernel
from backbone.analysis.processes.workers import PART_GROUPS, PART_ROWS, small_parts
from backbone.analysis.stored_estimator import COMPILED_TYPES, load_estimator
from backbone.testing import check_kernel

NAN = float("nan")


pytestmark = pytest.mark.usefixtures("same_process")


def people(classes: int | None, groups: int = 12, seed: int = 7) -> pa.Table:
    """Groups of 1 to 30 rows with two features, a target, weights and folds; some numbers are missing."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 30, groups)
    rows = int(sizes.sum())
    x = random.normal(size=(rows, 2)).round(2)
    y = 2 * x[:, 0] - x[:, 1] + random.normal(size=rows)
    if classes is not None:
        y = np.digitize(y, np.linspace(-1, 1, classes + 1)[1:-1]).astype(np.float64)
    x[random.random(rows) < 0.05, 0] = NAN
    y[random.random(rows) < 0.05] = np.inf
    return pa.table(
        {
            "user": np.repeat([f"u{i}" for i in range(groups)], sizes),
            "a": x[:, 0],
            "b": x[:, 1],
            "y": y,
            "w": random.integers(0, 4, rows).astype(np.float64),
            "fold": random.integers(0, 3, rows),
        }
    )


def groups_of(rows: pa.Table) -> Groups:
    (groups,) = chunks(rows.combine_chunks().to_batches(), ["user"], chunk_bytes=1 << 40)
    return groups


def one_group(kernel: Kernel, **values: list[float]) -> dict[str, Any]:
    rows = pa.table(
        {"user": ["u"] * len(values["y"]), **{k: [float(v) for v in c] for k, c in values.items()}}
    )
    row: dict[str, Any] = kernel(groups_of(rows)).to_pylist()[0]
    return row


CLASSIFIERS = (
    RandomForestClassifier(n_estimators=5),
    KNeighborsClassifier(n_neighbors=1),
    make_pipeline(StandardScaler(), GaussianNB()),
    SGDClassifier(loss="log_loss", max_iter=5, tol=None),
)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda e: type(e).__name__)
def test_classifiers_obey_the_laws(estimator: Any) -> None:
    rows = people(2)
    check_kernel(
        EstimatorKernel(GroupEstimator(estimator, ["a", "b"], "y", classes=("no", "yes"))), rows, ["user"]
    )
    check_kernel(
        OutOfFoldEstimatorKernel(GroupEstimator(estimator, ["a"], "y", classes=(0, 1)), "fold"),
        rows,
        ["user"],
    )


@pytest.mark.parametrize(
    "estimator",
    [KNeighborsRegressor(n_neighbors=2), RandomForestRegressor(n_estimators=3)],
    ids=["knn", "rf"],
)
def test_regressors_obey_the_laws(estimator: Any) -> None:
    rows = people(None)
    check_kernel(EstimatorKernel(GroupEstimator(estimator, ["a", "b"], "y", min_rows=3)), rows, ["user"])
    check_kernel(
        OutOfFoldEstimatorKernel(GroupEstimator(estimator, ["a", "b"], "y", min_rows=3), "fold"),
        rows,
        ["user"],
    )


def test_no_key_is_one_group() -> None:
    rows = people(None).select(["a", "b", "y"])
    kernel = EstimatorKernel(GroupEstimator(DecisionTreeRegressor(), ["a", "b"], "y"))
    (fitted,) = pa.Table.from_batches(
        map_chunks(kernel, rows.to_batches(), [], parts=small_parts)
    ).to_pylist()
    assert (fitted["status"], fitted["n_rows"]) == ("fitted", rows.num_rows)


@pytest.mark.parametrize("labels", [("no", "yes", "naïve"), (-1, 5, 9), (1.0, 2.0, 5.0)], ids=str)
def test_a_model_is_what_scikit_learn_fits_to_the_group_alone(labels: tuple[Any, ...]) -> None:
    rows, seen = people(3), 0
    kernel = EstimatorKernel(
        GroupEstimator(RandomForestClassifier(n_estimators=3), ["a", "b"], "y", classes=labels)
    )
    for row in kernel(groups_of(rows)).to_pylist():
        own = rows.filter(pa.array([user == row["user"] for user in rows["user"].to_pylist()]))
        x = np.column_stack([own["a"], own["b"]])
        y = own["y"].to_numpy()
        used = np.isfinite(x).all(axis=1) & np.isfinite(y)
        assert (row["n_rows"], row["n_missing"]) == (len(y), (~used).sum())
        target = np.array(labels)[y[used].astype(int)]
        assert json.loads(row["class_counts"]) == {str(c): int((target == c).sum()) for c in labels}
        if len(set(target)) < 2:
            assert row["status"] == ("single_class" if len(target) else "too_few_rows")
            assert (row["model"], row["score"]) == (None, None)
            continue
        expected = RandomForestClassifier(n_estimators=3, random_state=0).fit(x[used], target)
        model = load_estimator(row["model"], trusted=COMPILED_TYPES)
        assert model.classes_.tolist() == sorted(set(target.tolist()))
        assert model.predict_proba(x[used]).tolist() == expected.predict_proba(x[used]).tolist()
        assert row["score"] == expected.score(x[used], target)
        assert (row["status"], row["error"]) == ("fitted", None)
        seen += 1
    assert seen > 5


def test_a_group_that_fails_leaves_the_others_alone() -> None:
    kernel = EstimatorKernel(GroupEstimator(KNeighborsRegressor(n_neighbors=3), ["a"], "y"))
    rows = pa.table({"user": [1, 1, 1, 2, 2, 3, 3, 3], "a": np.arange(8.0), "y": np.arange(8.0)})
    one, two, three = kernel(groups_of(rows)).to_pylist()
    assert [one["status"], two["status"], three["status"]] == ["fitted", "failed", "fitted"]
    assert "n_neighbors <= n_samples" in two["error"]
    assert (two["model"], two["score"], two["n_rows"]) == (None, None, 2)


def test_too_few_rows_and_a_score_that_is_none() -> None:
    kernel = EstimatorKernel(GroupEstimator(DecisionTreeRegressor(), ["a"], "y", min_rows=2))
    few = one_group(kernel, a=[1, NAN, 3], y=[1, 2, NAN])
    assert (few["status"], few["n_rows"], few["n_missing"]) == ("too_few_rows", 3, 2)
    assert "class_counts" not in few
    one_row = EstimatorKernel(GroupEstimator(DecisionTreeRegressor(), ["a"], "y"))
    with pytest.warns(UserWarning, match="less than two samples"):
        fitted = one_group(one_row, a=[1], y=[1])
    assert (fitted["status"], fitted["score"]) == ("fitted", None)


def test_a_weight_is_a_row_repeated() -> None:
    kernel = EstimatorKernel(
        GroupEstimator(make_pipeline(StandardScaler(), GaussianNB()), ["a"], "y", "w", classes=(0, 1))
    )
    bare = EstimatorKernel(GroupEstimator(GaussianNB(), ["a"], "y", "w", classes=(0, 1)))
    repeated = EstimatorKernel(GroupEstimator(GaussianNB(), ["a"], "y", classes=(0, 1)))
    rows: dict[str, list[float]]
    rows = {"a": [1, 2, 4, 9, 5, 7], "y": [0, 0, 1, 1, 1, 0], "w": [2, 1, 0, 3, NAN, 0]}
    assert one_group(kernel, **rows)["status"] == "fitted"
    weighted = one_group(bare, **rows)
    alone = one_group(repeated, a=[1, 1, 2, 9, 9, 9], y=[0, 0, 0, 1, 1, 1])
    assert (weighted["n_rows"], weighted["n_missing"]) == (6, 1)
    assert weighted["class_counts"] == alone["class_counts"] == '{"0": 3, "1": 3}'
    x = np.linspace(0, 10, 11)[:, None]
    one, other = (load_estimator(row["model"]).predict_proba(x) for row in (weighted, alone))
    assert np.allclose(one, other, rtol=1e-9)


def test_one_weighted_class_is_a_single_class() -> None:
    kernel = EstimatorKernel(GroupEstimator(GaussianNB(), ["a"], "y", "w", classes=("no", "yes")))
    row = one_group(kernel, a=[1, 2, 3], y=[0, 1, 1], w=[0, 1, 1.5])
    assert (row["status"], row["class_counts"]) == ("single_class", '{"no": 0, "yes": 2.5}')
    assert smoothed_rates(row["class_counts"]) == {"no": 1 / 4.5, "yes": 3.5 / 4.5}
    assert one_group(kernel, a=[1, 2], y=[0, 1], w=[0, 0])["status"] == "too_few_rows"
    assert smoothed_rates('{"a": 0, "b": 0, "c": 1}') == {"a": 0.25, "b": 0.25, "c": 0.5}


def test_what_draws_at_random_draws_the_same() -> None:
    shuffled = KFold(2, shuffle=True)  # a splitter is no estimator: its random_state can't be seen
    calibrated = CalibratedClassifierCV(SVC(), cv=shuffled, ensemble=False)
    kernel = EstimatorKernel(GroupEstimator(calibrated, ["a", "b"], "y", classes=(0, 1), min_rows=9))
    rows = groups_of(people(2, groups=6, seed=3))
    first, second = kernel(rows), kernel(rows)
    assert "fitted" in first.column("status").to_pylist()
    assert first.equals(second)


def test_a_class_of_the_script_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        __module__ = "__main__"

    with pytest.raises(ValueError, match="define its classes and functions at the top of a module"):
        EstimatorKernel(GroupEstimator(Own(), ["a"], "y"))
    monkeypatch.setattr(sys.modules["__main__"], "Own", Own, raising=False)
    with pytest.raises(ValueError, match=r"found __main__\.Own, which is defined in the script itself"):
        EstimatorKernel(GroupEstimator(Own(), ["a"], "y"))


LABELS = ("no", "yes")


@pytest.mark.parametrize(
    ("fitted", "message"),
    [
        (GroupEstimator(GaussianNB(), [], "y", classes=LABELS), "one feature or more"),
        (GroupEstimator(GaussianNB(), ["a"], "y"), "expected a regressor .* found GaussianNB"),
        (GroupEstimator(KNeighborsRegressor(), ["a"], "y", classes=LABELS), "expected a classifier"),
        (GroupEstimator(GaussianNB(), ["a"], "y", classes=["no"]), "two or more different classes"),
        (GroupEstimator(GaussianNB(), ["a"], "y", classes=[1, "1"]), "different classes"),
        (GroupEstimator(GaussianNB(), ["a"], "y", classes=[None, 1]), "numbers, found .None, 1."),
        (GroupEstimator(GaussianNB(), ["a"], "y", classes=[1, "a"]), "all text or all numbers"),
        (GroupEstimator(object(), ["a"], "y"), "expected a scikit-learn estimator, found object"),
        (
            GroupEstimator(KNeighborsClassifier(), ["a"], "y", "w", classes=LABELS),
            "takes sample_weight, found KNeighborsClassifier",
        ),
        (
            GroupEstimator(make_pipeline(StandardScaler(), KNeighborsRegressor()), ["a"], "y", "w"),
            "takes sample_weight, found KNeighborsRegressor",
        ),
        (
            GroupEstimator(
                make_pipeline(FunctionTransformer(lambda x: x), KNeighborsRegressor()), ["a"], "y"
            ),
            "that skops can write and read, found Pipeline",
        ),
    ],
)
def test_what_can_not_be_fitted_is_refused_before_any_work(fitted: GroupEstimator, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EstimatorKernel(fitted)


@pytest.mark.parametrize(
    ("fitted", "message"),
    [
        (GroupEstimator(GaussianNB(), ["a"], "y", classes=[1, 2, 3]), "is there for two classes, found 3"),
        (
            GroupEstimator(LinearSVC(), ["a"], "y", classes=LABELS),
            "found LinearSVC without predict_proba; wrap it",
        ),
    ],
)
def test_what_can_not_predict_out_of_fold_is_refused_before_any_work(
    fitted: GroupEstimator, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        OutOfFoldEstimatorKernel(fitted, "fold")


def test_no_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="one worker or more"):
        EstimatorKernel(GroupEstimator(KNeighborsRegressor(), ["a"], "y"), workers=0)


def test_labels_of_numpy_are_labels() -> None:
    kernel = EstimatorKernel(GroupEstimator(GaussianNB(), ["a"], "y", classes=list(np.array([3, 4]))))
    row = one_group(kernel, a=[1, 2, 8, 9], y=[0, 0, 1, 1])
    assert load_estimator(row["model"]).predict([[1.0], [9.0]]).tolist() == [3, 4]


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("classes", [None, ("no", "yes")])
def test_out_of_fold_predictions_are_those_of_the_other_folds(
    classes: tuple[str, str] | None, weight: str | None
) -> None:
    rows = people(None if classes is None else 2, groups=6)
    estimator = DecisionTreeRegressor(max_depth=2) if classes is None else GaussianNB()
    kernel = OutOfFoldEstimatorKernel(
        GroupEstimator(estimator, ["a", "b"], "y", weight, classes=classes, min_rows=4), "fold"
    )
    found = pa.Table.from_batches([kernel(groups_of(rows))])
    assert found["user"].to_pylist() == rows["user"].to_pylist()
    assert found["fold"].to_pylist() == rows["fold"].to_pylist()
    assert found["weight"].to_pylist() == (rows["w"].to_pylist() if weight else [1.0] * rows.num_rows)

    user = np.array(rows["user"].to_pylist())
    x, y, fold = np.column_stack([rows["a"], rows["b"]]), rows["y"].to_numpy(), rows["fold"].to_numpy()
    w = rows["w"].to_numpy() if weight else np.ones(len(y))
    usable = np.isfinite(x).all(axis=1) & np.isfinite(y)
    for i in range(len(y)):
        prediction = found["prediction"][i].as_py()
        if not usable[i]:
            assert np.isnan(prediction)
            continue
        train = usable & (w > 0) & (user == user[i]) & (fold != fold[i])
        if classes is None:
            if train.sum() < 4:
                expected = np.average(y[train], weights=w[train]) if train.any() else NAN
            else:
                model = DecisionTreeRegressor(max_depth=2, random_state=0)
                expected = model.fit(x[train], y[train], w[train]).predict(x[i : i + 1])[0]
        elif train.sum() < 4 or len(set(y[train])) < 2:
            expected = ((w[train] * y[train]).sum() + 1) / (w[train].sum() + 2)
        else:
            expected = GaussianNB().fit(x[train], y[train], w[train]).predict_proba(x[i : i + 1])[0, 1]
        assert np.isclose(prediction, expected, rtol=1e-12, equal_nan=True)


def test_a_failure_out_of_fold_is_no_prediction() -> None:
    kernel = OutOfFoldEstimatorKernel(GroupEstimator(KNeighborsRegressor(n_neighbors=2), ["a"], "y"), "fold")
    groups = groups_of(pa.table({"user": [1, 1, 1], "a": [1.0, 2, 3], "y": [1.0, 2, 3], "fold": [0, 1, 1]}))
    assert np.isnan(kernel(groups).column("prediction").to_numpy()).tolist() == [False, True, True]


def test_machines_without_probabilities_can_be_calibrated() -> None:
    rows = people(2, groups=4)
    kernel = EstimatorKernel(
        GroupEstimator(
            CalibratedClassifierCV(LinearSVC(), cv=2), ["a", "b"], "y", classes=LABELS, min_rows=10
        )
    )
    fitted = [row for row in kernel(groups_of(rows)).to_pylist() if row["status"] == "fitted"]
    assert fitted
    for row in fitted:
        assert load_estimator(row["model"]).predict_proba([[0.0, 1.0]]).shape == (1, 2)


def test_parts_are_the_same_groups() -> None:
    sizes = np.array([1] * (PART_GROUPS + 5) + [PART_ROWS + 1, 3, PART_ROWS - 3, 1])
    offsets = np.concatenate([[0], sizes.cumsum()])
    keys = pa.RecordBatch.from_pydict({"user": np.arange(len(sizes))})
    groups = Groups(keys, offsets, {"a": np.arange(offsets[-1])})
    found = list(small_parts(groups))
    assert [len(part) for part in found] == [PART_GROUPS, 5, 1, 2, 1]
    assert [user for part in found for user in part.keys.column("user").to_pylist()] == list(
        range(len(sizes))
    )
    rebuilt = np.concatenate([np.diff(part.offsets) for part in found])
    assert rebuilt.tolist() == sizes.tolist()
    assert np.concatenate([part.values["a"] for part in found]).tolist() == list(range(offsets[-1]))


def test_a_kernel_that_is_sent_to_another_process_starts_workers_there() -> None:
    groups = groups_of(people(2))
    fitted = GroupEstimator(GaussianNB(), ["a", "b"], "y", classes=("no", "yes"))
    with EstimatorKernel(fitted, workers=1) as kernel:
        expected = kernel(groups)
        with pickle.loads(pickle.dumps(kernel)) as copy:
            assert copy(groups).equals(expected)
        assert kernel(groups).equals(expected), "the first one's workers are gone"
