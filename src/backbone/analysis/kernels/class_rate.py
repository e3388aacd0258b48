"""The share of positives in each of many groups, as a model that knows no features."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.fitting import Objective, fit
from backbone.analysis.kernels.linear_form import model_batch, model_schema


@dataclass(frozen=True)
class ClassRateKernel:
    """Fit scikit-learn's `DummyClassifier(strategy="prior")` to each group: the intercept is logit(k / n).

    Parameters
    ----------
    target, weight : value columns. The target is 0 or 1; weights are not negative. A row in which one of them
        is NaN or infinite is left out and counted in `n_missing`.
    min_rows : usable rows below which the rate is smoothed.

    Returns
    -------
    One row per group with the columns and statuses of `LogisticKernel` without features; a group whose weight
    lies on one class, or with too few rows, has the smoothed rate logit((k + 1) / (n + 2)).

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1] * 4 + [2], "bought": [0.0, 1, 0, 0, 1]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> models = ClassRateKernel("bought")(groups)
    >>> [round(v, 9) for v in models.column("intercept").to_pylist()]
    [-1.098612289, 0.693147181]
    """

    target: str
    weight: str | None = None
    min_rows: int = 1

    @property
    def features(self) -> tuple[str, ...]:
        return ()

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return model_schema(keys, (), classes=True)

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        objective = Objective(True, 0.0, True, False, False, None, None, self.min_rows, 100)
        fits = fit(groups, (), self.target, self.weight, objective)
        return model_batch(groups, fits, self.schema(groups.keys.schema))
