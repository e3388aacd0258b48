"""How much each user of an hour stands out in the directions that are kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backbone.analysis.hourly_components.hour_matrix import BLOCK, HourMatrix, Integers, Positions, totals
from backbone.analysis.hourly_components.principal import TIE, Principal
from backbone.analysis.hourly_components.projection import Room, project, room
from backbone.analysis.kernels.compiled import Floats, compiled


class Scores(NamedTuple):
    """Of each user, shape (users,).

    Parameters
    ----------
    days, events : on how many of the days they were active, and how many events they had.
    component : its rank; 0 where nothing of the user's varies.
    """

    code: Integers
    days: Integers
    events: Floats
    score: Floats
    relative: Floats
    share: Floats
    component: Integers


def scored(code: Integers, matrix: HourMatrix, found: Principal) -> Scores:
    """How much each user of a matrix stands out in its hour."""
    n, first = matrix.users, matrix.starts[:-1]
    score, share, component = np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.int32)
    relative = score
    if len(found.squares):
        part = found.squares / np.sum(found.squares)
        _score(matrix, room(found.weights), part, found.cluster, score, share, component)
        size = np.bincount(found.cluster)[component - 1]
        np.minimum(score, 1.0, out=score)  # but for rounding
        relative = score * np.sqrt(found.users / size)
    days = np.diff(matrix.starts).astype(np.int32)
    return Scores(code[first], days, totals(matrix), score, relative, share, component)


@compiled
def _score(
    matrix: HourMatrix,
    space: Room,
    part: Floats,
    cluster: Positions,
    score: Floats,
    share: Floats,
    component: Integers,
) -> None:
    entries, users = space.entries, space.user
    total, largest, rank = np.zeros(BLOCK), np.zeros(BLOCK), np.zeros(BLOCK)
    for filled in (True, False):
        user = 0
        while user < len(score):
            user, lanes = project(matrix, space, user, filled)
            for lane in range(BLOCK):
                total[lane] = largest[lane] = rank[lane] = 0.0
            for k in range(len(part)):
                for lane in range(BLOCK):
                    entries[k, lane] *= entries[k, lane]
                    total[lane] += part[k] * entries[k, lane]
            for k in range(len(part)):
                if cluster[k] < k:  # the first of a cluster stands for all
                    for lane in range(BLOCK):
                        entries[cluster[k], lane] += entries[k, lane]
            for k in range(len(part)):
                if cluster[k] == k:
                    for lane in range(BLOCK):
                        largest[lane] = max(largest[lane], entries[k, lane])
            for k in range(len(part) - 1, -1, -1):
                if cluster[k] == k:
                    for lane in range(BLOCK):  # of equal ones the first
                        if entries[k, lane] >= largest[lane] * (1.0 - TIE):
                            rank[lane] = k + 1.0
            for lane in range(lanes):
                score[users[lane]] = np.sqrt(largest[lane])
                share[users[lane]] = total[lane]
                component[users[lane]] = rank[lane] if largest[lane] > 0.0 else 0
