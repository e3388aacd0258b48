"""Kernel: the days that make users stand out, with their counts; a row per hour, user and day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.hourly_components.components_kernel import each
from backbone.analysis.hourly_components.hour_matrix import Events, Integers, centre, fill
from backbone.analysis.hourly_components.principal import TIE, Principal
from backbone.analysis.hourly_components.scores import scored
from backbone.analysis.kernels.compiled import Floats

ENOUGH = 0.5  # of a score is made by the days that are listed


class Drivers(NamedTuple):
    """The days that drive one user's score, the strongest first.

    Parameters
    ----------
    day, events : shape (days,).
    part : shape (days,); of the score; all days together make 1.
    usual : the median of the counts of all days.
    """

    day: Integers
    events: Floats
    part: Floats
    usual: float


@dataclass(frozen=True)
class DriversKernel:
    """From the cells of each hour's outliers to the days that drive their scores, as few as make up half.

    Parameters
    ----------
    hours : the components of every hour.
    calendar : as for `principal`.
    """

    hours: Mapping[int, Principal]
    calendar: Integers | None

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema(
            [
                *keys,
                pa.field("code", pa.int32()),
                pa.field("position", pa.int32()),
                pa.field("day", pa.int32()),
                pa.field("events", pa.float64()),
                pa.field("part", pa.float64()),
                pa.field("usual", pa.float64()),
            ]
        )

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        schema = self.schema(groups.keys.schema)
        batches = []
        for index, (hour, cells) in enumerate(each(groups)):
            found = drivers(*cells, self.hours[hour], self.calendar)
            lengths = [len(one.day) for one in found]
            key = groups.keys.take(pa.array(np.full(sum(lengths), index))).columns
            columns = [
                np.repeat(np.unique(cells[0]), lengths),
                np.concatenate([np.arange(1, length + 1, dtype=np.int32) for length in lengths]),
                np.concatenate([one.day for one in found]),
                np.concatenate([one.events for one in found]),
                np.concatenate([one.part for one in found]),
                np.repeat([one.usual for one in found], lengths),
            ]
            batches.append(pa.RecordBatch.from_arrays([*key, *map(pa.array, columns)], schema=schema))
        return pa.concat_batches(batches)


def drivers(
    code: Integers, day: Integers, events: Events, found: Principal, calendar: Integers | None
) -> list[Drivers]:
    """The days that drive the score of each user; none for a score of 0.

    An entry of a direction is the sum of count × weight over the days. A score is the length of a user's
    entries over a cluster, and a day's part what it adds along them, by the part of the whole length.

    Parameters
    ----------
    code, day, events : shape (cells,); of some of the hour's users, in their order.
    """
    matrix = found.matrix(code, day, events)
    scores = scored(code, matrix, found)
    calendar = found.active if calendar is None else calendar
    days = np.append(found.active, np.setdiff1d(calendar, found.active))
    row = np.minimum(np.arange(len(days)), len(matrix.root) - 1)  # the quiet days share the last
    listed = []
    for user, (start, stop) in enumerate(pairwise(matrix.starts)):
        counts = np.zeros(len(days))
        counts[matrix.place[day[start:stop] - matrix.first]] = events[start:stop]
        usual, score = float(np.median(counts)), scores.score[user]
        if score == 0.0:
            listed.append(Drivers(days[:0], counts[:0], counts[:0], usual))
            continue
        weights = found.weights[found.cluster == scores.component[user] - 1]
        block = np.zeros((len(matrix.root), 1))
        fill(matrix, np.array([user]), block)
        centre(block, matrix.root, matrix.days, np.empty(1))
        column = block[:, 0]
        part = (column * (column @ weights.T @ weights) / (score * matrix.root) ** 2)[row]
        order = np.lexsort((days, -counts, -np.round(part / TIE)))  # of equal days those with events
        enough = int(np.argmax(np.cumsum(part[order]) >= ENOUGH - TIE)) + 1
        strongest = order[:enough]
        listed.append(Drivers(days[strongest], counts[strongest], part[strongest], usual))
    return listed
