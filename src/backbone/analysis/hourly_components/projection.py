"""What the users of an hour have to do with its directions: their entries in them, block by block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backbone.analysis.hourly_components.hour_matrix import (
    BLOCK,
    HourMatrix,
    Positions,
    centre,
    fill,
    is_filled,
)
from backbone.analysis.hourly_components.products import multiply, tiled
from backbone.analysis.kernels.compiled import Floats, compiled

LANES = 16  # components that vector instructions go through at a time


class Room(NamedTuple):
    """Where a block of users is worked on.

    Parameters
    ----------
    weights : shape (components, rows): what a user's centred column is multiplied with. No row of it has a
        mean, so that a column that is not centred gives the same.
    by_row : shape (rows, components), filled up with zeros to a multiple of `LANES`; the same, turned.
    block : shape (rows, BLOCK); filled columns.
    entries : shape (components, BLOCK); the result.
    user, total : shape (BLOCK,); whose they are, and all that they were made of.

    Of components and rows there are multiples of `TILE`; those that are too many are 0.
    """

    weights: Floats
    by_row: Floats
    block: Floats
    entries: Floats
    user: Positions
    total: Floats


def room(weights: Floats) -> Room:
    """Room to multiply with weights of shape (components, rows)."""
    components, rows = weights.shape
    by_row = np.zeros((rows, components + -components % LANES))
    by_row[:, :components] = weights.T
    padded = np.zeros((tiled(components), tiled(rows)))
    padded[:components, :rows] = weights
    block, entries = (np.zeros((many, BLOCK)) for many in (padded.shape[1], len(padded)))
    return Room(padded, by_row, block, entries, np.zeros(BLOCK, dtype=np.int64), np.zeros(BLOCK))


@compiled
def project(matrix: HourMatrix, space: Room, user: int, filled: bool) -> tuple[int, int]:
    """Work on the next users of a kind, up to a block of them.

    Parameters
    ----------
    space : `entries`, `user` and `total` are filled; of `entries` the lanes that are not taken with zeros.
    user : where to begin.
    filled : whether to take those whose columns are filled, or the others.

    Returns
    -------
    Where to go on, and the number of users taken.
    """
    starts, day, events, place = matrix.starts, matrix.day, matrix.events, matrix.place
    by_row, block, entries, users, first = space.by_row, space.block, space.entries, space.user, matrix.first
    total, lanes = space.total, 0
    while user < len(starts) - 1 and lanes < BLOCK:
        if is_filled(matrix, user) == filled:
            users[lanes] = user
            lanes += 1
        user += 1
    if filled and lanes:
        block[:] = 0.0
        fill(matrix, users[:lanes], block)
        centre(block, matrix.root, matrix.days, total)
        multiply(space.weights, block, entries)
        return user, lanes
    sums = np.zeros(by_row.shape[1])
    for lane in range(lanes):
        for k in range(len(sums)):
            sums[k] = 0.0
        total[lane] = 0.0
        for i in range(starts[users[lane]], starts[users[lane] + 1]):
            count, row = events[i], place[np.uint32(day[i] - first)]
            total[lane] += count
            for k in range(len(sums)):
                sums[k] += count * by_row[row, k]
        for k in range(len(entries)):
            entries[k, lane] = sums[k]
    for k in range(len(entries)):
        for lane in range(lanes, BLOCK):
            entries[k, lane] = 0.0
    return user, lanes
