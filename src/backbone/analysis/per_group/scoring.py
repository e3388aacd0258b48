"""Score rows by the model of their group: in Python, and as SQL for a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbone.contract import quote_identifier

LARGEST = 700.0  # exp() of anything larger overflows in some databases; by then a probability is 0 or 1


def model_of(models: pa.Table, rows: pa.Table, by: Sequence[str]) -> npt.NDArray[np.int64]:
    """Shape (rows,): the position of each row's model in the table of models; -1 where it has none.

    Examples
    --------
    >>> models = pa.table({"job": ["cook", "clerk"], "city": [1, 1]})
    >>> model_of(models, pa.table({"job": ["clerk", "cook", "cook"], "city": [1, 1, 2]}), ["job", "city"])
    array([ 1,  0, -1])
    """
    model_code = np.zeros(models.num_rows, dtype=np.int64)
    row_code = np.zeros(rows.num_rows, dtype=np.int64)
    for name in by:
        known = models.column(name).combine_chunks()
        labels = known.unique()
        wanted = rows.column(name)
        if wanted.type != known.type:
            wanted = wanted.cast(known.type)
        in_models = _positions(known, labels)
        in_rows = _positions(wanted, labels)
        model_code = model_code * len(labels) + in_models
        row_code = np.where((row_code < 0) | (in_rows < 0), -1, row_code * len(labels) + in_rows)
        combined = pa.array(model_code).unique()  # codes stay smaller than the number of models
        model_code = _positions(pa.array(model_code), combined)
        row_code = _positions(pa.array(row_code), combined)
    return _positions(pa.array(row_code), pa.array(model_code))


def _positions(values: Any, among: Any) -> npt.NDArray[np.int64]:
    found = pc.index_in(values, value_set=among)
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def linear_scores(
    models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table, features: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Shape (rows,): intercept + Σ coefficient · feature by each row's model; NaN without one."""
    if models.num_rows == 0:
        return np.full(len(place), np.nan)
    found = np.where(place < 0, np.nan, _numbers(models.column("intercept"))[place])
    for name in features:
        found += _numbers(models.column(f"coef_{name}"))[place] * _numbers(rows.column(name))
    return found


def probability(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-score)), without overflow.

    Examples
    --------
    >>> probability(np.array([0.0, -800.0, 800.0, np.nan])).tolist()
    [0.5, 0.0, 1.0, nan]
    """
    small = np.exp(-np.abs(score))
    return np.asarray(np.where(score >= 0, 1.0, small) / (1.0 + small))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(pc.cast(column, pa.float64()).combine_chunks().to_numpy(zero_copy_only=False))


def scoring_sql(
    models: str,
    rows: str,
    by: Sequence[str],
    features: Sequence[str],
    *,
    every_group: bool,
    probability: bool,
) -> str:
    """A SELECT that scores rows by a table of models, in SQL that every engine here understands."""
    terms = [f"m.{quote_identifier(f'coef_{name}')} * r.{quote_identifier(name)}" for name in features]
    linear = " + ".join(["m.intercept", *terms])
    keys = ", ".join(f"m.{quote_identifier(key)}" for key in by)
    if every_group:
        head = f"{keys}, r.*"
        join = f"{models} as m cross join {rows} as r"
    else:
        head = "r.*"
        matches = " and ".join(f"m.{quote_identifier(key)} = r.{quote_identifier(key)}" for key in by)
        join = f"{rows} as r left join {models} as m on {matches}"
    scored = f"select {head}, {linear} as score from {join}"
    if not probability:
        return scored
    return f"select s.*, {logistic_sql('s.score')} as probability from ({scored}) as s"


def logistic_sql(score: str) -> str:
    """SQL of 1 / (1 + exp(-score)) that never overflows; null where the score is no finite number."""
    return (
        f"case when {score} between -{LARGEST} and {LARGEST} then 1.0 / (1.0 + exp(-{score})) "
        f"when {score} > {LARGEST} and {score} <= 1.7976931348623157e308 then 1.0 "
        f"when {score} < -{LARGEST} and {score} >= -1.7976931348623157e308 then 0.0 end"
    )
