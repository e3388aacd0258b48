"""How good models are on rows that they were not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from backbone.analysis.group_task import KernelTask, map_groups
from backbone.analysis.groups import Groups
from backbone.analysis.per_group.training import FOLD, TARGET, WEIGHT, Training
from backbone.engines.relation import Relation
from backbone.engines.rows import Rows
from backbone.quoting import quote_identifier

MOST_FOLDS = 127
PREDICTIONS = ("target", "prediction", "weight")  # a row each, beside the key


class CrossValidation:
    """Quality on rows that were left out while fitting.

    Parameters
    ----------
    training : the rows that were predicted.
    predictions : the staged table with a prediction for each.
    k : the number of folds.
    classifies : whether they are probabilities of a class.

    Attributes
    ----------
    table, overall : what was found; `rows` and `overall_rows` are the same inside the engine. Each is
        computed when it is first asked for.
    """

    def __init__(self, training: Training, predictions: Relation, k: int, *, classifies: bool) -> None:
        self.k = k
        self._training, self._predictions, self._classifies = training, predictions, classifies

    @cached_property
    def rows(self) -> Rows:
        """`table`, inside the engine."""
        return self._judged(self._training.by, ())

    @cached_property
    def overall_rows(self) -> Rows:
        """`overall`, inside the engine."""
        return self._judged((), ("prediction",))

    @cached_property
    def table(self) -> pa.Table:
        """One row per group.

        Of a classifier: `n_rows` (those scored), `n_positive`, `accuracy` (0 to 1), `log_loss` (nats), `auc`
        (0 to 1; null where only one class occurs); of a regression: `n_rows`, `mean_squared_error` (the
        target's unit, squared), `r2`.
        """
        return self.rows.table()

    @cached_property
    def overall(self) -> dict[str, Any]:
        """The same over all rows of all groups; empty where there are none."""
        found: list[dict[str, Any]] = self.overall_rows.table().to_pylist()
        return found[0] if found else {}

    def read(self) -> None:
        """Read both, after which the engine is not needed."""
        _ = self.table, self.overall

    def _judged(self, by: Sequence[str], order: Sequence[str]) -> Rows:
        """Judge the predictions, all of a group together."""
        from backbone.analysis.kernels.metrics import ClassifierMetricsKernel, RegressionMetricsKernel

        kind = ClassifierMetricsKernel if self._classifies else RegressionMetricsKernel
        engine, versions = self._training.rows.engine, self._training.rows.versions
        listed = ", ".join([*map(quote_identifier, by), *PREDICTIONS])
        sql = f"select {listed} from {self._predictions}"
        values = {name: name for name in PREDICTIONS}
        kernel = kind(*PREDICTIONS)
        select = self._training.called(kernel.schema(pa.schema([(name, pa.null()) for name in by])).names)
        staged = map_groups(engine, sql, KernelTask(kernel, by, values, order), select=select)
        return Rows(engine, f"select * from {staged}", versions, (staged, self._predictions))


def folded(training: Training, k: int) -> Training:
    """The rows as kernels see them, with a fold each; staged, in the order of the groups."""
    columns = (*training.features, TARGET, *([WEIGHT] if training.weight is not None else []))
    staged = training.map_groups(FoldedRows(columns, k))
    return replace(
        training,
        rows=Rows.of(training.rows.engine, staged),
        target=TARGET,
        classes=None,
        others=(FOLD,),
        rows_without_key=0,
    )


class FoldedRows:
    """A kernel that gives every row its fold, a number from 0 to before `k`."""

    def __init__(self, columns: tuple[str, ...], k: int) -> None:
        self.columns = columns
        self.k = k

    def schema(self, keys: pa.Schema) -> pa.Schema:
        values = [pa.field(name, pa.float64()) for name in self.columns]
        return pa.schema([*keys, *values, pa.field(FOLD, pa.int8())])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        from backbone.analysis.kernels.folds import fold_of

        group = np.repeat(np.arange(len(groups)), np.diff(groups.offsets))
        keys = groups.keys.take(pa.array(group)).columns
        values = [pa.array(groups.values[name]) for name in self.columns]
        fold = pa.array(fold_of(groups, self.columns, self.k))
        return pa.RecordBatch.from_arrays([*keys, *values, fold], schema=self.schema(groups.keys.schema))
