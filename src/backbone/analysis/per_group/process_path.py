"""The general way: scikit-learn fits each group in worker processes, and a model is skops bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.per_group.quality import folded
from backbone.analysis.per_group.training import FOLD, TARGET, Training
from backbone.analysis.processes.group_fit import smoothed_rates
from backbone.analysis.processes.kernels import EstimatorKernel, GroupEstimator, OutOfFoldEstimatorKernel
from backbone.analysis.processes.workers import small_parts
from backbone.analysis.stored_estimator import COMPILED_TYPES, load_estimator
from backbone.engines.relation import Relation

if TYPE_CHECKING:
    from backbone.analysis.kernels.prior import Prior


class ProcessPath:
    """Fit and use models by scikit-learn itself, a group at a time."""

    name = "processes"

    def __init__(
        self, estimator: Any, features: tuple[str, ...], classes: tuple[Any, ...] | None, min_rows: int
    ) -> None:
        self.model, self.features, self.classes, self.min_rows = estimator, features, classes, min_rows
        self.prior: Prior | None = None
        self.strengths: pa.Table | None = None

    def fit(self, training: Training, *, to_file: bool) -> Relation:
        """Fit every group; returns the staged table of models."""
        with EstimatorKernel(self._fitted(training), workers=training.rows.engine.threads) as kernel:
            return training.models(kernel, parts=small_parts, to_file=to_file)

    def out_of_fold(self, training: Training, k: int) -> Relation:
        """Predict every row by a model that never saw the row's fold; returns the staged predictions."""
        folds = folded(training, k)
        fitted, workers = self._fitted(training), training.rows.engine.threads
        with OutOfFoldEstimatorKernel(fitted, FOLD, workers=workers) as kernel:
            predictions = folds.map_groups(kernel, parts=small_parts)
        folds.rows.drop()
        return predictions

    def values(
        self, models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table
    ) -> npt.NDArray[np.float64]:
        """Shape (rows,): the prediction of a regression; NaN without one."""
        found = np.full(rows.num_rows, np.nan)
        for row, asked, inputs in self._by_model(models, place, rows):
            if row["model"] is not None:
                found[asked] = self.estimator(row).predict(inputs)
        return found

    def probabilities(
        self, models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table
    ) -> npt.NDArray[np.float64]:
        """Shape (rows, classes): the probability of each class; NaN without a model."""
        labels = list(self.classes or ())
        found = np.full((rows.num_rows, len(labels)), np.nan)
        for row, asked, inputs in self._by_model(models, place, rows):
            if row["status"] == "failed":
                continue
            if row["model"] is None:
                found[asked] = list(smoothed_rates(row["class_counts"]).values())
                continue
            estimator = self.estimator(row)
            columns = np.array([labels.index(label) for label in estimator.classes_.tolist()])
            found[asked] = 0.0
            found[np.ix_(asked, columns)] = estimator.predict_proba(inputs)
        return found

    def estimator(self, row: Mapping[str, Any]) -> Any:
        """The scikit-learn estimator of a group; None where it has none."""
        return None if row["model"] is None else load_estimator(row["model"], trusted=COMPILED_TYPES)

    def _fitted(self, training: Training) -> GroupEstimator:
        return GroupEstimator(self.model, self.features, TARGET, training.weight, self.classes, self.min_rows)

    def _by_model(
        self, models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table
    ) -> Iterator[tuple[dict[str, Any], npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """Each model's row with the positions and features of the rows that it is to score."""
        inputs = np.column_stack([rows.column(name).to_numpy() for name in self.features])
        place = np.where(np.isfinite(inputs).all(axis=1), place, -1)
        order = np.argsort(place, kind="stable")
        for asked in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
            if len(asked) and place[asked[0]] >= 0:
                yield models.slice(int(place[asked[0]]), 1).to_pylist()[0], asked, inputs[asked]
