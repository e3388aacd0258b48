from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from slow_fit import coefficients, groups_of, models_of, table_of

from backbone.analysis.groups import Groups, chunks
from backbone.analysis.kernels.class_rate import ClassRateKernel
from backbone.analysis.kernels.folds import LinearKernel, OutOfFoldKernel, fold_of
from backbone.analysis.kernels.least_squares import LeastSquaresKernel
from backbone.analysis.kernels.logistic import LogisticKernel
from backbone.analysis.kernels.prior import Prior
from backbone.testing import check_kernel

COLUMNS = ("x0", "x1", "y", "w")


def drawn(seed: int, rows: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (rows, 2)).astype(np.float64)
    return x, rng.integers(0, 2, rows).astype(np.float64), rng.integers(1, 3, rows).astype(np.float64)


def table(groups: int = 60) -> pa.Table:
    return table_of([drawn(seed, 1 + 7 * seed % 50) for seed in range(groups)])


def folds_by_row(rows: pa.Table, by: list[str], k: int = 5) -> list[tuple[Any, ...]]:
    """Every row with its fold, sorted."""
    (groups,) = chunks(rows.combine_chunks().to_batches(), by, chunk_bytes=1 << 62)
    fold = fold_of(groups, COLUMNS, k).tolist()
    names = [*by, *COLUMNS]
    return sorted((*(rows[name][i].as_py() for name in names), fold[i]) for i in range(rows.num_rows))


def test_folds_do_not_depend_on_the_order_of_rows_or_groups() -> None:
    rows = table()
    expected = folds_by_row(rows, ["key"])
    order = np.random.default_rng(0).permutation(rows.num_rows)
    other = rows.take(pa.array(order)).sort_by([("key", "descending")])
    assert folds_by_row(other, ["key"]) == expected
    alone = [
        row for key in range(60) for row in folds_by_row(rows.filter(pa.compute.field("key") == key), ["key"])
    ]
    assert sorted(alone) == expected


def test_equal_rows_go_to_different_folds() -> None:
    rows = table_of([(np.ones((50, 2)), np.ones(50), np.ones(50))])
    assert len(set(fold_of(groups_of(rows), COLUMNS, 5).tolist())) == 5


