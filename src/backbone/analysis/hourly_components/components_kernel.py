"""Kernel: the components of each hour, and how much each of its users stands out.

Both are made in one go, because handing the cells over takes as long as working on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.hourly_components.hour_matrix import Events, Integers
from backbone.analysis.hourly_components.principal import Principal, analysed
from backbone.analysis.hourly_components.scores import scored

Cells: TypeAlias = tuple[Integers, Integers, Events]
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
    """From the cells of each hour to a row for each user who was active in it: what `Scores` tells.

    The first of an hour has `found` too, the numbers of its `Principal`.

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
            *columns, component = scored(cells[0], matrix, found)
            rows = len(component)
            numbers = pa.concat_arrays(
                [pa.array([found.numbers], FOUND.type), pa.nulls(rows - 1, FOUND.type)]
            )
            key = groups.keys.take(pa.array(np.full(rows, index))).columns
            made = [*map(pa.array, columns), pa.array(component, mask=component == 0), numbers]
            batches.append(pa.RecordBatch.from_arrays([*key, *made], schema=schema))
        return pa.concat_batches(batches)


def each(groups: Groups) -> Iterator[tuple[int, Cells]]:
    """The hour, and the cells of it in the order of users and days: code, day, events."""
    code, day = (np.asarray(groups.values[name], dtype=np.int32) for name in ("code", "day"))
    events: Any = groups.values["events"]
    if events.dtype != np.int32:  # what is not counted is added up
        events = np.asarray(events, dtype=np.float64)
    for hour, (start, stop) in zip(groups.keys.column(0).to_pylist(), pairwise(groups.offsets), strict=True):
        yield hour, (code[start:stop], day[start:stop], events[start:stop])


def restored(hours: pa.Table) -> dict[int, Principal]:
    """What was found in each hour, from the rows that tell it: `hour` and `found`."""
    found = zip(hours.column("hour").to_pylist(), hours.column("found"), strict=True)
    return {hour: Principal.of_numbers(numbers.values.to_numpy()) for hour, numbers in found}
