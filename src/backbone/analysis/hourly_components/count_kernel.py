"""Kernel: the events of each cell, a row per hour, user and day on which there were any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.hourly_components.hour_matrix import Integers, Positions
from backbone.analysis.kernels.compiled import compiled


@dataclass(frozen=True)
class CountKernel:
    """From rows in the order of users and days to one row for each user and day.

    Parameters
    ----------
    weighted : whether rows have an `amount` to be added up; otherwise each is one event.
    """

    weighted: bool

    def schema(self, keys: pa.Schema) -> pa.Schema:
        events = pa.field("events", pa.float64() if self.weighted else pa.int32())
        return pa.schema([*keys, pa.field("code", pa.int32()), pa.field("day", pa.int32()), events])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        code, day = (np.asarray(groups.values[name], dtype=np.int32) for name in ("code", "day"))
        first = _first(code, day, groups.offsets)
        if self.weighted:
            events = np.add.reduceat(groups.values["amount"], first)
        else:
            events = np.diff(first, append=len(code)).astype(np.int32)
        group = np.searchsorted(groups.offsets, first, side="right") - 1
        columns = [pa.array(column) for column in (code[first], day[first], events)]
        return pa.RecordBatch.from_arrays(
            [*groups.keys.take(pa.array(group)).columns, *columns], schema=self.schema(groups.keys.schema)
        )


@compiled
def _first(code: Integers, day: Integers, offsets: Positions) -> Positions:
    """Shape (cells,): where the rows of each cell begin."""
    first = np.empty(len(code), dtype=np.int64)
    cells = 0
    for group in range(len(offsets) - 1):
        for i in range(offsets[group], offsets[group + 1]):
            if i == offsets[group] or code[i] != code[i - 1] or day[i] != day[i - 1]:
                first[cells] = i
                cells += 1
    return first[:cells]
