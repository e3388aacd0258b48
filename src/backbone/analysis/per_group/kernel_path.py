"""The fast way: compiled kernels fit many groups at a time, and a model is an intercept and coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.per_group.quality import folded
from backbone.analysis.per_group.recipe import Recipe
from backbone.analysis.per_group.scoring import linear_scores, probability
from backbone.analysis.per_group.shrinkage import Shrinkage, best
from backbone.analysis.per_group.training import Training
from backbone.engines.relation import Relation

if TYPE_CHECKING:
    from backbone.analysis.kernels.prior import Prior

FOLDS = 5  # to choose a strength by


class KernelPath:
    """Fit and use models by compiled kernels.

    Parameters
    ----------
    strength : of the pull towards the model of all groups; "cv" to choose it, None for no pull.
    """

    name = "kernel"

    def __init__(
        self,
        recipe: Recipe,
        features: tuple[str, ...],
        classes: tuple[Any, ...] | None,
        min_rows: int,
        strength: float | str | None,
    ) -> None:
        self.recipe, self.features, self.classes, self.min_rows = recipe, features, classes, min_rows
        self.scored = () if recipe.is_class_rate else features
        self.prior: Prior | None = None
        self.strengths: pa.Table | None = None
        self._shrinkage = Shrinkage(recipe, classes, min_rows)
        self._strength = strength

    def fit(self, training: Training, *, to_file: bool) -> Relation:
        """Fit every group; returns the staged table of models."""
        if self._strength is not None:
            self.prior = self._shrinkage.prior(training, self._chosen(training))
        return training.models(self._kernel(training), self.prior, to_file=to_file)

    def out_of_fold(self, training: Training, k: int) -> Relation:
        """Predict every row by a model that never saw the row's fold; returns the staged predictions."""
        from backbone.analysis.kernels.folds import OutOfFoldKernel

        if self._strength is None:
            return training.map_groups(OutOfFoldKernel((self._kernel(training),) * k, k))
        strength = self._chosen(training)
        parts = folded(training, k)
        priors = self._shrinkage.fold_priors(parts, k)
        predictions = parts.map_groups(OutOfFoldKernel(self._shrinkage.kernels(parts, strength, priors), k))
        parts.rows.drop()
        return predictions

    @property
    def everywhere(self) -> tuple[float, ...] | None:
        """Intercept and coefficients for groups that were not there to be fitted."""
        return (
            None
            if self.prior is None
            else (float(self.prior.intercept), *map(float, self.prior.coefficients))
        )

    def values(
        self, models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table
    ) -> npt.NDArray[np.float64]:
        """Shape (rows,): the prediction of a regression, or the logit of a classifier; NaN without one."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is no finite number becomes NaN below
            found = self._scores(models, place, rows)
        return np.where(np.isfinite(found), found, np.nan)

    def _scores(
        self, models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table
    ) -> npt.NDArray[np.float64]:
        found = linear_scores(models, place, rows, self.scored)
        if self.everywhere is not None:
            intercept, *coefficients = self.everywhere
            everywhere = np.full(rows.num_rows, intercept)
            for name, coefficient in zip(self.features, coefficients, strict=True):
                everywhere += coefficient * rows.column(name).to_numpy()
            found = np.where(place < 0, everywhere, found)
        return found

    def probabilities(
        self, models: pa.Table, place: npt.NDArray[np.int64], rows: pa.Table
    ) -> npt.NDArray[np.float64]:
        """Shape (rows, 2): the probability of each class."""
        positive = probability(self.values(models, place, rows))
        return np.column_stack([1.0 - positive, positive])

    def estimator(self, row: Mapping[str, Any]) -> Any:
        """The scikit-learn estimator of a group; None where it has none."""
        return None if row["intercept"] is None else self.recipe.restored(row, self.features, self.classes)

    def _kernel(self, training: Training) -> Any:
        return self.recipe.kernel(
            self.features,
            weighted=training.weight is not None,
            classes=self.classes,
            min_rows=self.min_rows,
            prior=self.prior,
        )

    def _chosen(self, training: Training) -> float:
        if isinstance(self._strength, str):
            self.strengths = self._shrinkage.strengths(training, FOLDS)
            self._strength = best(self.strengths)
        assert self._strength is not None
        return float(self._strength)
