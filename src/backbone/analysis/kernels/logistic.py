"""Logistic regression of a target that is 0 or 1, for each of many groups."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.fitting import ClassWeight, Objective, models_of
from backbone.analysis.kernels.prior import Prior


@dataclass(frozen=True)
class LogisticKernel:
    """Fit scikit-learn's `LogisticRegression` to each group, to its optimum.

    Minimised is Σ w · log loss + ½ · penalty · ‖coefficients‖², the intercept free of penalty.

    Parameters
    ----------
    features, target, weight : value columns. The target is 0 or 1; weights are not negative. A row in which
        one of them is NaN or infinite is left out and counted in `n_missing`.
    penalty : 1/C of scikit-learn; 0 for none.
    center, scale : fit a `StandardScaler` before, by the usable rows of the group without their weights. The
        intercept and coefficients of the result count for unscaled features all the same.
    class_weight : None, "balanced", or the weights of 0 and of 1.
    prior : a model to pull each group's towards; then `penalty`, `center` and `scale` are not used.
    min_rows : usable rows below which no model is fitted.

    Returns
    -------
    One row per group, its `status` one of

    - `fitted`;
    - `single_class`: all weight lies on one class. Without a prior the coefficients are 0 and the intercept
      is the smoothed rate, logit((k + 1) / (n + 2)) for a weight k of positives in n;
    - `too_few_rows`: the same, or the model of the prior where there is one;
    - `not_converged`: the optimum is not finite, because the classes can be told apart without error and
      there is no penalty, or it was not reached in `max_iterations`. The coefficients are the last ones.

    `log_loss` is the mean over the usable rows by their weights, in nats; null without usable rows.

    Raises
    ------
    ValueError
        When a setting is out of its range.

    Examples
    --------
    >>> from backbone.analysis.groups import chunks
    >>> rows = pa.record_batch({"user": [1] * 4 + [2], "x": [0.0, 1, 2, 3, 9], "bought": [0.0, 1, 0, 1, 1]})
    >>> (groups,) = chunks([rows], by=["user"])
    >>> models = LogisticKernel(("x",), "bought")(groups)
    >>> models.column("status").to_pylist()
    ['fitted', 'single_class']
    >>> [round(v, 6) for v in models.column("intercept").to_pylist() + models.column("coef_x").to_pylist()]
    [-0.679313, 0.693147, 0.452875, 0.0]

    References
    ----------
    Smoothed rate: Laplace's rule of succession. Optimum: `LogisticRegression(solver="newton-cholesky")`.
    """

    features: tuple[str, ...]
    target: str
    weight: str | None = None
    penalty: float = 1.0
    fit_intercept: bool = True
    center: bool = False
    scale: bool = False
    class_weight: ClassWeight = None
    prior: Prior | None = None
    min_rows: int = 1
    max_iterations: int = 100

    def __post_init__(self) -> None:
        self._objective()

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return self._objective().schema(keys, self.features)

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        return models_of(groups, self.features, self.target, self.weight, self._objective())

    def _objective(self) -> Objective:
        return Objective(
            True,
            self.penalty,
            self.fit_intercept,
            self.center,
            self.scale,
            self.class_weight,
            self.prior,
            self.min_rows,
            self.max_iterations,
        )
