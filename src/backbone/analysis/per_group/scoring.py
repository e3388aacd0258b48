"""Score rows by the model of their group: in Python, and as SQL for a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbone.contracts.contract import quote_identifier

LARGEST_DOUBLE = "1.7976931348623157e308"
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
        in_models = _positions(known, labels)
        in_rows = _positions_of_any_type(wanted, labels)
        model_code = model_code * len(labels) + in_models
        row_code = np.where((row_code < 0) | (in_rows < 0), -1, row_code * len(labels) + in_rows)
        combined = pa.array(model_code).unique()  # codes stay smaller than the number of models
        model_code = _positions(pa.array(model_code), combined)
        row_code = _positions(pa.array(row_code), combined)
    return _positions(pa.array(row_code), pa.array(model_code))


def _positions_of_any_type(values: pa.ChunkedArray, among: pa.Array) -> npt.NDArray[np.int64]:
    """As `_positions`, where the types may differ: a value that the other type can't hold is not there."""
    if values.type != among.type:
        for narrower, wider in ((values, among.type), (among, values.type)):
            try:
                cast = narrower.cast(wider)
            except pa.ArrowException:
                continue
            return _positions(cast, among) if narrower is values else _positions(values, cast)
        return np.full(len(values), -1, dtype=np.int64)
    return _positions(values, among)


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


@dataclass(frozen=True)
class Formula:
    """What `to_sql` needs to know of fitted models.

    Parameters
    ----------
    by, features : columns of the rows.
    flags : those of the features that are true or false.
    everywhere : intercept and coefficients for groups without a model of their own, where there are any.
    score, probability : what the columns that are added are called; no probability of a regression.
    """

    by: tuple[str, ...]
    features: tuple[str, ...]
    flags: frozenset[str]
    everywhere: tuple[float, ...] | None
    score: str
    probability: str | None

    def sql(self, models: str, rows: str, *, every_group: bool) -> str:
        """A SELECT that scores rows by a table of models, in SQL that every engine here understands."""
        own = ["m.intercept", *(f"m.{quote_identifier(f'coef_{name}')}" for name in self.features)]
        if self.everywhere is not None:
            own = [f"coalesce({column}, {v!r})" for column, v in zip(own, self.everywhere, strict=True)]
        values = (f"r.{quote_identifier(name)}" for name in self.features)
        terms = [
            f"{factor} * {f'cast({value} as integer)' if name in self.flags else value}"
            for factor, value, name in zip(own[1:], values, self.features, strict=True)
        ]
        if every_group:
            head = ", ".join(f"m.{quote_identifier(key)}" for key in self.by) + ", r.*"
            join = f"{models} as m cross join {rows} as r"
        else:
            head = "r.*"
            matches = (f"m.{quote_identifier(key)} = r.{quote_identifier(key)}" for key in self.by)
            join = f"{rows} as r left join {models} as m on {' and '.join(matches)}"
        found, score = " + ".join([own[0], *terms]), quote_identifier(self.score)
        if self.probability is None:
            return f"select {head}, {finite_sql(found)} as {score} from {join}"
        likely = f"{logistic_sql(f's.{score}')} as {quote_identifier(self.probability)}"
        return f"select s.*, {likely} from (select {head}, {found} as {score} from {join}) as s"


def refuse_taken_names(columns: Sequence[str], score: str, probability: str | None) -> None:
    """Refuse to call a result as another column.

    Raises
    ------
    ValueError
        When one of the columns, or the other result, has its name.

    Examples
    --------
    >>> refuse_taken_names(["user", "Probability"], "score", "probability")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: expected a name of its own for the probability, found 'probability', which a key, ...
    """
    taken = {name.lower() for name in columns}
    for result, other, name in (("score", "probability", score), ("probability", "score", probability)):
        if name is not None and name.lower() in taken:
            raise ValueError(
                f"expected a name of its own for the {result}, found {name!r}, which a key, a feature or the "
                f"{other} has; say another: to_sql({result}=…)"
            )
        taken.add(score.lower())


def finite_sql(number: str) -> str:
    """SQL of a number; null where it is none, or too large for one."""
    return f"case when {number} between -{LARGEST_DOUBLE} and {LARGEST_DOUBLE} then {number} end"


def logistic_sql(score: str) -> str:
    """SQL of 1 / (1 + exp(-score)) that never overflows; null where the score is no finite number."""
    return (
        f"case when {score} between -{LARGEST} and {LARGEST} then 1.0 / (1.0 + exp(-{score})) "
        f"when {score} > {LARGEST} and {score} <= {LARGEST_DOUBLE} then 1.0 "
        f"when {score} < -{LARGEST} and {score} >= -{LARGEST_DOUBLE} then 0.0 end"
    )
