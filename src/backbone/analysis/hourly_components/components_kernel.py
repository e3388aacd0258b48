"""Kernel: the principal components of each hour, a row per hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.hourly_components.hour_matrix import Integers
from backbone.analysis.hourly_components.principal import Principal, principal
from backbone.analysis.kernels.compiled import Floats

Cells: TypeAlias = tuple[Integers, Integers, Floats]
FIELDS = (
    pa.field("days", pa.int32()),
    pa.field("users", pa.int32()),
    pa.field("total", pa.float64()),
    pa.field("active", pa.list_(pa.int32())),
    pa.field("squares", pa.list_(pa.float64())),
    pa.field("cluster", pa.list_(pa.int64())),
    pa.field("patterns", pa.list_(pa.float64())),
)


@dataclass(frozen=True)
class ComponentsKernel:
    """From the cells of each hour to its components, a `Principal` as a row.

    Parameters
    ----------
    calendar, explained : as for `principal`.
    """

    calendar: Integers | None
    explained: float

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, *FIELDS])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        found = [principal(*cells, self.calendar, self.explained) for _, cells in each(groups)]
        made = [_column(found, field) for field in FIELDS]
        return pa.RecordBatch.from_arrays(
            [*groups.keys.columns, *made], schema=self.schema(groups.keys.schema)
        )


def each(groups: Groups) -> Iterator[tuple[int, Cells]]:
    """The hour, and the cells of it in the order of users and days: code, day, events."""
    code, day = (np.asarray(groups.values[name], dtype=np.int32) for name in ("code", "day"))
    events = np.asarray(groups.values["events"], dtype=np.float64)
    for hour, (start, stop) in zip(groups.keys.column(0).to_pylist(), pairwise(groups.offsets), strict=True):
        yield hour, (code[start:stop], day[start:stop], events[start:stop])


def restored(hours: pa.Table, index: int) -> Principal:
    """What a row of the kernel's result tells of its hour."""
    row = {field.name: hours.column(field.name)[index] for field in FIELDS}
    days, active, squares = row["days"].as_py(), _array(row["active"]), _array(row["squares"])
    patterns = _array(row["patterns"]).reshape(len(active) + (days > len(active)), len(squares))
    return Principal(
        days, row["users"].as_py(), active, row["total"].as_py(), squares, _array(row["cluster"]), patterns
    )


def _array(values: pa.ListScalar) -> npt.NDArray[Any]:
    return np.array(values.values.to_numpy(zero_copy_only=False))


def _column(found: Sequence[Principal], field: pa.Field) -> pa.Array:
    values = [getattr(one, field.name) for one in found]
    return pa.array(map(np.ravel, values) if pa.types.is_list(field.type) else values, field.type)
