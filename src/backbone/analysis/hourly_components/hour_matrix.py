"""One hour's matrix of days × users, kept as the users' counts on the days on which they were active.

All days on which nobody was active are one row, the quiet one: n equal rows count as one of them times √n.
Columns are centred without being filled: of G = XXᵀ, which a user's few active days add to, HGH is what the
centred columns give, where H = I - rrᵀ/days and r is the square root of the days that each row stands for.
A user who was active on more than half of the days is centred first instead, because there HGH would be the
difference of large numbers; for everybody else it loses at most a factor of two. Filled columns are worked on
many at a time, side by side, as the processor's vector instructions want them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backbone.analysis.kernels.compiled import Floats, compiled

Integers = npt.NDArray[np.int32]
Positions = npt.NDArray[np.int64]

BLOCK = 64  # columns that are filled at a time; with 90 days they fit a core's cache
FILLED = 3  # a user who was active on more than a third of the rows costs less as a filled column


class HourMatrix(NamedTuple):
    """The counts of one hour, or of some of its users.

    Parameters
    ----------
    starts : shape (users + 1,); user `i` has the cells from `starts[i]` to before `starts[i + 1]`.
    day, events : shape (cells,); of each user in the order of the days.
    place : shape (last active day - first + 1,); the row of a day.
    first : the first day on which anybody was active.
    root : shape (rows,); the square root of the days that a row stands for. The quiet row is the last.
    days : how many days all rows stand for.
    """

    starts: Positions
    day: Integers
    events: Floats
    place: Integers
    first: int
    root: Floats
    days: int

    @property
    def users(self) -> int:
        return len(self.starts) - 1


def hour_matrix(code: Integers, day: Integers, events: Floats, active: Integers, days: int) -> HourMatrix:
    """The matrix of cells that are in the order of users and days.

    Parameters
    ----------
    code, day, events : shape (cells,); at least one.
    active : the days on which anybody was active in the hour, in order; a row each.
    days : their number and that of the quiet days.

    Examples
    --------
    >>> code, day = np.array([4, 6, 6], dtype=np.int32), np.array([2, 2, 5], dtype=np.int32)
    >>> matrix = hour_matrix(code, day, np.array([3.0, 1.0, 2.0]), np.array([2, 5], dtype=np.int32), 6)
    >>> matrix.starts.tolist(), matrix.root.tolist()
    ([0, 1, 3], [1.0, 1.0, 2.0])
    >>> columns(matrix).tolist()
    [[2.5, -0.5, -1.0], [0.5, 1.5, -1.0]]
    """
    place = np.zeros(active[-1] - active[0] + 1, dtype=np.int32)
    place[active - active[0]] = np.arange(len(active))
    quiet = days - len(active)
    root = np.append(np.ones(len(active)), [np.sqrt(quiet)] if quiet else [])
    return HourMatrix(_starts(code), day, events, place, int(active[0]), root, days)


@compiled
def _starts(code: Integers) -> Positions:
    users = 1
    for i in range(1, len(code)):
        users += code[i] != code[i - 1]
    starts = np.zeros(users + 1, dtype=np.int64)
    user = 1
    for i in range(1, len(code)):
        if code[i] != code[i - 1]:
            starts[user] = i
            user += 1
    starts[users] = len(code)
    return starts


@compiled
def active_days(day: Integers) -> Integers:
    """The days that occur, in order."""
    first, last = day[0], day[0]
    for i in range(len(day)):
        first, last = min(first, day[i]), max(last, day[i])
    seen = np.zeros(last - first + 1, dtype=np.bool_)
    for i in range(len(day)):
        seen[day[i] - first] = True
    active: Integers = (np.flatnonzero(seen) + first).astype(np.int32)
    return active


def columns(matrix: HourMatrix) -> Floats:
    """Shape (users, rows): the centred matrix, filled."""
    rows = len(matrix.root)
    filled = np.zeros((rows, matrix.users))
    for user in range(matrix.users):
        put(matrix, user, filled, user)
    centre(filled, matrix.root, matrix.days)
    return np.asarray(filled.T)


@compiled
def put(matrix: HourMatrix, user: int, block: Floats, lane: int) -> None:
    """Put a user's counts into a column of zeros; none where every day has the same count.

    So what does not vary is exactly 0 after it has been centred, whatever the rounding.
    """
    events, start, stop = matrix.events, matrix.starts[user], matrix.starts[user + 1]
    same = start + 1
    while same < stop and events[same] == events[start]:
        same += 1
    if same < stop or stop - start < matrix.days:
        for i in range(start, stop):
            block[matrix.place[matrix.day[i] - matrix.first], lane] = events[i]


@compiled
def centre(block: Floats, root: Floats, days: int) -> None:
    """Take its mean over all days from every column."""
    mean = np.zeros(block.shape[1])
    for i in range(len(root)):
        for lane in range(len(mean)):
            mean[lane] += block[i, lane]
    for lane in range(len(mean)):
        mean[lane] /= days
    for i in range(len(root)):
        for lane in range(len(mean)):
            block[i, lane] -= mean[lane] * root[i]


def gram(matrix: HourMatrix) -> Floats:
    """Shape (rows, rows): the products of the centred matrix's rows.

    Its memory does not grow with the users, and the order of its sums is theirs.
    """
    sparse, filled = _grams(matrix)
    mean = sparse @ matrix.root / matrix.days
    outer = np.outer(mean - 0.5 * (matrix.root @ mean / matrix.days) * matrix.root, matrix.root)
    return np.asarray(sparse - outer - outer.T + filled)


@compiled
def _grams(matrix: HourMatrix) -> tuple[Floats, Floats]:
    """The products of rows as they are, of the less active users, and of centred rows, of the others."""
    starts, day, events, place = matrix.starts, matrix.day, matrix.events, matrix.place
    rows, first = len(matrix.root), matrix.first
    sparse, filled = np.zeros((rows, rows)), np.zeros((rows, rows))
    block, lanes = np.zeros((rows, BLOCK)), 0
    for user in range(len(starts) - 1):
        start, stop = starts[user], starts[user + 1]
        if FILLED * (stop - start) > rows:
            put(matrix, user, block, lanes)
            lanes += 1
        else:
            for i in range(start, stop):
                for j in range(start, i + 1):
                    sparse[place[day[i] - first], place[day[j] - first]] += events[i] * events[j]
        if lanes == BLOCK or (lanes and user == len(starts) - 2):
            centre(block, matrix.root, matrix.days)
            for i in range(rows):
                for j in range(i + 1):
                    product = 0.0
                    for lane in range(BLOCK):
                        product += block[i, lane] * block[j, lane]
                    filled[i, j] += product
            block[:] = 0.0
            lanes = 0
    for i in range(rows):
        for j in range(i):
            sparse[j, i], filled[j, i] = sparse[i, j], filled[i, j]
    return sparse, filled
