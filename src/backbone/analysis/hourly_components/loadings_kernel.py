"""Kernel: each user's entries in the directions of each hour, a row per hour and user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.hourly_components.components_kernel import each
from backbone.analysis.hourly_components.hour_matrix import HourMatrix
from backbone.analysis.hourly_components.principal import Principal
from backbone.analysis.hourly_components.projection import Room, project, room
from backbone.analysis.kernels.compiled import Floats, compiled


@dataclass(frozen=True)
class LoadingsKernel:
    """From the cells of each hour to the entries of its users, in the order of the components.

    Parameters
    ----------
    hours : the components of every hour.
    """

    hours: Mapping[int, Principal]

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema([*keys, pa.field("code", pa.int32()), pa.field("loadings", pa.list_(pa.float64()))])

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        schema = self.schema(groups.keys.schema)
        batches = []
        for index, (hour, cells) in enumerate(each(groups)):
            found, matrix = self.hours[hour], self.hours[hour].matrix(*cells)
            code, entries = cells[0][matrix.starts[:-1]], loadings(matrix, found)
            ends = np.arange(len(code) + 1, dtype=np.int32) * np.int32(entries.shape[1])
            lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(entries.ravel()))
            key = groups.keys.take(pa.array(np.full(len(code), index))).columns
            batches.append(pa.RecordBatch.from_arrays([*key, pa.array(code), lists], schema=schema))
        return pa.concat_batches(batches)


def loadings(matrix: HourMatrix, found: Principal) -> Floats:
    """Shape (users, components): the entries of the directions."""
    result = np.zeros((matrix.users, len(found.squares)))
    if len(found.squares):
        _load(matrix, room(found.weights), result)
    return result


@compiled
def _load(matrix: HourMatrix, space: Room, result: Floats) -> None:
    for filled in (True, False):
        user = 0
        while user < len(result):
            user, lanes = project(matrix, space, user, filled)
            for lane in range(lanes):
                for k in range(result.shape[1]):
                    result[space.user[lane], k] = space.entries[k, lane]
