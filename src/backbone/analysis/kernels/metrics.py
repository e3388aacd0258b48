"""How good the predictions of each group's rows are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.compiled import Floats, compiled, inlined
from backbone.analysis.kernels.memory import Memory, integers, matrix, vector
from backbone.analysis.kernels.sorting import order_of

_EPSILON = float(np.finfo(np.float64).eps)  # scikit-learn keeps this distance from 0 and 1 in a log loss


@dataclass(frozen=True)
class ClassifierMetricsKernel:
    """Judge the probabilities predicted for the rows of each group.

    Parameters
    ----------
    target, probability, weight : value columns. The target is 0 or 1; weights are not negative. A row in
        which one of them is NaN or infinite is not scored.

    Returns
    -------
    One row per group: `n_rows` and `n_positive` among the scored rows; by their weights, `accuracy` (a
    probability above one half says 1), `log_loss` (nats) and `auc`, equal probabilities counting half. Null
    is what nothing can be said about: everything without weight, `auc` where there is one class.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1] * 4, "y": [0.0, 0, 1, 1], "p": [0.1, 0.4, 0.35, 0.8]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> ClassifierMetricsKernel("y", "p")(groups).select(["n_positive", "accuracy", "auc"]).to_pylist()
    [{'n_positive': 2, 'accuracy': 0.75, 'auc': 0.75}]

    References
    ----------
    scikit-learn's `accuracy_score`, `log_loss` and `roc_auc_score`.
    """

    target: str
    probability: str
    weight: str | None = None

    def schema(self, keys: pa.Schema) -> pa.Schema:
        counts = [pa.field(name, pa.int64()) for name in ("n_rows", "n_positive")]
        return pa.schema(
            [*keys, *counts, *(pa.field(n, pa.float64()) for n in ("accuracy", "log_loss", "auc"))]
        )

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        return _judged(self, groups, (self.target, self.probability, self.weight), classes=True)


@dataclass(frozen=True)
class RegressionMetricsKernel:
    """Judge the numbers predicted for the rows of each group.

    Parameters
    ----------
    target, prediction, weight : value columns; weights are not negative. A row in which one of them is NaN or
        infinite is not scored.

    Returns
    -------
    One row per group: `n_rows` scored; by their weights, `mean_squared_error` (the target's unit squared) and
    `r2`. Null is what nothing can be said about: both without weight, `r2` of one row or of equal targets.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1] * 3, "y": [1.0, 2, 3], "p": [1.0, 2, 2]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> RegressionMetricsKernel("y", "p")(groups).column("r2").to_pylist()
    [0.5]
    """

    target: str
    prediction: str
    weight: str | None = None

    def schema(self, keys: pa.Schema) -> pa.Schema:
        numbers = [pa.field(name, pa.float64()) for name in ("mean_squared_error", "r2")]
        return pa.schema([*keys, pa.field("n_rows", pa.int64()), *numbers])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        return _judged(self, groups, (self.target, self.prediction, self.weight), classes=False)


def _judged(
    kernel: ClassifierMetricsKernel | RegressionMetricsKernel,
    groups: Groups,
    names: tuple[str, str, str | None],
    *,
    classes: bool,
) -> pa.RecordBatch:
    memory = Memory()
    target, predicted, weight = (0 if name is None else memory.numbers(groups.values[name]) for name in names)
    schema = kernel.schema(groups.keys.schema)
    wanted = list(schema)[len(groups.keys.schema) :]
    result = np.full((len(wanted), len(groups)), np.nan)
    judge = _judge_classes if classes else _judge_numbers
    judge(memory.integers(groups.offsets), len(groups), target, predicted, weight, memory.of(result))
    found = [
        pa.array(values.astype(np.int64)) if field.type == pa.int64() else pa.array(values, from_pandas=True)
        for field, values in zip(wanted, result, strict=True)
    ]
    return pa.RecordBatch.from_arrays([*groups.keys.columns, *found], schema=schema)


@inlined
def _usable(target: float, predicted: float, weight: float) -> bool:
    return target * 0.0 + predicted * 0.0 + weight * 0.0 == 0.0


@compiled
def _judge_classes(
    offsets: int, groups: int, target: int, probability: int, weight: int, results: int
) -> None:
    ends, result = integers(offsets, groups + 1), matrix(results, 5, groups)
    for g in range(groups):
        start, n = ends[g], ends[g + 1] - ends[g]
        y, p = vector(target + 8 * start, n), vector(probability + 8 * start, n)
        w = vector(weight + 8 * start, n)
        rows, positives, total, right, loss = 0, 0, 0.0, 0.0, 0.0
        in_order, before = True, -np.inf
        for i in range(n):
            wi = w[i] if weight != 0 else 1.0
            if not _usable(y[i], p[i], wi):
                continue
            hit = y[i] > 0.5
            rows += 1
            positives += hit
            total += wi
            right += wi * ((p[i] > 0.5) == hit)
            said = p[i] if hit else 1.0 - p[i]
            loss -= wi * math.log(min(max(said, _EPSILON), 1.0 - _EPSILON))
            in_order = in_order and p[i] >= before
            before = p[i]
        result[0, g], result[1, g] = rows, positives
        if total > 0.0:
            result[2, g], result[3, g] = right / total, loss / total
            if in_order:
                result[4, g] = _auc(y, p, w, weight != 0)
            else:
                used = np.empty(rows, dtype=np.int64)
                key = np.empty(rows)
                k = 0
                for i in range(n):
                    wi = w[i] if weight != 0 else 1.0
                    if _usable(y[i], p[i], wi):
                        used[k], key[k] = i, p[i]
                        k += 1
                order = order_of(key)
                sorted_y, sorted_p, sorted_w = np.empty(rows), np.empty(rows), np.empty(rows)
                for k in range(rows):
                    i = used[order[k]]
                    sorted_y[k], sorted_p[k], sorted_w[k] = y[i], p[i], w[i] if weight != 0 else 1.0
                result[4, g] = _auc(sorted_y, sorted_p, sorted_w, True)


@compiled
def _auc(y: Floats, p: Floats, w: Floats, weighted: bool) -> float:
    """The share of pairs of a positive and a negative in which the positive has the larger probability.

    The rows are in the order of `p`; those with a missing value are passed over.
    """
    pairs, negatives, positives = 0.0, 0.0, 0.0
    tied_negatives, tied_positives, tie = 0.0, 0.0, -np.inf
    for i in range(len(y)):
        wi = w[i] if weighted else 1.0
        if not _usable(y[i], p[i], wi):
            continue
        if p[i] != tie:
            pairs += tied_positives * (negatives + 0.5 * tied_negatives)
            negatives += tied_negatives
            positives += tied_positives
            tied_negatives, tied_positives, tie = 0.0, 0.0, p[i]
        if y[i] > 0.5:
            tied_positives += wi
        else:
            tied_negatives += wi
    pairs += tied_positives * (negatives + 0.5 * tied_negatives)
    negatives += tied_negatives
    positives += tied_positives
    return pairs / negatives / positives if negatives > 0.0 and positives > 0.0 else np.nan


@compiled
def _judge_numbers(
    offsets: int, groups: int, target: int, prediction: int, weight: int, results: int
) -> None:
    ends, result = integers(offsets, groups + 1), matrix(results, 3, groups)
    for g in range(groups):
        start, n = ends[g], ends[g + 1] - ends[g]
        y, p = vector(target + 8 * start, n), vector(prediction + 8 * start, n)
        w = vector(weight + 8 * start, n)
        rows, total, above, squares, origin = 0, 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            wi = w[i] if weight != 0 else 1.0
            if not _usable(y[i], p[i], wi):
                continue
            if rows == 0:
                origin = y[i]
            rows += 1
            total += wi
            above += wi * (y[i] - origin)
            squares += wi * (y[i] - p[i]) * (y[i] - p[i])
        result[0, g] = rows
        if total > 0.0:
            result[1, g] = squares / total
            mean, spread = origin + above / total, 0.0
            for i in range(n):
                wi = w[i] if weight != 0 else 1.0
                if _usable(y[i], p[i], wi):
                    spread += wi * (y[i] - mean) * (y[i] - mean)
            if rows > 1 and spread > 0.0:
                result[2, g] = 1.0 - squares / spread
