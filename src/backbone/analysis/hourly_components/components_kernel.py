"""Kernel: the components of each hour, and how much each of its users stands out.

Both are made in one go, because handing the cells over takes as long as working on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.hourly_components.hour_matrix import Integers
from backbone.analysis.hourly_components.principal import Principal, analysed
from backbone.analysis.hourly_components.scores import scored
from backbone.analysis.kernels.compiled import Floats

Cells: TypeAlias = tuple[Integers, Integers, Floats]
SCORES = (
    pa.field("code", pa.int32()),
    pa.field("days", pa.int32()),
    pa.field("events", pa.float64()),
    pa.field("score", pa.float64()),
    pa.field("relative", pa.float64()),
    pa.field("share", pa.float64()),
    pa.field("component", pa.int32()),
)
FOUND = pa.field("found", pa.list_(pa.float64()))


@dataclass(frozen=True)
class ComponentsKernel:
    """From the cells of each hour to a row for the hour and one for each user who was active in it.

    A user's row has what `Scores` tells. The hour's has nothing but `found`, the numbers of its `Principal`,
    which the others lack.

    Parameters
    ----------
    calendar, explained : as for `principal`.
    """

    calendar: Integers | None
    explained: float

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, *SCORES, FOUND])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        schema = self.schema(groups.keys.schema)
        batches = []
        for index, (_, cells) in enumerate(each(groups)):
            found, matrix = analysed(*cells, self.calendar, self.explained)
            scores = scored(cells[0], matrix, found)
            key = groups.keys.slice(index, 1)
            nothing = [pa.nulls(1, field.type) for field in SCORES]
            numbers = pa.array([found.numbers], FOUND.type)
            batches.append(pa.RecordBatch.from_arrays([*key.columns, *nothing, numbers], schema=schema))
            *columns, component = scores
            made = [*map(pa.array, columns), pa.array(component, mask=component == 0)]
            rows = len(component)
            keys = key.take(pa.array(np.zeros(rows, dtype=np.int32))).columns
            batches.append(
                pa.RecordBatch.from_arrays([*keys, *made, pa.nulls(rows, FOUND.type)], schema=schema)
            )
        return pa.concat_batches(batches)


def each(groups: Groups) -> Iterator[tuple[int, Cells]]:
    """The hour, and the cells of it in the order of users and days: code, day, events."""
    code, day = (np.asarray(groups.values[name], dtype=np.int32) for name in ("code", "day"))
    events = np.asarray(groups.values["events"])
    for hour, (start, stop) in zip(groups.keys.column(0).to_pylist(), pairwise(groups.offsets), strict=True):
        yield hour, (code[start:stop], day[start:stop], events[start:stop].astype(np.float64, copy=False))


def restored(hours: pa.Table) -> dict[int, Principal]:
    """What was found in each hour, from the rows that tell it: `hour` and `found`."""
    found = zip(hours.column("hour").to_pylist(), hours.column("found"), strict=True)
    return {hour: Principal.of_numbers(numbers.values.to_numpy()) for hour, numbers in found}
