from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from slow_fit import groups_of, table_of

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.least_squares import LeastSquaresKernel
from backbone.analysis.kernels.linear_form import linear_scores
from backbone.analysis.kernels.logistic import LogisticKernel


def test_scores_are_intercept_and_coefficients_times_features() -> None:
    rng = np.random.default_rng(0)
    groups = groups_of(table_of([(rng.normal(size=(n, 3)), rng.integers(0, 2, n)) for n in (5, 1, 9)]))
    features = ["x2", "x0"]
    models = pa.record_batch(
        {"intercept": [1.0, 2.0, 3.0], "coef_x0": [1.0, 0.0, -1.0], "coef_x2": [0.5, 2.0, 0.0]}
    )
    found = linear_scores(groups, models, features)
    group = np.repeat(np.arange(3), [5, 1, 9])
    expected = models.column("intercept").to_numpy()[group].copy()
    for name in features:
        expected += models.column(f"coef_{name}").to_numpy()[group] * groups.values[name]
    assert found == pytest.approx(expected)


def test_a_row_that_lacks_a_feature_or_a_model_has_no_score() -> None:
    groups = groups_of(
        table_of([(np.array([[1.0], [np.nan], [np.inf]]), [0.0] * 3), (np.ones((1, 1)), [0.0])])
    )
    models = pa.record_batch({"intercept": pa.array([1.0, None]), "coef_x0": pa.array([0.0, None])})
    assert np.isnan(linear_scores(groups, models, ["x0"])).tolist() == [False, True, True, True]
    assert linear_scores(groups, models.set_column(0, "intercept", pa.array([1.0, 2.0])), [])[3] == 2.0


@pytest.mark.parametrize(
    "kernel", [LogisticKernel(("x0",), "y", scale=True), LeastSquaresKernel(("x0",), "y", center=True)]
)
def test_columns_have_the_types_of_the_schema(kernel: LogisticKernel | LeastSquaresKernel) -> None:
    groups = groups_of(table_of([(np.ones((3, 1)), [0.0, 1.0, 0.0]), (np.ones((1, 1)), [np.nan])]))
    found = kernel(groups)
    assert found.schema.equals(kernel.schema(groups.keys.schema))
    assert found.column("mean_x0").to_pylist() == [1.0, None]
    assert found.column("n_missing").to_pylist() == [0, 1]


def test_no_groups_and_no_keys() -> None:
    kernel = LogisticKernel(("x0",), "y")
    empty = Groups(
        pa.record_batch({"key": pa.array([], pa.int64())}),
        np.zeros(1, np.int64),
        {"x0": np.zeros(0), "y": np.zeros(0)},
    )
    assert kernel(empty).num_rows == 0
    all_rows = Groups(
        pa.RecordBatch.from_struct_array(pa.array([{}], type=pa.struct([]))),
        np.array([0, 4]),
        {"x0": np.arange(4.0), "y": np.array([0.0, 1, 0, 1])},
    )
    assert kernel(all_rows).column("status").to_pylist() == ["fitted"]


def test_columns_of_any_numbers_are_taken() -> None:
    rows: dict[str, Any] = {"x0": np.array([1, 2, 3, 4], np.int32), "y": np.array([0, 1, 0, 1], np.int8)}
    keys = pa.record_batch({"key": [1]})
    kernel = LogisticKernel(("x0",), "y")
    found = [
        kernel(Groups(keys, np.array([0, 4]), values)).to_pylist()
        for values in (rows, {name: values.astype(np.float64)[::1] for name, values in rows.items()})
    ]
    assert found[0] == found[1]
