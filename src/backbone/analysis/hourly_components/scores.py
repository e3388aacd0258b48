"""How much each user of an hour stands out in the directions that are kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backbone.analysis.hourly_components.hour_matrix import BLOCK, HourMatrix, Integers, Positions
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
    n = matrix.users
    whose, days, component = (np.empty(n, dtype=np.int32) for _ in range(3))
    events, score, relative, share = (np.empty(n) for _ in range(4))
    scores = Scores(whose, days, events, score, relative, share, component)
    size = np.bincount(found.cluster, minlength=len(found.cluster))
    _score(
        code, matrix, room(found.weights), found.squares / np.sum(found.squares), size, found.users, scores
    )
    return scores


@compiled
def _score(
    code: Integers,
    matrix: HourMatrix,
    space: Room,
    part: Floats,
    size: Positions,
    active: int,
    scores: Scores,
) -> None:
    """Fill the scores.

    Parameters
    ----------
    part : shape (components,); of what all of them explain.
    size : shape (components,); how many there are in the cluster of which this is the first; else 0.
    active : how many users the hour has.
    """
    entries, starts, last = space.entries, matrix.starts, len(part) - 1
    whose, days, events, score, relative, share, component = scores
    total, largest, rank = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for filled in (True, False):
        following = 0
        while following < len(starts) - 1:
            following, lanes = project(matrix, space, following, filled)
            total[:] = largest[:] = rank[:] = 0.0
            for k in range(last, -1, -1):
                entry, weight = entries[k], part[k]
                for lane in range(BLOCK):
                    entry[lane] *= entry[lane]
                    total[lane] += weight * entry[lane]
                if k < last and not size[k + 1]:  # the first of a cluster stands for all
                    for lane in range(BLOCK):
                        entry[lane] += entries[k + 1, lane]
                if size[k]:
                    for lane in range(BLOCK):
                        largest[lane] = max(largest[lane], entry[lane])
            for k in range(last, -1, -1):
                if size[k]:
                    for lane in range(BLOCK):  # of equal ones the first
                        if entries[k, lane] >= largest[lane] * (1.0 - TIE):
                            rank[lane] = k + 1.0
            for lane in range(lanes):
                user = space.user[lane]
                whose[user], days[user] = code[starts[user]], starts[user + 1] - starts[user]
                events[user], share[user] = space.total[lane], total[lane]
                component[user] = rank[lane] if largest[lane] > 0.0 else 0
                score[user] = min(np.sqrt(largest[lane]), 1.0)  # but for rounding
                relative[user] = (
                    score[user] * np.sqrt(active / size[component[user] - 1]) if component[user] else 0.0
                )
