"""Fit one scikit-learn estimator per group: the work of a worker process, which needs no process."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.stored_estimator import dump_estimator

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

MODEL_FIELDS = (
    pa.field("status", pa.string()),
    pa.field("n_rows", pa.int64()),
    pa.field("n_missing", pa.int64()),
    pa.field("class_counts", pa.string()),
    pa.field("model", pa.binary()),
    pa.field("score", pa.float64()),
    pa.field("error", pa.string()),
)
PREDICTION = pa.schema([pa.field("prediction", pa.float64())])


@dataclass(frozen=True)
class Settings:
    """What a worker is told, beside the estimator.

    Parameters
    ----------
    features : how many; they are the first columns of a request, then come target, weight and fold.
    classes : the labels of a classifier; None for a number.
    weight_name : the argument of `fit` that takes the weights, if there are any.
    out_of_fold : predict each row from the others' folds, rather than fit all rows.
    """

    features: int
    classes: tuple[Any, ...] | None
    min_rows: int
    weight_name: str | None
    out_of_fold: bool

    def columns(self) -> list[str]:
        names = [f"feature_{i}" for i in range(self.features)] + ["target"]
        return names + ["weight"] * (self.weight_name is not None) + ["fold"] * self.out_of_fold

    def reply(self) -> pa.Schema:
        return PREDICTION if self.out_of_fold else model_schema(self.classes)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        read = json.loads(text)
        return cls(**{**read, "classes": read["classes"] and tuple(read["classes"])})


def model_schema(classes: tuple[Any, ...] | None) -> pa.Schema:
    """The columns of a fitted group; a regression has no class counts."""
    return pa.schema([f for f in MODEL_FIELDS if classes is not None or f.name != "class_counts"])


@dataclass(frozen=True)
class GroupFit:
    """Fits a copy of the estimator to each group's rows; the same rows give the same bytes."""

    estimator: Any
    settings: Settings

    def __call__(self, request: pa.RecordBatch) -> pa.RecordBatch:
        """Answer for groups, of which a request has one per row: a list of numbers in each column."""
        if self.settings.out_of_fold:
            predictions = [self.out_of_fold(*rows) for rows in self._groups(request)]
            flat = np.concatenate(predictions) if predictions else np.empty(0)
            return pa.RecordBatch.from_arrays([pa.array(flat, pa.float64())], schema=PREDICTION)
        fitted = [self.fit(*rows) for rows in self._groups(request)]
        return pa.RecordBatch.from_pylist(fitted, schema=self.settings.reply())

    def fit(self, x: Floats, y: Floats, weight: Floats, fold: Floats | None = None) -> dict[str, Any]:
        """The result row of one group, without its keys.

        Parameters
        ----------
        x : shape (rows, features).
        y, weight : shape (rows,).
        """
        usable = _usable(x, y, weight)
        row: dict[str, Any] = {"n_rows": len(y), "n_missing": int(len(y) - usable.sum())}
        used = usable & (weight > 0)
        x, y, weight = x[used], y[used], weight[used]
        single = False
        if self.settings.classes is not None:
            counts = self._counts(y, weight)
            single = bool(np.count_nonzero(counts) < 2)
            row["class_counts"] = _counts_json(self.settings.classes, counts)
        if len(y) < self.settings.min_rows:
            return {**row, "status": "too_few_rows"}
        if single:
            return {**row, "status": "single_class"}
        try:
            model = self._fitted(x, y, weight)
            score = self._score(model, x, y, weight)
            return {**row, "status": "fitted", "model": dump_estimator(model), "score": score}
        except Exception as error:  # of the user's estimator: the other groups go on
            return {**row, "status": "failed", "error": f"{type(error).__name__}: {error}"}

    def out_of_fold(self, x: Floats, y: Floats, weight: Floats, fold: Floats) -> Floats:
        """Shape (rows,): what a model of the other folds says of each row; NaN where there is none."""
        prediction = np.full(len(y), np.nan)
        usable = _usable(x, y, weight)
        for held_out in np.unique(fold[usable]):
            train = usable & (weight > 0) & (fold != held_out)
            asked = usable & (fold == held_out)
            prediction[asked] = self._predicted(x[train], y[train], weight[train], x[asked])
        return prediction

    def _predicted(self, x: Floats, y: Floats, weight: Floats, asked: Floats) -> Floats | float:
        classes = self.settings.classes
        few = len(y) < self.settings.min_rows
        if classes is None and few:
            return float(np.average(y, weights=weight)) if len(y) else np.nan
        if classes is not None:
            counts = self._counts(y, weight)
            if few or np.count_nonzero(counts) < 2:
                return float((counts[1] + 1) / (counts.sum() + 2))
        try:
            model = self._fitted(x, y, weight)
            if classes is None:
                return np.asarray(model.predict(asked), dtype=np.float64).reshape(len(asked))
            positive = list(model.classes_).index(classes[1])
            return np.asarray(model.predict_proba(asked)[:, positive], dtype=np.float64)
        except Exception:  # the fit of all rows tells which groups an estimator fails on, and why
            return np.nan

    def _fitted(self, x: Floats, y: Floats, weight: Floats) -> Any:
        from sklearn.base import clone

        np.random.seed(0)  # for what draws from NumPy's own generator: a splitter inside the estimator
        name = self.settings.weight_name
        model = clone(self.estimator)
        model.fit(x, self._labels(y), **({} if name is None else {name: weight}))
        return model

    def _score(self, model: Any, x: Floats, y: Floats, weight: Floats) -> float | None:
        takes = inspect.signature(model.score).parameters
        weighted = self.settings.weight_name is not None and "sample_weight" in takes
        score = float(model.score(x, self._labels(y), **({"sample_weight": weight} if weighted else {})))
        return score if np.isfinite(score) else None

    def _labels(self, y: Floats) -> npt.NDArray[Any]:
        classes = self.settings.classes
        return y if classes is None else np.asarray(classes)[y.astype(np.int64)]

    def _counts(self, y: Floats, weight: Floats) -> Floats:
        assert self.settings.classes is not None
        counts = np.bincount(y.astype(np.int64), weights=weight, minlength=len(self.settings.classes))
        return counts.astype(np.float64)

    def _groups(self, request: pa.RecordBatch) -> Iterator[tuple[Floats, ...]]:
        offsets = request.column(0).offsets.to_numpy()
        columns = [column.values.to_numpy() for column in request.columns]
        d = self.settings.features
        for start, end in pairwise(offsets.tolist()):
            x = np.column_stack([column[start:end] for column in columns[:d]])
            y, *others = (column[start:end] for column in columns[d:])
            if self.settings.weight_name is None:
                others.insert(0, np.ones(end - start))
            yield (x, y, *others)


def smoothed_rates(class_counts: str | Mapping[str, float]) -> dict[str, float]:
    """The rate of each class where no model could be fitted: (count + 1) / (rows + classes).

    Parameters
    ----------
    class_counts : the column of that name: the rows (the weight) of every class there is.

    Examples
    --------
    >>> smoothed_rates('{"no": 3, "yes": 0}')
    {'no': 0.8, 'yes': 0.2}
    """
    counts = json.loads(class_counts) if isinstance(class_counts, str) else class_counts
    total = sum(counts.values()) + len(counts)
    return {label: (count + 1) / total for label, count in counts.items()}


def _usable(x: Floats, y: Floats, weight: Floats) -> Flags:
    return np.asarray(np.isfinite(x).all(axis=1) & np.isfinite(y) & np.isfinite(weight))


def _counts_json(classes: tuple[Any, ...], counts: Floats) -> str:
    numbers = [int(count) if count.is_integer() else count for count in counts.tolist()]
    return json.dumps(dict(zip(map(str, classes), numbers, strict=True)), ensure_ascii=False)
