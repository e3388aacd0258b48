"""Data that no model can be made of, or that looks like something else, is told and not fitted silently."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from backbone import PerGroup
from backbone.engines import own_engine
from backbone.engines.duckdb.packing.packed_rows import PackedRows
from backbone.engines.protocol import Engine
from function_task import FunctionTask

PARTS: dict[str, Any] = {"by": "k", "features": ["x", "z"], "target": "y"}


def _rows(seed: int = 0, rows: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, rows))
    return {"k": rng.integers(0, 20, rows), "x": x, "z": z, "y": (x + rng.normal(size=rows) > 0) * 1}


@pytest.mark.parametrize("strength", ["cv", 1.0])
@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge()])
def test_groups_are_not_pulled_towards_a_model_that_did_not_converge(
    estimator: object, strength: float | str
) -> None:
    rows = _rows()
    rows["x"][0] = 1e160
    with pytest.raises(ValueError, match=r"model of all rows.* did not converge"):
        PerGroup(estimator, prior="global", strength=strength).fit(pa.table(rows), **PARTS)


def test_separable_rows_without_a_penalty_are_no_model_to_be_pulled_towards() -> None:
    rows = _rows()
    rows["y"] = (rows["x"] > 0) * 1
    with pytest.raises(ValueError, match="did not converge"):
        PerGroup(LogisticRegression(C=np.inf), prior="global", strength=1.0).fit(pa.table(rows), **PARTS)


@pytest.mark.parametrize("rows", [5, 9_000])  # of one block, and of several
@pytest.mark.parametrize("size", [1e-170, 1e160])
def test_columns_whose_squares_are_out_of_range_have_no_fitted_model(size: float, rows: int) -> None:
    x = np.arange(float(rows)) * size
    table = pa.table({"k": [1] * rows, "x": x, "z": np.arange(rows) % 2, "y": np.arange(rows)})
    assert PerGroup(LinearRegression()).fit(table, **PARTS).table["status"].to_pylist() == ["not_converged"]


@pytest.mark.parametrize("rows", [5, 9_000])
def test_constant_columns_are_no_such(rows: int) -> None:
    x = np.full(rows, 0.1)
    table = pa.table({"k": [1] * rows, "x": x, "z": np.arange(rows) % 2, "y": np.arange(rows) % 3})
    models = PerGroup(LinearRegression()).fit(table, **PARTS).table
    assert models["status"].to_pylist() == ["fitted"]
    assert models["coef_x"].to_pylist() == [0.0]


@pytest.mark.parametrize("key", ["Intercept", "STATUS", "Coef_x", "Mean_x"])
def test_a_key_that_sql_takes_for_a_column_of_the_models_is_refused(key: str) -> None:
    rows = _rows()
    rows[key] = rows.pop("k")
    with pytest.raises(ValueError, match="rename the key"):
        PerGroup(LogisticRegression()).fit(pa.table(rows), **(PARTS | {"by": key}))


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["Age", "age"], "differ by more than upper and lower case.* found 'Age' and 'age'; rename one"),
        (["age"], "expected the column 'age', found 'Age', .* rename one where the data has both"),
        (["AGE"], "expected the column 'AGE', found 'Age', .* write 'Age'"),
        (["Age", "K"], "found 'k' and 'K'"),
        (["height"], r"expected the columns k, height, y; found .* without \['height'\]"),
    ],
)
def test_names_that_differ_in_case_alone(
    tmp_path: Path, as_file: bool, features: list[str], message: str
) -> None:
    rows = _rows()
    data: Any = pa.table({"k": rows["k"], "Age": rows["x"], "age": rows["z"], "y": rows["y"]})
    if as_file:
        pq.write_table(data, tmp_path / "rows.parquet")
        data = tmp_path / "rows.parquet"
    with pytest.raises(ValueError, match=message):
        PerGroup(LogisticRegression()).fit(data, by="k", features=features, target="y")
    first = PerGroup(LogisticRegression()).fit(data, by="k", features=["Age"], target="y").table
    plain = pa.table({"k": rows["k"], "Age": rows["x"], "y": rows["y"]})
    assert first.equals(PerGroup(LogisticRegression()).fit(plain, by="k", features=["Age"], target="y").table)


@pytest.mark.usefixtures("same_process")
@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge(), DecisionTreeClassifier()], ids=str)
@pytest.mark.parametrize(
    ("column", "kind"),
    [(["1"], "string"), ([date(2026, 1, 1)], r"date32\[day\]"), ([[1.0]], "list<.*: double>")],
)
def test_features_that_are_no_numbers_are_reported_by_name_and_type(
    estimator: Any, column: list[Any], kind: str
) -> None:
    rows = pa.table(_rows())
    models = PerGroup(estimator).fit(rows, **PARTS)
    odd = rows.set_column(rows.column_names.index("z"), "z", pa.array(column * rows.num_rows))
    calls = [models.predict, models.score, lambda data: models.fit(data, **PARTS)]
    for call in [*calls, *([] if models.classes_ is None else [models.predict_proba])]:
        with pytest.raises(ValueError, match=rf"expected numbers in 'z', found {kind}; make it"):
            call(odd)


def test_features_of_which_nothing_is_known_are_missing() -> None:
    rows = pa.table(_rows())
    models = PerGroup(LogisticRegression()).fit(rows, **PARTS)
    empty = rows.set_column(rows.column_names.index("z"), "z", pa.nulls(rows.num_rows))
    assert np.isnan(models.predict_proba(empty)).all()


@pytest.mark.parametrize(
    ("labels", "others", "kind"), [([0, 1], ["no", "yes"], "string"), (["no", "yes"], [0, 1], "int64")]
)
def test_a_target_that_is_no_label_of_the_fit(labels: list[Any], others: list[Any], kind: str) -> None:
    rows = pa.table(_rows()).drop_columns("y")
    models = PerGroup(LogisticRegression()).fit(rows.append_column("y", [labels * 200]), **PARTS)
    with pytest.raises(ValueError, match=f"expected 'y' to hold labels such as .*, found {kind}; make them"):
        models.score(rows.append_column("y", [others * 200]))


def test_an_infinite_target_is_missing() -> None:
    rows = _rows()
    rows["y"] = rows["y"].astype(float)
    rows["y"][:2] = [np.inf, np.nan]
    models = PerGroup(LogisticRegression()).fit(pa.table(rows), **PARTS)
    assert models.path == "kernel"
    assert sum(models.table["n_missing"].to_pylist()) == 2


def test_classes_that_are_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="expected different classes"):
        PerGroup(LogisticRegression(), classes=[1, 1]).fit(pa.table(_rows()), **PARTS)


def test_a_feature_that_is_called_as_parameters_are() -> None:
    rows = _rows()
    rows["$class_0"] = rows.pop("z")
    found = PerGroup(LogisticRegression()).fit(pa.table(rows), by="k", features=["x", "$class_0"], target="y")
    expected = PerGroup(LogisticRegression()).fit(pa.table(_rows()), **PARTS)
    assert found.table["coef_$class_0"] == expected.table["coef_z"]


@pytest.fixture(name="engine")
def _engine() -> Iterator[Engine]:
    with own_engine("200MB", 2) as engine:
        yield engine


@pytest.mark.parametrize("target", [pa.int64(), pa.bool_()])
@pytest.mark.parametrize(("most", "n"), [(5, 400), (150, 2_000)])  # too few to be packed; several ranges
def test_how_much_is_sorted_at_a_time_changes_no_bit(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, target: pa.DataType, most: int, n: int
) -> None:
    rng = np.random.default_rng(3)
    columns = {"k": rng.integers(0, 40, n), "x": rng.integers(0, 9, n), "z": rng.integers(-4, 4, n)}
    table = pa.table(columns | {"y": pa.array(rng.integers(0, 2, n)).cast(target)})
    at_once = PerGroup(LogisticRegression()).fit(table, **PARTS).table
    monkeypatch.setattr(PackedRows, "_most", most)
    monkeypatch.setattr("backbone.engines.duckdb.engine.FEWEST_PACKED", 0)
    assert PerGroup(LogisticRegression()).fit(table, **PARTS).table.equals(at_once)
    t = engine.put(table)
    assert engine.are_distinct(f"select * from {t}") == (
        len({*zip(*table.to_pydict().values(), strict=True)}) == n
    )
    assert engine.are_distinct(f"select distinct * from {t}")


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()])
def test_rows_without_a_key_are_refused(engine: Engine, kind: pa.DataType) -> None:
    t = engine.put(pa.table({"k": [2, None, 1], "x": pa.array([1, 2, 3], kind)}))
    with pytest.raises(ValueError, match=r"expected no null .*\['k'\]"):
        engine.map_groups(f"select * from {t}", FunctionTask(["k"], {"x": "x"}))
