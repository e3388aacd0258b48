"""Linear regression, with or without an L2 penalty, for each of many groups."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.fitting import Objective, models_of
from backbone.analysis.kernels.prior import Prior

REFINEMENTS = 20  # the first step solves, the second refines; more only where columns are all but aliases


@dataclass(frozen=True)
class LeastSquaresKernel:
    """Fit scikit-learn's `LinearRegression` or `Ridge` to each group.

    Minimised is Σ w · ½ error² + ½ · penalty · ‖coefficients‖², the intercept free of penalty. Where that
    leaves several solutions the one with the smallest coefficients is taken, those of the scaled features
    where there is a scaler. A column counts as a sum of others when, centred, it differs from it by less than
    a millionth of its deviation.

    Parameters
    ----------
    features, target, weight : value columns; weights are not negative. A row in which one of them is NaN or
        infinite is left out and counted in `n_missing`.
    penalty : alpha of `Ridge`; 0 for `LinearRegression`.
    center, scale : fit a `StandardScaler` before, by the usable rows of the group without their weights. The
        intercept and coefficients of the result count for unscaled features all the same.
    prior : a model to pull each group's towards; then `penalty`, `center` and `scale` are not used.
    min_rows : usable rows below which no model is fitted.

    Returns
    -------
    One row per group, its `status` one of

    - `fitted`;
    - `too_few_rows`: the coefficients are 0 and the intercept the mean of the target, both null without a
      usable row; with a prior it is the prior's model;
    - `not_converged`: numbers so large or so small that doubles can't hold the solution.

    `mean_squared_error` is that of the usable rows by their weights, in the target's unit squared.

    Raises
    ------
    ValueError
        When a setting is out of its range.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1] * 3 + [2], "x": [0.0, 1, 2, 9], "spent": [1.0, 3, 5, 7]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> models = LeastSquaresKernel(("x",), "spent")(groups)
    >>> [round(v, 9) for v in models.column("intercept").to_pylist() + models.column("coef_x").to_pylist()]
    [1.0, 7.0, 2.0, 0.0]
    """

    features: tuple[str, ...]
    target: str
    weight: str | None = None
    penalty: float = 0.0
    fit_intercept: bool = True
    center: bool = False
    scale: bool = False
    prior: Prior | None = None
    min_rows: int = 1

    def __post_init__(self) -> None:
        self._objective()

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return self._objective().schema(keys, self.features)

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        return models_of(groups, self.features, self.target, self.weight, self._objective())

    def _objective(self) -> Objective:
        return Objective(
            False,
            self.penalty,
            self.fit_intercept,
            self.center,
            self.scale,
            None,
            self.prior,
            self.min_rows,
            REFINEMENTS,
        )
