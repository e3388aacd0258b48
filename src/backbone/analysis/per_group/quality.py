"""How good models are on rows that they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups, Kernel
from backbone.analysis.per_group.training import FOLD, TARGET, WEIGHT, Training
from backbone.contract import quote_identifier
from backbone.engines.held import fresh
from backbone.engines.rows import Rows

MOST_FOLDS = 127
PREDICTIONS = ("target", "prediction", "weight")  # a row each, beside the key


class CrossValidation:
    """Quality on rows that were left out while fitting.

    Parameters
    ----------
    rows, overall_rows : `table` and `overall`, inside the engine.
    k : the number of folds.
    """

    def __init__(self, rows: Rows, overall_rows: Rows, k: int) -> None:
        self.rows = rows
        self.overall_rows = overall_rows
        self.k = k

    def read(self) -> None:
        """Read both, after which the engine is not needed."""
        _ = self.table, self.overall

    @cached_property
    def table(self) -> pa.Table:
        """One row per group.

        Of a classifier: `n_rows` (those scored), `n_positive`, `accuracy`, `log_loss` (nats), `auc` (null
        where only one class occurs); of a regression: `n_rows`, `mean_squared_error`, `r2`.
        """
        return self.rows.table()

    @cached_property
    def overall(self) -> dict[str, Any]:
        """The same over all rows of all groups; empty where there are none."""
        found: list[dict[str, Any]] = self.overall_rows.table().to_pylist()
        return found[0] if found else {}

    def drop(self) -> None:
        """Let the engine forget the rows."""
        self.rows.drop()
        self.overall_rows.drop()


def folded(training: Training, k: int) -> Training:
    """The rows as kernels see them, with a fold each; staged, in the order of the groups."""
    columns = (*training.features, TARGET, *([WEIGHT] if training.weight is not None else []))
    staged = training.map_groups(FoldedRows(columns, k))
    return replace(
        training,
        rows=Rows(training.rows.engine, f"select * from {staged}", staged=(staged,)),
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


def judged(training: Training, predictions: str, k: int, *, classifies: bool) -> CrossValidation:
    """Judge staged predictions, per group and over all rows."""
    from backbone.analysis.kernels.metrics import ClassifierMetricsKernel, RegressionMetricsKernel

    kind: Callable[..., Kernel] = ClassifierMetricsKernel if classifies else RegressionMetricsKernel
    engine = training.rows.engine
    values = {name: name for name in PREDICTIONS}
    found = []
    for by, order in ((training.by, ()), ((), ("prediction",))):
        staged = fresh("quality")
        listed = ", ".join([*map(quote_identifier, by), *PREDICTIONS])
        work = training.work(kind(*PREDICTIONS), by)
        engine.map_groups(staged, f"select {listed} from {predictions}", by, values, work, order=order)
        found.append(Rows(engine, training.shown(staged), training.rows.versions, (staged,)))
    engine.drop(predictions)
    return CrossValidation(found[0], found[1], k)
