"""What every one of these models is: an intercept and coefficients, in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.compiled import Floats, compiled
from backbone.analysis.kernels.memory import Memory, integers, matrix, vector
from backbone.analysis.kernels.models import (
    COEFFICIENTS,
    INTERCEPT,
    ITERATIONS,
    LOSS,
    MISSING,
    NEGATIVE,
    POSITIVE,
    STATUS,
)

STATUSES = (
    "fitted",
    "single_class",
    "too_few_rows",
    "not_converged",
)  # in the order of their numbers in `newton`


def model_schema(
    keys: pa.Schema, features: Sequence[str], *, classes: bool, center: bool = False, scale: bool = False
) -> pa.Schema:
    """The columns of a table of linear models.

    Parameters
    ----------
    classes : whether the models are classifiers, which have counts of classes, iterations and a log loss.
    center, scale : what a StandardScaler before the model does; the coefficients count for unscaled features.

    Examples
    --------
    >>> schema = model_schema(pa.schema([("user", pa.int64())]), ["asktimes"], classes=False, scale=True)
    >>> schema.names[:5]
    ['user', 'status', 'n_rows', 'n_missing', 'intercept']
    >>> schema.names[5:]
    ['coef_asktimes', 'mean_asktimes', 'scale_asktimes', 'mean_squared_error']
    """
    counts = ["n_rows", "n_missing", *(["n_negative", "n_positive"] if classes else [])]
    numbers = ["intercept", *(f"coef_{name}" for name in features)]
    if center or scale:
        numbers += [f"mean_{name}" for name in features]
    if scale:
        numbers += [f"scale_{name}" for name in features]
    return pa.schema(
        [
            *keys,
            pa.field("status", pa.string()),
            *(pa.field(name, pa.int64()) for name in counts),
            *(pa.field(name, pa.float64()) for name in numbers),
            *([pa.field("iterations", pa.int32())] if classes else []),
            pa.field("log_loss" if classes else "mean_squared_error", pa.float64()),
        ]
    )


def model_batch(groups: Groups, fits: Floats, schema: pa.Schema) -> pa.RecordBatch:
    """The models of all groups as rows; what is NaN becomes null.

    Parameters
    ----------
    fits : as `fitting.fit` returns them.
    """
    counted = {
        "n_rows": np.diff(groups.offsets),
        "n_missing": fits[MISSING],
        "n_negative": fits[NEGATIVE],
        "n_positive": fits[POSITIVE],
        "iterations": fits[ITERATIONS],
    }
    status = pa.array(STATUSES).take(pa.array(fits[STATUS].astype(np.int8)))
    numbers = iter([fits[INTERCEPT], *fits[COEFFICIENTS:]])
    columns = [*groups.keys.columns, status]
    for field in list(schema)[len(columns) : -1]:
        if field.name in counted:
            columns.append(pa.array(counted[field.name].astype(field.type.to_pandas_dtype())))
        else:
            columns.append(_nullable(next(numbers)))
    columns.append(_nullable(fits[LOSS]))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values, from_pandas=bool(np.isnan(values).any()))


def linear_scores(groups: Groups, result: pa.RecordBatch, features: Sequence[str]) -> Floats:
    """Intercept + Σ coefficient · feature of every row, by the model of its group.

    Parameters
    ----------
    result : one row per group, in the order of the groups, with `intercept` and `coef_<feature>`.

    Returns
    -------
    shape (rows,); NaN where a feature is not finite or the group has no model.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1, 1, 2], "x": [1.0, float("nan"), 3.0]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> models = pa.record_batch({"user": [1, 2], "intercept": [0.5, 0.0], "coef_x": [2.0, -1.0]})
    >>> linear_scores(groups, models, ["x"]).tolist()
    [2.5, nan, -3.0]
    """
    names = ["intercept", *(f"coef_{name}" for name in features)]
    models = np.empty((len(names), len(groups)))
    for row, name in zip(models, names, strict=True):
        row[:] = result.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    memory = Memory()
    columns = np.array([memory.numbers(groups.values[name]) for name in features], dtype=np.int64)
    scores = np.empty(int(groups.offsets[-1]))
    _score(
        memory.integers(groups.offsets),
        len(groups),
        memory.of(columns),
        len(columns),
        memory.of(models),
        memory.of(scores),
    )
    return scores


@compiled
def _score(offsets: int, groups: int, columns: int, d: int, models: int, scores: int) -> None:
    ends, addresses = integers(offsets, groups + 1), integers(columns, d)
    model, score = matrix(models, d + 1, groups), vector(scores, ends[groups])
    for g in range(groups):
        for i in range(ends[g], ends[g + 1]):
            score[i] = model[0, g]
        for j in range(d):
            values, coefficient = vector(addresses[j], ends[groups]), model[j + 1, g]
            for i in range(ends[g], ends[g + 1]):
                score[i] += coefficient * values[i] + 0.0 * values[i]