@pytest.mark.parametrize("k", [2, 5, 10, 127])
def test_folds_are_of_about_equal_size(k: int) -> None:
    rng = np.random.default_rng(0)
    n = 60_000
    key = pa.array(np.repeat(np.arange(n // 20), 20))
    (groups,) = chunks([pa.record_batch({"key": key, "x": rng.integers(0, 3, n) * 1.0})], by=["key"])
    counts = np.bincount(fold_of(groups, ["x"], k), minlength=k)
    assert len(counts) == k
    assert ((counts - n / k) ** 2 / (n / k)).sum() < k + 5 * np.sqrt(2 * k)  # chi-squared
    first = fold_of(groups, ["x"], k)[::20]
    assert np.bincount(first, minlength=k).max() < 3 * len(first) / k + 20  # nor the same for every group


def test_zeros_are_equal_and_so_are_missing_values() -> None:
    def folds(*values: float) -> list[int]:
        (groups,) = chunks([pa.record_batch({"key": ["a"] * len(values), "x": values})], by=["key"])
        found: list[int] = fold_of(groups, ["x"], 100).tolist()
        return found

    other_nan = np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64)[0]
    assert folds(0.0) == folds(-0.0)
    assert folds(float("nan")) == folds(other_nan) == folds(-float("nan"))
    assert len({folds(v)[0] for v in (0.0, float("nan"), 1.0, 2.0, float("inf"), -float("inf"))}) == 6


def test_keys_of_any_kind_count() -> None:
    keys = {
        "none": pa.array([None, None, "a"]),
        "texts": pa.array(["ab", "a", "ä"]),
        "dates": pa.array([1, 2, 3], pa.date32()),
        "sliced": pa.array(["zz", "a", "b", "c"]).slice(1),
        "dictionary": pa.array(["u", "v", "u"]).dictionary_encode(),
        "booleans": pa.array([True, False, None]),
        "numbers": pa.array([1, 2, 3], pa.int32()),
    }
    for values in keys.values():
        batch = pa.record_batch({"key": values, "x": np.zeros(3)})
        groups = Groups(batch.select(["key"]), np.arange(4), {"x": np.zeros(3)})
        distinct = len(set(values.to_pylist()))
        assert len(set(fold_of(groups, ["x"], 127).tolist())) == distinct
    pair = [
        Groups(pa.record_batch({"a": [a], "b": [b]}), np.array([0, 1]), {"x": np.zeros(1)})
        for a, b in (("a", "bc"), ("ab", "c"))
    ]
    assert fold_of(pair[0], ["x"], 127).tolist() != fold_of(pair[1], ["x"], 127).tolist()


def test_folds_are_the_same_in_another_process_and_for_ever() -> None:
    code = """
import numpy as np, pyarrow as pa
from backbone.analysis.groups import Groups
from backbone.analysis.kernels.folds import fold_of
keys = pa.record_batch({"user": ["é", None], "day": [7, 8]})
x = np.array([1.5, 1.5, 2.0, np.nan, 0.0, 0.0])
print(fold_of(Groups(keys, np.array([0, 4, 6]), {"x": x}), ["x"], 7).tolist())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[0, 1, 3, 5, 2, 2]"


@pytest.mark.parametrize("k", [-1, 1, 128])
def test_a_number_of_folds_out_of_its_range_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="2 to 127"):
        fold_of(groups_of(table(2)), COLUMNS, k)


KERNELS: dict[str, LinearKernel] = {
    "logistic": LogisticKernel(("x0", "x1"), "y", "w"),
    "least squares": LeastSquaresKernel(("x0", "x1"), "y", "w"),
    "class rate": ClassRateKernel("y", "w"),
    "no weight": LogisticKernel(("x0",), "y"),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_prediction_is_that_of_a_model_without_the_fold(name: str) -> None:
    kernel = KERNELS[name]
    k = 3
    rows = table(20)
    groups = groups_of(rows)
    found = OutOfFoldKernel((kernel,) * k, k)(groups)
    fold = np.array(found.column("fold"))
    prediction = np.array(found.column("prediction"))
    weight = groups.values["w"] if kernel.weight else np.ones(rows.num_rows)
    assert found.column("weight").to_pylist() == weight.tolist()
    assert found.column("target").to_pylist() == groups.values["y"].tolist()
    assert found.column("key").to_pylist() == rows["key"].to_pylist()
    for f in range(k):
        for g in range(len(groups)):
            mine = np.arange(groups.offsets[g], groups.offsets[g + 1])
            train, test = mine[fold[mine] != f], mine[fold[mine] == f]
            if len(train) == 0 or len(test) == 0:
                continue
            x = np.column_stack([groups.values["x0"], groups.values["x1"]])
            (model,) = models_of(kernel, [(x[train], groups.values["y"][train], groups.values["w"][train])])
            score = model["intercept"] + x[test][:, : len(kernel.features)] @ coefficients(model)
            expected = score if name == "least squares" else 1 / (1 + np.exp(-score))
            assert prediction[test] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_kernels_may_differ_by_fold() -> None:
    def with_prior(intercept: float) -> LogisticKernel:
        strong = Prior(intercept, [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], 1e12)
        return LogisticKernel(("x0", "x1"), "y", "w", prior=strong)

    found = OutOfFoldKernel((with_prior(-1.0), with_prior(2.0)), 2)(groups_of(table(9)))
    prediction, fold = np.array(found.column("prediction")), np.array(found.column("fold"))
    assert prediction[fold == 0] == pytest.approx(1 / (1 + np.exp(1.0)))
    assert prediction[fold == 1] == pytest.approx(1 / (1 + np.exp(-2.0)))
    with pytest.raises(ValueError, match="one kernel for each"):
        OutOfFoldKernel((with_prior(0.0),), 2)


def test_a_row_with_a_missing_value_has_no_prediction() -> None:
    x, y, w = drawn(1, 30)
    x[3, 0] = y[4] = w[5] = np.nan
    rows = table_of([(x, y, w), (np.ones((1, 2)), [1.0], [1.0])])
    for kernel in KERNELS.values():
        found = OutOfFoldKernel((kernel,) * 2, 2)(groups_of(rows))
        prediction = np.array(found.column("prediction"))
        missing = {4} | ({5} if kernel.weight else set()) | ({3} if kernel.features else set())
        # A lone row has nothing to be fitted on: half a chance, but no number.
        missing |= {30} if isinstance(kernel, LeastSquaresKernel) else set()
        assert set(np.flatnonzero(np.isnan(prediction)).tolist()) == missing


def test_the_laws_of_kernels() -> None:
    for name in ("logistic", "least squares"):
        check_kernel(OutOfFoldKernel((KERNELS[name],) * 4, 4), table(30), by=["key"])


def test_a_plain_version_gives_the_same_folds() -> None:
    everything = 2**64 - 1

    def mixed(h: int) -> int:
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & everything
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & everything
        return h ^ (h >> 31)

    step = 0x9E3779B97F4A7C15
    rows = table(12)
    groups = groups_of(rows)
    expected = []
    for g in range(len(groups)):
        key = 0xCBF29CE484222325
        for octet in str(groups.keys.column("key")[g]).encode():
            key = ((key ^ octet) * 0x100000001B3) & everything
        key = mixed((key + step) & everything)
        seen: Counter[int] = Counter()
        for i in range(groups.offsets[g], groups.offsets[g + 1]):
            h = key
            for name in COLUMNS:
                value = groups.values[name][i]
                bits = int(np.array(value).view(np.uint64)) if value != 0 else 0
                h = mixed(((h ^ bits) + step) & everything)
            seen[h] += 1
            expected.append(((mixed((h + step * seen[h]) & everything) >> 32) * 7) >> 32)
    assert fold_of(groups, COLUMNS, 7).tolist() == expected


def test_no_groups_have_no_folds() -> None:
    keys = pa.record_batch({"key": pa.array([], pa.string())})
    assert fold_of(Groups(keys, np.zeros(1, np.int64), {"x": np.zeros(0)}), ["x"], 3).tolist() == []
