"""Any scikit-learn estimator as a kernel: one per group, fitted in worker processes, kept as skops bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.processes.estimator import (
    check_estimator_kind,
    check_predicts,
    plain,
    portable,
    repeatable,
    weight_argument,
)
from backbone.analysis.processes.group_fit import Settings, model_schema
from backbone.analysis.processes.workers import EstimatorWorkers


@dataclass(frozen=True, eq=False)
class GroupEstimator:
    """An estimator of which each group gets a copy, and what the copy is fitted to.

    Parameters
    ----------
    estimator : an unfitted classifier or regressor; a class of your own has to be in a module.
    features, target, weight : value columns; the target of a classifier holds positions in `classes`.
    classes : the labels of a classifier, which it is fitted with; None for a regressor.
    min_rows : a group with fewer rows to fit is not fitted.
    """

    estimator: Any
    features: Sequence[str]
    target: str
    weight: str | None = None
    classes: Sequence[Any] | None = None
    min_rows: int = 1

    @property
    def columns(self) -> list[str]:
        """The columns that it is fitted to, as `Settings` orders them."""
        return [*self.features, self.target, *([self.weight] if self.weight is not None else [])]

    @property
    def name(self) -> str:
        """How an error calls the work."""
        return f"{type(self.estimator).__name__} for every group"

    def stored(self) -> bytes:
        """The estimator as workers get it."""
        return portable(repeatable(self.estimator))

    def settings(self, *, out_of_fold: bool) -> Settings:
        """What workers are told beside it.

        Raises
        ------
        ValueError
            When the estimator can't be used like this.
        """
        if not self.features:
            raise ValueError("expected one feature or more, found none")
        check_estimator_kind(self.estimator, self.classes)
        return Settings(
            features=len(self.features),
            classes=None if self.classes is None else tuple(map(plain, self.classes)),
            min_rows=max(self.min_rows, 1),
            weight_name=None if self.weight is None else weight_argument(self.estimator),
            out_of_fold=out_of_fold,
        )


class EstimatorKernel(EstimatorWorkers):
    """Fit a copy of an estimator to each group.

    The work is done by processes, which are started when they are needed and ended by `close`, or at the end
    of a `with` block. A call is answered by one of them; `map_chunks` with as many threads, and
    `parts=small_parts`, keeps all of them busy.

    A row with a feature, target or weight that is not finite is left out of its group's fit and counted in
    `n_missing`; one of weight 0 is left out, uncounted. The result has a row per group: the keys, `status`
    (`fitted`, `single_class`, `too_few_rows`, `failed`), `n_rows` (all of the group's), `n_missing`,
    `class_counts` (of a classifier: rows by label, or their weight, as JSON), `model` (skops bytes for
    `load_estimator`; null unless fitted), `score` (the estimator's own `score` of the rows it was fitted on:
    accuracy or R²) and `error` (the message where `fit` or `score` failed).

    Every `random_state` of None becomes 0, so that a re-run gives the same bytes, and every `n_jobs` 1. What
    an estimator measures of itself, such as the times in a GridSearchCV, still differs.

    Parameters
    ----------
    fitted : the estimator, and what it is fitted to.
    workers : how many processes; as many as there are cores unless given.

    Raises
    ------
    ValueError
        When the estimator can't be used like this, before any work is done.
    StepFailed
        When it is called and a worker process dies.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from backbone.analysis.groups import chunks
    >>> rows = {"user": [1, 1, 1, 1, 2], "x": [0.0, 1.0, 4.0, 5.0, 1.0], "y": [0.0, 0.0, 1.0, 1.0, 1.0]}
    >>> (groups,) = chunks(pa.table(rows).to_batches(), by=["user"])
    >>> bayes = GroupEstimator(GaussianNB(), ["x"], "y", classes=("no", "yes"))
    >>> with EstimatorKernel(bayes, workers=1) as kernel:
    ...     for row in kernel(groups).select(["user", "status", "class_counts", "score"]).to_pylist():
    ...         print(row)
    {'user': 1, 'status': 'fitted', 'class_counts': '{"no": 2, "yes": 2}', 'score': 1.0}
    {'user': 2, 'status': 'single_class', 'class_counts': '{"no": 0, "yes": 1}', 'score': None}
    """

    def __init__(self, fitted: GroupEstimator, *, workers: int | None = None) -> None:
        settings = fitted.settings(out_of_fold=False)
        super().__init__(fitted.stored(), settings, fitted.columns, workers, fitted.name)
        self._classes = settings.classes

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, *model_schema(self._classes)])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        columns = [*groups.keys.columns, *self.ask(groups).columns]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema(groups.keys.schema))


class OutOfFoldEstimatorKernel(EstimatorWorkers):
    """Predict every row from a copy of an estimator that was fitted to its group without the row's fold.

    The result has a row per row: the keys, `target`, `weight` (1 if there is none), `fold` and `prediction`:
    of a regressor the value, of a classifier the probability of the second class. Where the other folds hold
    a single class or fewer rows than `min_rows`, it is the smoothed rate of the second class, or the mean. It
    is NaN for a row that lacks a number, and where the estimator failed: `EstimatorKernel` tells why.

    Parameters
    ----------
    fitted : the estimator, and what it is fitted to; a classifier has two labels.
    fold : the value column with the number of each row's fold, 0 to 127.
    workers : as for `EstimatorKernel`.

    Raises
    ------
    ValueError
        When there are more than two classes, the classifier gives no probabilities, or as for
        `EstimatorKernel`.
    StepFailed
        When it is called and a worker process dies.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.table({"user": [1, 1, 1], "x": [0.0, 1.0, 5.0], "y": [2.0, 3.0, 7.0], "fold": [0, 1, 1]})
    >>> (groups,) = chunks(rows.to_batches(), by=["user"])
    >>> nearest = GroupEstimator(KNeighborsRegressor(n_neighbors=1), ["x"], "y")
    >>> with OutOfFoldEstimatorKernel(nearest, "fold", workers=1) as kernel:
    ...     kernel(groups).column("prediction").to_pylist()
    [3.0, 2.0, 2.0]
    """

    def __init__(self, fitted: GroupEstimator, fold: str, *, workers: int | None = None) -> None:
        settings = fitted.settings(out_of_fold=True)
        check_predicts(fitted.estimator, fitted.classes)
        super().__init__(fitted.stored(), settings, [*fitted.columns, fold], workers, fitted.name)
        self._target, self._weight, self._fold = fitted.target, fitted.weight, fold

    def schema(self, keys: pa.Schema) -> pa.Schema:
        added = {
            "target": pa.float64(),
            "weight": pa.float64(),
            "fold": pa.int8(),
            "prediction": pa.float64(),
        }
        return pa.schema([*keys, *(pa.field(name, kind) for name, kind in added.items())])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        values, rows = groups.values, int(groups.offsets[-1])
        group = pa.array(np.repeat(np.arange(len(groups)), np.diff(groups.offsets)))
        columns = [
            *(key.take(group) for key in groups.keys.columns),
            pa.array(np.asarray(values[self._target], dtype=np.float64)),
            pa.array(np.ones(rows) if self._weight is None else np.asarray(values[self._weight], np.float64)),
            pa.array(np.asarray(values[self._fold]).astype(np.int8)),
            self.ask(groups).column("prediction"),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema(groups.keys.schema))
