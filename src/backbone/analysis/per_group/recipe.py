"""Which estimators have a kernel, with which settings, and how an estimator is made of a row again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from backbone.analysis.per_group.training import TARGET, WEIGHT

if TYPE_CHECKING:
    from backbone.analysis.kernels.class_rate import ClassRateKernel
    from backbone.analysis.kernels.least_squares import LeastSquaresKernel
    from backbone.analysis.kernels.logistic import LogisticKernel
    from backbone.analysis.kernels.prior import Prior

LinearKernel: TypeAlias = "LogisticKernel | LeastSquaresKernel | ClassRateKernel"


@dataclass(frozen=True)
class Recipe:
    """What a kernel needs to know of an estimator.

    Parameters
    ----------
    model : the estimator itself, or the last step of its Pipeline.
    scaler : the `StandardScaler` before it.
    """

    estimator: Any
    model: Any
    scaler: Any | None

    def kernel(
        self,
        features: Sequence[str],
        *,
        weighted: bool,
        classes: Sequence[Any] | None,
        min_rows: int,
        prior: Prior | None = None,
        standardised: bool = False,
    ) -> LinearKernel:
        """The kernel that fits this estimator to every group; `standardised` as behind a StandardScaler."""
        weight = WEIGHT if weighted else None
        if self.is_class_rate:
            from backbone.analysis.kernels.class_rate import ClassRateKernel

            return ClassRateKernel(TARGET, weight, min_rows=min_rows)
        settings: dict[str, Any] = {
            "fit_intercept": bool(self.model.fit_intercept),
            "center": standardised or (self.scaler is not None and bool(self.scaler.with_mean)),
            "scale": standardised or (self.scaler is not None and bool(self.scaler.with_std)),
            "prior": prior,
            "min_rows": min_rows,
        }
        if type(self.model).__name__ == "LogisticRegression":
            from backbone.analysis.kernels.logistic import LogisticKernel

            return LogisticKernel(
                tuple(features),
                TARGET,
                weight,
                penalty=self._penalty,
                class_weight=self._class_weight(classes or ()),
                **settings,
            )
        from backbone.analysis.kernels.least_squares import LeastSquaresKernel

        return LeastSquaresKernel(tuple(features), TARGET, weight, penalty=self._penalty, **settings)

    @property
    def is_class_rate(self) -> bool:
        """Whether its models are the rate of the class alone, without coefficients."""
        return type(self.model).__name__ == "DummyClassifier"

    @property
    def _penalty(self) -> float:
        """The strength of the L2 penalty; 0 for none."""
        if type(self.model).__name__ == "Ridge":
            return float(self.model.alpha)
        if type(self.model).__name__ == "LinearRegression" or self.model.penalty is None:
            return 0.0
        if not self.model.C > 0:
            raise ValueError(f"expected C above 0, found {self.model.C!r}")
        return 0.0 if math.isinf(self.model.C) else 1.0 / float(self.model.C)

    def _class_weight(self, classes: Sequence[Any]) -> Any:
        weights = self.model.class_weight
        if isinstance(weights, str) and weights != "balanced":
            raise ValueError(f"expected class_weight None, 'balanced' or weights by label, found {weights!r}")
        if not isinstance(weights, Mapping):
            return weights
        if strange := [label for label in weights if label not in classes]:
            raise ValueError(f"class_weight names {strange}, which are none of the classes {list(classes)}")
        return tuple(float(weights.get(label, 1.0)) for label in classes)

    def restored(self, row: Mapping[str, Any], features: Sequence[str], classes: Sequence[Any] | None) -> Any:
        """A fitted estimator, as scikit-learn would have left it, of a row of the table of models."""
        import numpy as np
        from sklearn.base import clone

        names = np.array(features, dtype=object)
        model = clone(self.model)
        if self.is_class_rate:
            rate = 1.0 / (1.0 + math.exp(-row["intercept"]))
            model.class_prior_ = np.array([1.0 - rate, rate])
            model.classes_, model.n_classes_, model.n_outputs_ = np.array(classes), 2, 1
            model._strategy, model.sparse_output_ = model.strategy, False
        else:
            coef = np.array([row[f"coef_{name}"] for name in features], dtype=np.float64)
            intercept = float(row["intercept"])
            if self.scaler is not None:
                mean, scale = _scaling(row, features)
                intercept += float(coef @ mean) if self.scaler.with_mean else 0.0
                coef = coef * scale
            model.n_features_in_ = len(features)
            if classes is None:
                model.coef_, model.intercept_ = coef, intercept
            else:
                model.coef_, model.intercept_ = coef[None, :], np.array([intercept])
                model.classes_ = np.array(classes)
                model.n_iter_ = np.array([row["iterations"]], dtype=np.int32)
        if self.scaler is None:
            if len(names):
                model.feature_names_in_ = names
            return model if self.model is self.estimator else _pipeline(self.estimator, [model])
        scaler = clone(self.scaler)
        mean, scale = _scaling(row, features)
        scaler.mean_ = mean if scaler.with_mean or scaler.with_std else None
        scaler.scale_, scaler.var_ = (scale, scale**2) if scaler.with_std else (None, None)
        scaler.n_features_in_, scaler.feature_names_in_ = len(features), names
        scaler.n_samples_seen_ = row["n_rows"] - row["n_missing"]
        return _pipeline(self.estimator, [scaler, model])


def _scaling(row: Mapping[str, Any], features: Sequence[str]) -> tuple[Any, Any]:
    import numpy as np

    mean = np.array([row.get(f"mean_{name}", 0.0) for name in features], dtype=np.float64)
    return mean, np.array([row.get(f"scale_{name}", 1.0) for name in features], dtype=np.float64)


def _pipeline(like: Any, fitted: Sequence[Any]) -> Any:
    from sklearn.pipeline import Pipeline

    names = [name for name, _ in like.steps]
    return Pipeline(list(zip(names, fitted, strict=True)))


def recipe_of(estimator: Any) -> Recipe | None:
    """The recipe of an estimator that has a kernel; None for any other.

    A subclass has none: what it changes can't be known.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression, Lasso
    >>> recipe_of(LogisticRegression(C=0.5)) is None, recipe_of(Lasso()) is None
    (False, True)
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model, scaler = estimator, None
    if type(estimator) is Pipeline:
        *before, model = (step for _, step in estimator.steps)
        if len(before) > 1 or any(type(step) is not StandardScaler for step in before):
            return None
        scaler = before[0] if before else None
    if type(model) is LogisticRegression:
        fits = (
            model.penalty in ("deprecated", "l2", None)
            and not model.l1_ratio
            and not model.dual
            and model.solver != "liblinear"  # it shrinks the intercept too
            and not (isinstance(model.class_weight, Mapping) and 0 in model.class_weight.values())
        )
    elif type(model) is LinearRegression:
        fits = not model.positive
    elif type(model) is Ridge:
        fits = not model.positive and isinstance(model.alpha, int | float)
    else:
        fits = _is_class_prior(model)
    return Recipe(estimator, model, scaler) if fits else None


def _is_class_prior(model: Any) -> bool:
    from sklearn.dummy import DummyClassifier

    return type(model) is DummyClassifier and model.strategy == "prior"
