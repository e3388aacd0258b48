"""Shrink every group's model towards the model of all groups, because most groups are small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from backbone.analysis.per_group.quality import CrossValidation, folded
from backbone.analysis.per_group.recipe import LinearKernel, Recipe
from backbone.analysis.per_group.training import FOLD, Training

if TYPE_CHECKING:
    from backbone.analysis.kernels.prior import Prior

# Half a decade apart. At 1, a difference of one standardised unit costs as much as under scikit-learn's
# default C = 1.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True)
class Shrinkage:
    """What groups have in common, and how their models are pulled towards it.

    The model of all rows is fitted in standardised coordinates, and the pull is measured in them too, so
    that it does not depend on the units of the features.
    """

    recipe: Recipe
    classes: tuple[Any, ...] | None
    min_rows: int

    def prior(self, training: Training, strength: float) -> Prior:
        """The model of all rows."""
        from backbone.analysis.kernels.prior import Prior

        staged = training.map_groups(self._kernel(training, None, standardised=True), by=())
        engine = training.rows.engine
        found = engine.stream(f"select * from {staged}").read_all().to_pylist()
        engine.drop(staged)
        row = found[0] if found else {}
        if row.get("status") == "not_converged":
            raise ValueError(
                "the model of all rows, which groups are pulled towards, did not converge: a feature is "
                "too large to be squared, or classes can be separated and no penalty holds the coefficients; "
                "leave out such rows, set a penalty, or use prior=None"
            )

        def listed(prefix: str, missing: float) -> Any:
            values = [row.get(f"{prefix}_{name}") for name in training.features]
            return np.array([missing if v is None or not np.isfinite(v) else v for v in values], dtype=float)

        intercept = row.get("intercept")
        return Prior(
            0.0 if intercept is None else intercept,
            listed("coef", 0.0),
            listed("mean", 0.0),
            listed("scale", 1.0),
            strength,
        )

    def kernels(self, parts: Training, strength: float, priors: list[Prior]) -> tuple[LinearKernel, ...]:
        """A kernel for each fold, that knows nothing of the fold."""
        return tuple(self._kernel(parts, replace(prior, strength=strength)) for prior in priors)

    def fold_priors(self, parts: Training, k: int) -> list[Prior]:
        """The model of all rows without each fold, from rows that have their fold."""
        priors = []
        for fold in range(k):
            sql = f"select * from ({parts.rows.sql}) as t where {FOLD} <> {fold}"
            priors.append(self.prior(replace(parts, rows=replace(parts.rows, sql=sql)), 1.0))
        return priors

    def strengths(self, training: Training, k: int) -> pa.Table:
        """The loss on left-out rows of every strength that is tried."""
        from backbone.analysis.kernels.folds import OutOfFoldKernel

        parts = folded(training, k)
        priors = self.fold_priors(parts, k)
        measure = "mean_squared_error" if self.classes is None else "log_loss"
        losses = []
        for strength in STRENGTHS:
            predictions = parts.map_groups(OutOfFoldKernel(self.kernels(parts, strength, priors), k))
            found = CrossValidation(parts, predictions, k, classifies=self.classes is not None)
            losses.append(found.overall.get(measure))
            found.overall_rows.drop()
        parts.rows.drop()
        return pa.table({"strength": STRENGTHS, measure: pa.array(losses, pa.float64())})

    def _kernel(self, training: Training, prior: Prior | None, *, standardised: bool = False) -> LinearKernel:
        return self.recipe.kernel(
            training.features,
            weighted=training.weight is not None,
            classes=self.classes,
            min_rows=self.min_rows,
            prior=prior,
            standardised=standardised,
        )


def best(tried: pa.Table) -> float:
    """The strength with the smallest loss; 1 where none could be told."""
    strengths, losses = (column.to_numpy(zero_copy_only=False) for column in tried.columns)
    return 1.0 if np.all(np.isnan(losses)) else float(strengths[np.nanargmin(losses)])
