from __future__ import annotations

import importlib
import json
import pickle
import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer

from backbone.analysis.skops_archive import canonical
from backbone.analysis.stored_estimator import COMPILED_TYPES, PYTHON_TYPES, dump_estimator, load_estimator
from backbone.errors import StepFailed

X = np.random.default_rng(1).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(np.int64)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        GaussianProcessRegressor(kernel=RBF(), optimizer=None),
        make_pipeline(KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), Ridge()),
        GridSearchCV(Ridge(), {"alpha": [1, 2]}),
        MLPRegressor(hidden_layer_sizes=(3,), solver="sgd", max_iter=500, tol=0.1),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_python_holds_is_read_back(estimator: Any) -> None:
    data = dump_estimator(estimator.fit(X, Y))
    read = load_estimator(data)
    assert read.predict(X).tolist() == estimator.predict(X).tolist()
    assert dump_estimator(read) == data


@pytest.mark.parametrize("name", [*PYTHON_TYPES, *COMPILED_TYPES])
def test_a_listed_type_exists(name: str) -> None:
    module, _, own = name.rpartition(".")
    assert isinstance(getattr(importlib.import_module(module), own), type)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        KNeighborsRegressor(algorithm="kd_tree"),
        KNeighborsRegressor(algorithm="ball_tree", metric="manhattan"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_compiled_trees_need_a_word(estimator: Any) -> None:
    data = dump_estimator(estimator.fit(X, Y))
    with pytest.raises(StepFailed, match=r"safe to load, found sklearn\.") as failure:
        load_estimator(data)
    assert failure.value.next_step.startswith(
        "if you know who wrote the bytes, load_estimator(data, trusted=['"
    )
    assert load_estimator(data, COMPILED_TYPES).predict(X).tolist() == estimator.predict(X).tolist()


class Own(BaseEstimator):  # type: ignore[misc]
    def fit(self, x: Any, y: Any) -> Own:
        self.raw_ = b"\x00" * 9
        return self


def test_an_own_class_is_named_and_can_be_trusted() -> None:
    data = dump_estimator(Own().fit(X, Y))
    name = f"{Own.__module__}.Own"
    with pytest.raises(StepFailed, match=r"found .*Own") as failure:
        load_estimator(data)
    assert f"trusted=['{name}']" in failure.value.next_step
    assert load_estimator(data, [name]).raw_ == b"\x00" * 9
    assert data == dump_estimator(Own().fit(X, Y))  # skops names a file of bytes at random


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "something else"),
        (b"hello", "something else"),
        (pickle.dumps({"a": 1}), "something else"),
        (skops.io.dumps(FunctionTransformer(json.loads)), "json"),
        (skops.io.dumps({"a": 1}), "expected an estimator, found dict"),
        (dump_estimator(LogisticRegression())[:300], "something else"),
    ],
)
def test_anything_else_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(StepFailed, match=message) as failure:
        load_estimator(payload)
    assert failure.value.where == "a stored estimator"
    assert failure.value.state == "It was not used."


def test_nothing_is_imported_before_the_check(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harm.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with zipfile.ZipFile(BytesIO(dump_estimator(LogisticRegression().fit(X, Y)))) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["schema.json"] = contents["schema.json"].replace(b"sklearn.linear_model._logistic", b"harm")
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with pytest.raises(StepFailed, match=r"found harm\.LogisticRegression"):
        load_estimator(target.getvalue())


def test_a_canonical_archive_stays_as_it_is() -> None:
    data = skops.io.dumps({"a": X, "b": [X, b"bytes"]})
    once = canonical(data)
    assert canonical(once) == once
    read = skops.io.loads(once)
    assert read["a"] is read["b"][0]
    assert read["a"].tolist() == X.tolist()
