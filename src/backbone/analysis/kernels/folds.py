"""Cross-validation inside each group: the fold of each row, and what a model fitted without it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.class_rate import ClassRateKernel
from backbone.analysis.kernels.compiled import Floats, compiled
from backbone.analysis.kernels.exponential import exp
from backbone.analysis.kernels.least_squares import LeastSquaresKernel
from backbone.analysis.kernels.linear_form import linear_scores
from backbone.analysis.kernels.logistic import LogisticKernel
from backbone.analysis.kernels.memory import Memory, integers, octets, vector

LinearKernel = LogisticKernel | LeastSquaresKernel | ClassRateKernel

_NULL = np.uint64(0x6E756C6C)  # what a null in a key counts as
_MISSING = np.uint64(0x4E614E)  # and every NaN
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FNV_START, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


def fold_of(groups: Groups, columns: Sequence[str], k: int) -> npt.NDArray[np.int8]:
    """The fold of each row: a hash of its group's key, of its values and of how many equal rows came before.

    So it is the same whatever the order of the rows (equal rows may swap places), the other groups, the
    chunks, the process and the platform.

    Parameters
    ----------
    columns : the value columns that count, in this order; -0.0 is 0.0, and all NaN are equal.
    k : how many folds, from 2 to 127.

    Returns
    -------
    shape (rows,); from 0 to before k, of about equal size.

    Raises
    ------
    ValueError
        When k is out of its range.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": ["a"] * 6, "x": [1.0, 2, 3, 4, 4, 4]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> fold_of(groups, ["x"], 3).tolist()
    [2, 2, 0, 1, 1, 2]

    References
    ----------
    Key: FNV-1a. Rows: the mixing function of SplitMix64 (Steele, Lea and Flood, 2014).
    """
    if not 2 <= k <= 127:
        raise ValueError(f"expected a number of folds from 2 to 127, found {k}")
    hashes = np.full(len(groups), _FNV_START, dtype=np.uint64)
    for values in groups.keys.columns:
        text = values.cast(pa.large_string())
        nulls = text.is_null().to_numpy(zero_copy_only=False)
        _, ends, data = text.buffers()
        _hash_keys(ends.address + 8 * text.offset, 0 if data is None else data.address, nulls, hashes)
    memory = Memory()
    addresses = np.array([memory.numbers(groups.values[name]) for name in columns], dtype=np.int64)
    folds = np.empty(int(groups.offsets[-1]), dtype=np.int8)
    offsets, largest = memory.integers(groups.offsets), int(np.diff(groups.offsets).max(initial=1))
    _hash_rows(offsets, hashes, memory.of(addresses), len(addresses), largest, k, folds)
    return folds


@compiled
def _mixed(h: np.uint64) -> np.uint64:
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@compiled
def _hash_keys(ends: int, data: int, nulls: npt.NDArray[np.bool_], hashes: npt.NDArray[np.uint64]) -> None:
    """Take one column of the keys, as texts, into the hashes of the groups."""
    groups = len(hashes)
    stops = integers(ends, groups + 1)
    text = octets(data, stops[groups])
    for g in range(groups):
        h = hashes[g]
        if nulls[g]:
            h = (h ^ _NULL) * _FNV_PRIME
        else:
            for i in range(stops[g], stops[g + 1]):
                h = (h ^ np.uint64(text[i])) * _FNV_PRIME
        hashes[g] = _mixed(h + _STEP)  # so that ("a", "bc") is not ("ab", "c")


@compiled
def _hash_rows(
    offsets: int,
    keys: npt.NDArray[np.uint64],
    columns: int,
    d: int,
    largest: int,
    k: int,
    folds: npt.NDArray[np.int8],
) -> None:
    groups = len(keys)
    ends, addresses = integers(offsets, groups + 1), integers(columns, d)
    size = 16
    while size < largest + largest // 2:
        size *= 2
    seen, count = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int32)
    for g in range(groups):
        start, stop = ends[g], ends[g + 1]
        room = 16  # for the hashes of this group
        while room < (stop - start) + (stop - start) // 2:
            room *= 2
        count[:room] = 0
        for i in range(start, stop):
            h = keys[g]
            for j in range(d):
                h = _mixed((h ^ _bits(addresses[j], i)) + _STEP)
            place = np.int64(h & np.uint64(room - 1))
            while count[place] > 0 and seen[place] != h:
                place = (place + 1) & (room - 1)
            seen[place] = h
            h = _mixed(h + _STEP * np.uint64(count[place] + 1))
            count[place] += 1
            folds[i] = np.int8(((h >> np.uint64(32)) * np.uint64(k)) >> np.uint64(32))


@compiled
def _bits(column: int, i: int) -> np.uint64:
    value = vector(column, i + 1)[i]
    if value == 0.0:
        return np.uint64(0)
    if value != value:
        return _MISSING
    return np.uint64(integers(column, i + 1)[i])


@dataclass(frozen=True)
class OutOfFoldKernel:
    """Predict every row by a model that was fitted to the rows of its group in the other folds.

    Parameters
    ----------
    kernels : one for each fold, alike in features, target and weight; a prior may differ, because it was
        fitted without that fold too. Folds are those of `fold_of` over features, target and weight.

    Returns
    -------
    One row per row, in their order: keys, `target`, `weight` (1 where there is none), `fold`, and
    `prediction`, a probability or a number; NaN where the row has a missing value or its group no model.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1] * 6, "x": [1.0, 2, 3, 4, 5, 6], "y": [2.0, 4, 6, 8, 10, 12]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> found = OutOfFoldKernel((LeastSquaresKernel(("x",), "y"),) * 2, 2)(groups)
    >>> found.schema.names
    ['user', 'target', 'weight', 'fold', 'prediction']
    """

    kernels: tuple[LinearKernel, ...]
    k: int

    def __post_init__(self) -> None:
        if len(self.kernels) != self.k:
            raise ValueError(f"expected one kernel for each of {self.k} folds, found {len(self.kernels)}")

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema(
            [
                *keys,
                pa.field("target", pa.float64()),
                pa.field("weight", pa.float64()),
                pa.field("fold", pa.int8()),
                pa.field("prediction", pa.float64()),
            ]
        )

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        first = self.kernels[0]
        weighted = [] if first.weight is None else [first.weight]
        names = (*first.features, first.target, *weighted)
        target = np.asarray(groups.values[first.target], dtype=np.float64)
        weight = np.ones(len(target))
        if first.weight is not None:
            weight = np.asarray(groups.values[first.weight], dtype=np.float64)
        folds = fold_of(groups, names, self.k)
        prediction = np.full(len(target), np.nan)
        for fold, kernel in enumerate(self.kernels):
            held_out = folds == fold
            others = {**groups.values, first.target: np.where(held_out, np.nan, target)}
            models = kernel(Groups(groups.keys, groups.offsets, others))
            prediction[held_out] = linear_scores(groups, models, first.features)[held_out]
        prediction[~np.isfinite(target) | ~np.isfinite(weight)] = np.nan
        if not isinstance(first, LeastSquaresKernel):
            _expit(prediction)
        rows = pa.array(np.repeat(np.arange(len(groups)), np.diff(groups.offsets)))
        keys = [values.take(rows) for values in groups.keys.columns]
        found = [pa.array(values) for values in (target, weight, folds, prediction)]
        return pa.RecordBatch.from_arrays([*keys, *found], schema=self.schema(groups.keys.schema))


@compiled
def _expit(scores: Floats) -> None:
    for i in range(len(scores)):
        if scores[i] == scores[i]:
            scores[i] = 1.0 / (1.0 + exp(-scores[i]))
