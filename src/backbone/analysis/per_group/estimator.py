"""`PerGroup`: one scikit-learn model for every group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError

from backbone.analysis.per_group.agreement import mean_agreement, refuse_unscored
from backbone.analysis.per_group.group_row import group_row
from backbone.analysis.per_group.kernel_path import KernelPath
from backbone.analysis.per_group.process_path import ProcessPath
from backbone.analysis.per_group.quality import MOST_FOLDS, CrossValidation
from backbone.analysis.per_group.recipe import Recipe, recipe_of
from backbone.analysis.per_group.scoring import Formula, model_of, refuse_taken_names
from backbone.analysis.per_group.training import TARGET, WEIGHT, Training, described, read_rows
from backbone.engines.as_rows import as_rows
from backbone.engines.rows import Rows
from backbone.resources import refuse_unusable

if TYPE_CHECKING:
    import numpy.typing as npt


class PerGroup(BaseEstimator):  # type: ignore[misc]
    """One scikit-learn model for every group of rows: every user, job or sensor.

    Millions of groups are fitted in seconds by compiled kernels, for `LogisticRegression` (binary, L2
    penalty or none), `LinearRegression`, `Ridge` and `DummyClassifier(strategy="prior")`, also behind a
    `StandardScaler` in a `Pipeline`. The result is the optimum, which scikit-learn's `newton-cholesky`
    reaches at a tight tolerance; solver, `tol` and `max_iter` of the estimator are not used. Any other
    estimator is fitted by scikit-learn in worker processes, which is slower by a factor of hundreds, and is
    kept as skops bytes. `path` says which way was taken.

    Every group gets a row in `table`, whatever happened to it: `status` is `fitted`; `single_class` (all
    rows in one class: the model is the smoothed class rate (k + 1) / (n + 2)); `too_few_rows` (fewer than
    `min_rows` usable ones: the smoothed rate too, of a regression the mean); `not_converged` (no finite
    optimum, as for separable classes without a penalty); or `failed` (scikit-learn raised an error).
    A row with a missing or infinite feature, target or weight is left out of the fit and counted in
    `n_missing`; `n_rows` counts all rows. A weight of 2 means the same as the row twice, except to a
    `StandardScaler`, which takes no weights here as in scikit-learn. Rows without a key (null or NaN) belong
    to no group; `rows_without_key_` counts them.

    Parameters
    ----------
    estimator : an unfitted scikit-learn estimator.
    prior : None for models that know nothing of each other, or "global": each group's coefficients and
        intercept are pulled towards those of one model of all rows, by a penalty in standardised units of
        ½ · strength · ‖difference‖², in place of the estimator's own.
    strength : of the pull, "cv" to choose it by five-fold cross-validation, which `strengths_` then shows.
    classes : the labels of the target, the one whose probability is stored last; found in the data
        unless given.
    min_rows : groups with fewer usable rows are not fitted.
    memory_limit, threads : of the engine that sorts the rows, where the data is in none.

    Attributes
    ----------
    path : "kernel" or "processes".
    classes_ : the labels of the target in order; None for a regression.
    strengths_ : each strength that was tried and the loss on left-out rows (nats, or the target's unit
        squared); None where none was chosen.
    rows_without_key_ : how many rows belong to no group.
    by_, features_, target_, weight_ : the columns of the fit.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> offers = pa.table(
    ...     {
    ...         "userid": [1, 1, 1, 1, 1, 2, 2, 2, 2, 2],
    ...         "asktimes": [2, 2, 4, 4, 6, 2, 2, 4, 4, 6],
    ...         "bought_offer": [0, 0, 1, 1, 1, 0, 0, 0, 0, 1],
    ...     }
    ... )
    >>> models = PerGroup(LogisticRegression()).fit(
    ...     offers, by="userid", features=["asktimes"], target="bought_offer"
    ... )
    >>> models.table.select(["userid", "status", "n_rows", "n_positive"]).to_pylist()[1]
    {'userid': 2, 'status': 'fitted', 'n_rows': 5, 'n_positive': 1}
    >>> models.predict_proba(pa.table({"userid": [2, 1], "asktimes": [6, 6]}))[:, 1].round(3).tolist()
    [0.587, 0.966]
    >>> models[2].coef_.round(3).tolist()
    [[0.949]]
    """

    def __init__(
        self,
        estimator: Any,
        *,
        prior: str | None = None,
        strength: float | str = "cv",
        classes: Sequence[Any] | None = None,
        min_rows: int = 1,
        memory_limit: str = "4GB",
        threads: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.prior = prior
        self.strength = strength
        self.classes = classes
        self.min_rows = min_rows
        self.memory_limit = memory_limit
        self.threads = threads
        self._recipe()  # what can't be meant is told at once

    def fit(
        self,
        data: Any,
        *,
        by: str | Sequence[str],
        features: Sequence[str],
        target: str,
        weight: str | None = None,
    ) -> Self:
        """Fit a model to every group.

        Parameters
        ----------
        data : anything that exports an Arrow stream (a pyarrow, Polars or pandas table, a DuckDB relation),
            the path or paths of Parquet files, or `Rows` of a pipeline's step. It need not be sorted.
        by : the column or columns that identify a group.
        features, target, weight : columns. Features and weights are numbers.

        Raises
        ------
        ValueError
            When a column is missing or of the wrong kind, or a weight is negative.
        """
        with self._training(data, by, features, target, weight) as training:
            way = self._path(training)
            staged, rows = way.fit(training, to_file=isinstance(data, Rows)), training.rows
            models = Rows.of(rows.engine, staged, rows.versions)
            table = None if isinstance(data, Rows) else models.table()  # before the engine is gone
        self.by_, self.features_, self.target_, self.weight_ = (
            training.names,
            training.features,
            target,
            weight,
        )
        self.classes_, self.rows_without_key_ = training.classes, training.rows_without_key
        self.path, self.strengths_ = way.name, way.strengths
        self._way, self._flags = way, training.flags
        self._rows: Rows | None = models if table is None else None
        self._table: pa.Table | None = table
        return self

    @property
    def rows(self) -> Rows:
        """The models inside the engine that held the data, for a pipeline's step to return."""
        self._refuse_unfitted()
        if self._rows is None:
            raise AttributeError("rows are there only where `Rows` were fitted; use table")
        return self._rows

    @property
    def table(self) -> pa.Table:
        """The models: one row per group, in the order of the groups."""
        self._refuse_unfitted()
        if self._table is None:
            self._table = self.rows.table()
        return self._table

    def __getitem__(self, key: Any) -> Any:
        """The fitted scikit-learn estimator of a group; its key is a tuple where several columns make it.

        Raises
        ------
        KeyError
            When there is no such group, or it has no model.
        """
        self._refuse_unfitted()
        found = group_row(self.table, self.by_, key)
        estimator = self._way.estimator(found)
        if estimator is None:
            raise KeyError(f"{key!r} has no model: {found['status']}")
        return estimator

    def predict_proba(self, data: Any) -> npt.NDArray[np.float64]:
        """Shape (rows, classes): the probability of each class by the model of the row's group.

        NaN where a feature is missing or the group has no model; with a prior, a group that was not seen in
        fitting has the model of all groups.

        Parameters
        ----------
        data : as for `fit`; the columns of the key and the features. Rows keep their order.
        """
        if self.classes_ is None:
            raise AttributeError(
                f"{self.estimator!r} is no classifier; it has predict(), not predict_proba()"
            )
        return self._probabilities(self._read(data))

    def predict(self, data: Any) -> npt.NDArray[Any]:
        """Shape (rows,): the class, or the value, that the model of the row's group predicts.

        Parameters
        ----------
        data : as for `predict_proba`.

        Raises
        ------
        ValueError
            When a class can't be predicted: a missing feature, or a group without a model. A value is NaN.
        """
        rows = self._read(data)
        if self.classes_ is None:
            return self._values(rows)
        probabilities = self._probabilities(rows)
        self._refuse_unscored(np.isnan(probabilities[:, 0]), rows)
        return np.asarray(np.array(self.classes_)[np.argmax(probabilities, axis=1)])

    def score(self, data: Any) -> float:
        """The accuracy, or R² of a regression, over all rows; by weight, where models were fitted with one.

        Rows with a missing value are left out. R² is scikit-learn's `r2_score`: of a target that never
        varies 1 where it is met exactly and 0 otherwise, and NaN, with a warning, of one row.

        Parameters
        ----------
        data : as for `fit`.

        Raises
        ------
        ValueError
            When a group has no model, or there is no row; when the target is of another type than its labels.
        """
        rows = self._read(data, judged=True)
        truth = rows.column(TARGET).to_numpy()
        weight = rows.column(WEIGHT).to_numpy() if self.weight_ is not None else np.ones(len(truth))
        if self.classes_ is None:
            found = self._values(rows)
        else:
            probabilities = self._probabilities(rows)
            found = np.where(np.isnan(probabilities[:, 0]), np.nan, np.argmax(probabilities, axis=1))
        complete = np.isfinite(truth) & np.isfinite(weight)
        for name in self.features_:
            complete &= np.isfinite(rows.column(name).to_numpy())
        self._refuse_unscored(complete & np.isnan(found), rows)
        truth, found, weight = truth[complete], found[complete], weight[complete]
        return mean_agreement(truth, found, weight, classifies=self.classes_ is not None)

    def cross_validate(
        self,
        data: Any,
        *,
        by: str | Sequence[str],
        features: Sequence[str],
        target: str,
        weight: str | None = None,
        k: int = 5,
    ) -> CrossValidation:
        """How good such models are on rows that they were not fitted on; does not change this object.

        A row's fold is a hash of its content, so that it is the same in every run, whatever the order.

        Parameters
        ----------
        data, by, features, target, weight : as for `fit`.
        k : the number of folds.
        """
        if not 2 <= k <= MOST_FOLDS:
            raise ValueError(f"expected k of 2 to {MOST_FOLDS} folds, found {k}")
        with self._training(data, by, features, target, weight) as training:
            predictions = self._path(training).out_of_fold(training, k)
            found = CrossValidation(training, predictions, k, classifies=training.classes is not None)
            if not isinstance(data, Rows):
                found.read()  # before the engine is gone
        return found

    def to_sql(
        self,
        models: str = "models",
        rows: str = "rows",
        *,
        every_group: bool = False,
        score: str = "backbone_score",
        probability: str = "probability",
    ) -> str:
        """A SELECT that scores rows by the stored table of models, without Python.

        Of a classifier, the probability is that of the last of `classes_`, as `predict_proba` gives it, and
        the score is its logit. Of a regression, the score is the prediction, as `predict` gives it. Null
        where a row can't be scored.

        Parameters
        ----------
        models : the name of the table that holds `table`.
        rows : the name of the table to score, with the columns of the key and the features.
        every_group : score every row for every group; the rows need no key then.
        score, probability : what to call the columns that are added; no column of the rows may be called so.

        Raises
        ------
        ValueError
            When the models are not of the kernel path: nothing but scikit-learn can use skops bytes. When
            a key or a feature is called as a column that is added.
        """
        self._refuse_unfitted()
        if not isinstance(self._way, KernelPath):
            raise ValueError(
                f"{self.estimator!r} has no formula that SQL could use; score with predict_proba()"
            )
        likely = None if self.classes_ is None else probability
        refuse_taken_names([*self.by_, *self.features_], score, likely)
        formula = Formula(self.by_, self._way.scored, self._flags, self._way.everywhere, score, likely)
        return formula.sql(models, rows, every_group=every_group)

    def _recipe(self) -> Recipe | None:
        """How kernels would fit the estimator; None where they can't.

        Raises
        ------
        ValueError
            When the settings contradict each other.
        """
        if self.prior not in (None, "global"):
            raise ValueError(f"expected prior None or 'global', found {self.prior!r}")
        if not (self.strength == "cv" or (isinstance(self.strength, int | float) and self.strength > 0)):
            raise ValueError(f"expected strength 'cv' or a number above 0, found {self.strength!r}")
        refuse_unusable(self.memory_limit, self.threads)
        recipe = recipe_of(self.estimator)
        if self.prior is not None and (recipe is None or recipe.is_class_rate):
            raise ValueError(
                f"a prior needs LogisticRegression, LinearRegression or Ridge; found {self.estimator!r}"
            )
        return recipe

    def _refuse_unfitted(self) -> None:
        if not hasattr(self, "_way"):
            raise NotFittedError("these models are not fitted yet; call fit() first")

    @contextmanager
    def _training(
        self, data: Any, by: str | Sequence[str], features: Sequence[str], target: str, weight: str | None
    ) -> Iterator[Training]:
        """The rows to learn from, as an engine holds them."""
        if isinstance(features, str):
            raise ValueError(f"expected a list of features, found the text {features!r}")
        if not is_classifier(self.estimator) and not is_regressor(self.estimator):
            raise ValueError(f"expected a classifier or a regressor, found {self.estimator!r}")
        self._recipe()  # once more, for parameters can be set
        keys, classifies = (by,) if isinstance(by, str) else tuple(by), is_classifier(self.estimator)
        columns = [*keys, *features, target, *([weight] if weight is not None else [])]
        with as_rows(data, columns, self.memory_limit, self.threads) as rows:
            yield described(rows, keys, features, target, weight, classes=self.classes, classifies=classifies)

    def _path(self, training: Training) -> KernelPath | ProcessPath:
        """The kernels where there is one for the estimator and these classes, and scikit-learn otherwise."""
        recipe = self._recipe()
        if recipe is not None and (training.classes is None or len(training.classes) == 2):
            strength = None if self.prior is None else self.strength
            return KernelPath(recipe, training.features, training.classes, self.min_rows, strength)
        if self.prior is not None:
            raise ValueError(f"a prior needs two classes, found {len(training.classes or ())}")
        return ProcessPath(self.estimator, training.features, training.classes, self.min_rows)

    def _read(self, data: Any, *, judged: bool = False) -> pa.Table:
        """The key and the features of rows to score as kernels see them; to judge, target and weight too."""
        self._refuse_unfitted()
        target, weight = (self.target_, self.weight_) if judged else (None, None)
        columns = [*self.by_, *self.features_, *(name for name in (target, weight) if name is not None)]
        with as_rows(data, columns, self.memory_limit, self.threads) as rows:
            return read_rows(rows, self.by_, self.features_, target, weight, self.classes_)

    def _probabilities(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        return self._way.probabilities(self.table, model_of(self.table, rows, self.by_), rows)

    def _values(self, rows: pa.Table) -> npt.NDArray[np.float64]:
        return self._way.values(self.table, model_of(self.table, rows, self.by_), rows)

    def _refuse_unscored(self, unscored: npt.NDArray[np.bool_], rows: pa.Table) -> None:
        refuse_unscored(unscored, rows.select([*self.by_, *self.features_]))
