"""`PerGroup` against scikit-learn, one group after the other."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up_offers import FEATURES, offers, queried
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from backbone import PerGroup
from backbone.errors import EngineFailed

PARTS: dict[str, Any] = {"by": "userid", "features": FEATURES, "target": "bought_offer"}
EXACT = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}

ESTIMATORS = [
    (LogisticRegression(), LogisticRegression(**EXACT)),
    (
        LogisticRegression(C=0.05, class_weight="balanced"),
        LogisticRegression(C=0.05, class_weight="balanced", **EXACT),
    ),
    (
        LogisticRegression(C=3, class_weight={0: 1, 1: 4}, fit_intercept=False),
        LogisticRegression(C=3, class_weight={0: 1, 1: 4}, fit_intercept=False, **EXACT),
    ),
    (
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), LogisticRegression(**EXACT)),
    ),
    (Ridge(alpha=0.7), Ridge(alpha=0.7, solver="svd")),
    (LinearRegression(), LinearRegression()),
    (make_pipeline(StandardScaler(), Ridge()), make_pipeline(StandardScaler(), Ridge(solver="svd"))),
    (
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression(**EXACT)),
    ),
    (
        make_pipeline(StandardScaler(with_std=False), LinearRegression()),
        make_pipeline(StandardScaler(with_std=False), LinearRegression()),
    ),
    (
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression(fit_intercept=False)),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression(fit_intercept=False, **EXACT)),
    ),
    (DummyClassifier(), DummyClassifier()),
]


def _fits_alone(
    table: pa.Table, reference: Any
) -> dict[int, tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """scikit-learn's model of every user with two classes, with the user's rows."""
    from sklearn.base import clone

    user = table["userid"].to_numpy()
    x = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(float)
    y = table["bought_offer"].to_numpy()
    found = {}
    for key in np.unique(user).tolist():
        own = user == key
        if len(set(y[own].tolist())) == 2:
            found[key] = (clone(reference).fit(x[own], y[own]), x[own], y[own])
    return found


def _rows_of(key: int, x: np.ndarray[Any, Any]) -> pa.Table:
    return pa.table({"userid": np.full(len(x), key), **dict(zip(FEATURES, x.T, strict=True))})


def _last(estimator: Any) -> Any:
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(("estimator", "reference"), ESTIMATORS, ids=lambda e: str(e).replace("\n", ""))
def test_every_model_is_scikit_learns(estimator: Any, reference: Any) -> None:
    table = offers(40, 20)
    models = PerGroup(estimator).fit(table, **PARTS)
    assert models.path == "kernel"
    alone = _fits_alone(table, reference)
    assert len(alone) >= 35
    asked = pa.concat_tables(_rows_of(key, x) for key, (_, x, _) in alone.items())
    ask = "predict_proba" if hasattr(reference, "predict_proba") else "predict"
    scores, answers = models.predict(asked), getattr(models, ask)(asked)
    first = 0
    for key, (expected, x, _) in alone.items():
        found, own = models[key], slice(first, first := first + len(x))
        assert type(found) is type(expected)
        if hasattr(_last(expected), "coef_"):
            ours = np.append(np.ravel(_last(found).coef_), _last(found).intercept_)
            theirs = np.append(np.ravel(_last(expected).coef_), _last(expected).intercept_)
            assert np.linalg.norm(ours - theirs) <= 1e-6 * np.linalg.norm(theirs)
            np.testing.assert_allclose(np.ravel(scores[own]), np.ravel(found.predict(x)), atol=1e-9)
        np.testing.assert_allclose(getattr(found, ask)(x), getattr(expected, ask)(x), atol=1e-6)
        np.testing.assert_allclose(answers[own], getattr(expected, ask)(x), atol=1e-6)


def test_every_group_has_a_row_and_every_row_is_counted() -> None:
    made = offers(300, 3)
    models = PerGroup(LogisticRegression()).fit(made, **PARTS).table
    counted = queried("select userid, count(*), sum(bought_offer) from made group by 1 order by 1", made=made)
    for ours, theirs in zip(("userid", "n_rows", "n_positive"), counted.columns, strict=True):
        assert models[ours].to_pylist() == theirs.to_pylist()
    for row in models.to_pylist():
        n, k = row["n_rows"], row["n_positive"]
        if k in (0, n):
            assert row["status"] == "single_class"
            assert [row["coef_asktimes"], row["coef_askbackoffdays"]] == [0.0, 0.0]
            assert row["intercept"] == pytest.approx(math.log((k + 1) / (n - k + 1)))
        else:
            assert row["status"] == "fitted"
            assert row["n_negative"] == n - k
            assert row["iterations"] > 0


def test_missing_and_infinite_values_are_left_out_and_counted() -> None:
    table = pa.table(
        {
            "userid": [1, 1, 1, 1, 1, 1, 2, None],
            "x": [1.0, 2.0, 3.0, None, math.inf, math.nan, None, 1.0],
            "y": [0, 1, 0, 1, 1, 1, 1, 1],
        }
    )
    models = PerGroup(LogisticRegression()).fit(table, by="userid", features=["x"], target="y")
    complete = PerGroup(LogisticRegression()).fit(table.slice(0, 3), by="userid", features=["x"], target="y")
    first, second = models.table.to_pylist()
    assert (first["n_rows"], first["n_missing"], first["status"]) == (6, 3, "fitted")
    assert first["coef_x"] == complete.table["coef_x"][0].as_py()
    assert (second["n_rows"], second["n_missing"], second["status"]) == (1, 1, "too_few_rows")
    assert models.rows_without_key_ == 1
    probabilities = models.predict_proba(pa.table({"userid": [1, 1, 3], "x": [2.0, None, 2.0]}))
    assert np.isnan(probabilities[:, 1]).tolist() == [False, True, True]


@pytest.mark.parametrize("form", ["table", "reader", "batches", "path", "paths", "relation"])
def test_data_in_any_form(form: str, tmp_path: Path) -> None:
    table = offers(30, 10)
    expected = PerGroup(LogisticRegression()).fit(table, **PARTS).table
    pq.write_table(table.slice(0, 100), tmp_path / "with a space.parquet")
    pq.write_table(table.slice(100), tmp_path / "rest.parquet")
    pq.write_table(table, tmp_path / "all.parquet")
    data = {
        "table": table,
        "reader": table.to_reader(),
        "batches": pa.Table.from_batches(table.to_batches(max_chunksize=7)),
        "path": str(tmp_path / "all.parquet"),
        "paths": [tmp_path / "with a space.parquet", tmp_path / "rest.parquet"],
        "relation": duckdb.sql(f"select * from '{tmp_path / 'all.parquet'}'"),
    }[form]
    assert PerGroup(LogisticRegression()).fit(data, **PARTS).table.equals(expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library: str) -> None:
    frames = pytest.importorskip(library)
    table = offers(10, 10)
    frame = frames.DataFrame(table.to_pydict())
    expected = PerGroup(LogisticRegression()).fit(table, **PARTS)
    found = PerGroup(LogisticRegression()).fit(frame, **PARTS)
    assert found.table.equals(expected.table)
    assert found.predict(frame).tolist() == expected.predict(table).tolist()


def test_how_rows_lie_and_the_number_of_threads_change_no_bit() -> None:
    table = offers(200, 30)
    expected = PerGroup(LogisticRegression(), threads=1).fit(table, **PARTS).table
    shuffled = table.take(np.random.default_rng(5).permutation(table.num_rows))
    assert PerGroup(LogisticRegression(), threads=4).fit(shuffled, **PARTS).table.equals(expected)
    # Rows in the order of the key are taken as they lie; sums are then in another order.
    in_order = PerGroup(LogisticRegression()).fit(table.sort_by("userid"), **PARTS).table
    for name in ("intercept", "coef_asktimes", "coef_askbackoffdays"):
        np.testing.assert_allclose(in_order[name].to_numpy(), expected[name].to_numpy(), rtol=1e-9)
    assert in_order.select(["userid", "n_rows", "status"]).equals(
        expected.select(["userid", "n_rows", "status"])
    )


def test_keys_are_those_of_the_data() -> None:
    table = pa.table(
        {
            "job": ["cook", "cook", "clerk", "clerk"],
            "city": [1, 1, 1, 1],
            "x": [1, 2, 1, 2],
            "y": ["no", "yes", "yes", "no"],
        }
    )
    models = PerGroup(LogisticRegression()).fit(table, by=["job", "city"], features=["x"], target="y")
    assert models.classes_ == ("no", "yes")
    assert models["cook", 1].coef_[0, 0] > 0 > models["clerk", 1].coef_[0, 0]
    assert models["cook", 1].classes_.tolist() == ["no", "yes"]
    assert models.predict(pa.table({"job": ["clerk", "cook"], "city": [1, 1], "x": [9, 9]})).tolist() == [
        "no",
        "yes",
    ]
    for strange in (("cook", 2), "cook", ("cook",), ("cook", 1, 1)):
        with pytest.raises(KeyError):
            models[strange]


def test_a_weight_of_two_is_the_row_twice() -> None:
    table = offers(30, 12)
    weighted = PerGroup(LogisticRegression()).fit(table, **PARTS, weight="weight").table
    index = np.repeat(np.arange(table.num_rows), table["weight"].to_numpy().astype(int))
    repeated = PerGroup(LogisticRegression()).fit(table.take(index), **PARTS).table
    for name in ("intercept", "coef_asktimes", "coef_askbackoffdays", "log_loss"):
        np.testing.assert_allclose(
            weighted[name].to_numpy(), repeated[name].to_numpy(), rtol=1e-9, atol=1e-12
        )


def test_score_is_the_accuracy_and_r_squared() -> None:
    from sklearn.metrics import accuracy_score, r2_score

    table = offers(20, 25)
    truth = table["bought_offer"].to_numpy()
    classifier = PerGroup(LogisticRegression()).fit(table, **PARTS)
    assert classifier.score(table) == pytest.approx(accuracy_score(truth, classifier.predict(table)))
    regression = PerGroup(Ridge()).fit(table, **PARTS, weight="weight")
    weight = table["weight"].to_numpy()
    assert regression.score(table) == pytest.approx(
        r2_score(truth, regression.predict(table), sample_weight=weight)
    )


def test_what_has_no_model_is_not_predicted_silently() -> None:
    table = offers(5, 20)
    models = PerGroup(LogisticRegression()).fit(table, **PARTS)
    stranger = pa.table({"userid": [1, 999], "asktimes": [1, 1], "askbackoffdays": [1, 1]})
    with pytest.raises(ValueError, match=r"1 of 2 rows can't be scored.*'userid': 999"):
        models.predict(stranger)
    regression = PerGroup(Ridge()).fit(table, **PARTS)
    assert np.isnan(regression.predict(stranger)).tolist() == [False, True]
    with pytest.raises(AttributeError, match="no classifier"):
        regression.predict_proba(stranger)


def test_an_empty_input_has_a_table_without_rows() -> None:
    nothing = offers(3, 3).slice(0, 0)
    models = PerGroup(LogisticRegression()).fit(nothing, **PARTS)
    assert models.table.num_rows == 0
    assert "coef_asktimes" in models.table.column_names
    assert np.isnan(models.predict_proba(offers(3, 3))).all()
    quality = PerGroup(LogisticRegression()).cross_validate(nothing, **PARTS)
    assert quality.table.num_rows == 0


@pytest.mark.parametrize(
    ("table", "parts", "says"),
    [
        (
            {"u": [1], "x": [1], "y": [1]},
            {"by": "who"},
            r"expected the columns who, x, y; found x, y without \['who'\]",
        ),
        ({"u": [1], "x": ["a"], "y": [1]}, {}, "expected numbers in 'x', found string"),
        ({"u": [1], "x": [1], "y": ["a"]}, {}, "holds one value only, 'a'; say which there are"),
        ({"u": [1], "x": [1], "y": [1], "w": [-1]}, {"weight": "w"}, "weights of 0 or more in 'w', found 1"),
        ({"u": [1], "x": [1], "y": [1]}, {"by": []}, "by= names no column"),
        ({"u": [1], "x": [1], "y": [1]}, {"by": ["u", "x"]}, "x has two of"),
        ({"u": [1], "x": [1], "y": [1]}, {"features": "x"}, "expected a list of features"),
        ({"u": [1], "x": [1], "y": [1], "status": [1]}, {"by": "status"}, "status"),
    ],
)
def test_wrong_use_is_reported(table: dict[str, list[Any]], parts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PerGroup(LogisticRegression()).fit(
            pa.table(table), **{"by": "u", "features": ["x"], "target": "y", **parts}
        )


def test_wrong_settings_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="prior None or 'global'"):
        PerGroup(LogisticRegression(), prior="local")
    with pytest.raises(ValueError, match="number above 0"):
        PerGroup(LogisticRegression(), prior="global", strength=-1)
    with pytest.raises(ValueError, match="a prior needs LogisticRegression"):
        PerGroup(GaussianNB(), prior="global")


def test_given_classes_hold() -> None:
    table = pa.table({"u": [1, 1, 2], "x": [1, 2, 3], "y": ["no", "no", "no"]})
    parts: dict[str, Any] = {"by": "u", "features": ["x"], "target": "y"}
    models = PerGroup(LogisticRegression(), classes=["no", "yes"]).fit(table, **parts)
    assert models.table["status"].to_pylist() == ["single_class"] * 2
    assert models.predict(table).tolist() == ["no"] * 3
    with pytest.raises(ValueError, match=r"found \['no'\] too"):
        PerGroup(LogisticRegression(), classes=["a", "b"]).fit(table, **parts)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(l1_ratio=1, solver="saga"),
        LogisticRegression(solver="liblinear"),
        Ridge(positive=True),
        LinearRegression(positive=True),
        DummyClassifier(strategy="most_frequent"),
        GaussianNB(),
    ],
    ids=str,
)
@pytest.mark.usefixtures("same_process")
def test_other_estimators_take_the_other_path(estimator: Any) -> None:
    with warnings.catch_warnings(action="ignore"):
        models = PerGroup(estimator).fit(offers(4, 25), **PARTS)
    assert models.path == "processes"
    assert set(models.table["status"].to_pylist()) == {"fitted"}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_three_classes_and_forests_go_through_processes() -> None:
    table = offers(6, 30)
    asks = table["asktimes"].to_numpy()
    kind = np.array(["few", "some", "many"])[np.digitize(asks, [3, 6])]
    table = table.append_column("kind", pa.array(kind))
    parts = {**PARTS, "target": "kind"}
    for estimator in (LogisticRegression(max_iter=1000), RandomForestClassifier(n_estimators=3)):
        models = PerGroup(estimator).fit(table, **parts)
        assert models.path == "processes"
        assert models.classes_ == ("few", "many", "some")
        assert models.predict_proba(table).shape == (table.num_rows, 3)
        assert models.score(table) > 0.9
        own = table.filter(pa.array(table["userid"].to_numpy() == 1))
        x = np.column_stack([own[name].to_numpy() for name in FEATURES]).astype(float)
        assert models[1].predict(x).tolist() == models.predict(own).tolist()
        assert set(models[1].classes_) <= set(models.classes_)
        with pytest.raises(ValueError, match="no formula"):
            models.to_sql()


@pytest.mark.usefixtures("same_process")
def test_a_regression_of_any_kind() -> None:
    table = offers(5, 25)
    models = PerGroup(KNeighborsRegressor(n_neighbors=1)).fit(table, **PARTS)
    assert models.path == "processes"
    assert models.predict(table).shape == (table.num_rows,)
    quality = PerGroup(KNeighborsRegressor()).cross_validate(table, **PARTS, k=3)
    assert quality.table.num_rows == 5
    assert quality.overall["n_rows"] == table.num_rows


@pytest.mark.usefixtures("same_process")
@pytest.mark.parametrize("labels", [(0, 1), ("no", "yes"), (False, True)])
@pytest.mark.parametrize("estimator", [LogisticRegression(), GaussianNB()], ids=str)
def test_a_missing_target_is_left_out_and_counted(estimator: Any, labels: tuple[Any, Any]) -> None:
    no, yes = labels
    rows = pa.table({"g": [1] * 5, "x": [1.0, 2.0, 3.0, 4.0, 9.0], "y": [no, yes, no, yes, None]})
    parts: dict[str, Any] = {"by": "g", "features": ["x"], "target": "y"}
    models = PerGroup(estimator).fit(rows, **parts)
    assert models.table.select(["n_rows", "n_missing", "status"]).to_pylist() == [
        {"n_rows": 5, "n_missing": 1, "status": "fitted"}
    ]
    assert models.classes_ == labels
    complete = PerGroup(estimator).fit(rows.slice(0, 4), **parts)
    assert models.score(rows) == complete.score(rows.slice(0, 4))


@pytest.mark.usefixtures("same_process")
@pytest.mark.parametrize("estimator", [LinearRegression(), KNeighborsRegressor(n_neighbors=1)], ids=str)
def test_a_target_that_never_varies_is_scored_as_by_scikit_learn(estimator: Any) -> None:
    rows = pa.table({"g": [1] * 4 + [2] * 4, "x": [1.0, 2.0, 4.0, 8.0] * 2, "y": [3.0] * 4 + [5.0] * 4})
    models = PerGroup(estimator).fit(rows, by="g", features=["x"], target="y")
    same, other = rows.slice(0, 4), rows.slice(0, 4).set_column(2, "y", [[7.0] * 4])
    for asked, expected in ((rows, 1.0), (same, 1.0), (other, 0.0)):
        assert models.score(asked) == r2_score(asked["y"].to_numpy(), models.predict(asked)) == expected
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert math.isnan(models.score(rows.slice(0, 1)))


def test_names_that_kernels_use_themselves() -> None:
    table = offers(6, 30)
    expected = PerGroup(LogisticRegression()).fit(table, **PARTS, weight="weight").table
    for name in ("_target", "_weight", "_fold", "_label", "_key_0"):
        renamed = table.rename_columns({"asktimes": name})
        with pytest.raises(ValueError, match=f"a feature can't be called {name}"):
            PerGroup(LogisticRegression()).fit(
                renamed, by="userid", features=[name, "askbackoffdays"], target="bought_offer"
            )
    for key in ("target", "weight_", "prediction", "fold", "_target", "_key_1", "it's", 'a "key"'):
        renamed = table.rename_columns({"userid": key})
        models = PerGroup(LogisticRegression()).fit(renamed, **{**PARTS, "by": key}, weight="weight")
        assert models.table.column_names[0] == key
        assert models.table.drop_columns(key).equals(expected.drop_columns("userid"))
        quality = PerGroup(LogisticRegression()).cross_validate(renamed, **{**PARTS, "by": key})
        assert quality.table.column_names[:2] == [key, "n_rows"]
    with pytest.raises(ValueError, match="columns of its own called auc"):
        PerGroup(LogisticRegression()).fit(table.rename_columns({"userid": "auc"}), **{**PARTS, "by": "auc"})


def test_keys_of_floating_point() -> None:
    rows = pa.table({"g": [2.0, math.nan, 1.0, 2.0, -0.0, 0.0], "x": [1.0] * 6, "y": [0, 1, 1, 1, 0, 1]})
    models = PerGroup(LogisticRegression()).fit(rows, by="g", features=["x"], target="y")
    assert models.table.select(["g", "n_rows"]).to_pylist() == [
        {"g": 0.0, "n_rows": 2},
        {"g": 1.0, "n_rows": 1},
        {"g": 2.0, "n_rows": 2},
    ]
    assert models.rows_without_key_ == 1
    scored = models.predict_proba(pa.table({"g": [-0.0, 0.0, math.nan], "x": [1.0] * 3}))[:, 1]
    assert scored[0] == scored[1] and np.isnan(scored[2])


def test_keys_that_no_model_has() -> None:
    rows = pa.table({"g": pa.array([1, 1, 2], pa.int8()), "x": [1.0, 2.0, 1.0], "y": [0, 1, 1]})
    models = PerGroup(LogisticRegression()).fit(rows, by="g", features=["x"], target="y")
    for strange in ("zzz", (1, 2), [1], 1000, None, 1.5):
        with pytest.raises(KeyError):
            models[strange]
    for keys in ([1000, 1], [1.5, 1.0], ["a", "1"]):
        scored = models.predict_proba(pa.table({"g": keys, "x": [1.0, 1.0]}))[:, 1]
        assert np.isnan(scored).tolist() == [True, False]
    with pytest.raises(ValueError, match="keys that can be ordered"):
        lists = pa.table({"g": [[1], [2]], "x": [1.0, 2.0], "y": [0, 1]})
        PerGroup(LogisticRegression()).fit(lists, by="g", features=["x"], target="y")


def test_it_is_a_scikit_learn_estimator() -> None:
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    models = clone(PerGroup(LogisticRegression(C=2), min_rows=3))
    assert models.get_params()["min_rows"] == 3
    for use in (lambda: models.table, lambda: models[1], lambda: models.predict(offers(2, 2)), models.to_sql):
        with pytest.raises(NotFittedError):
            use()
    models.fit(offers(5, 10), **PARTS)
    before = models.table
    with pytest.raises(ValueError, match="found"):
        models.fit(offers(2, 2), by="who", features=["x"], target="y")
    assert models.table.equals(before) and models.features_ == tuple(FEATURES)
    with pytest.raises(AttributeError, match="use table"):
        _ = models.rows
    with pytest.raises(ValueError, match="no row to score"):
        models.score(offers(5, 10).slice(0, 0))


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (LogisticRegression(class_weight="blah"), "class_weight None, 'balanced'"),
        (LogisticRegression(class_weight={7: 2}), r"class_weight names \[7\]"),
        (LogisticRegression(C=0), "C above 0, found 0"),
    ],
)
def test_settings_of_the_estimator_that_mean_nothing(estimator: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PerGroup(estimator).fit(offers(3, 10), **PARTS)


def test_files_that_are_not_there_or_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "offers.csv").write_text("userid,asktimes\n1,2\n")
    for path in (tmp_path / "none.parquet", tmp_path / "offers.csv"):
        with pytest.raises(EngineFailed, match="expected Parquet files that can be read"):
            PerGroup(LogisticRegression()).fit(path, **PARTS)
    wrong: list[Any] = [{"userid": [1]}, [], 5]
    for strange in wrong:
        with pytest.raises(TypeError, match="expected an Arrow stream, or paths"):
            PerGroup(LogisticRegression()).fit(strange, **PARTS)
