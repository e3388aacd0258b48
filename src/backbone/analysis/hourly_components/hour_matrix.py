"""One hour's matrix of days × users, kept as the users' counts on the days on which they were active.

All days on which nobody was active are one row, the quiet one: n equal rows count as one of them times √n.
Columns are centred without being filled: of G = XXᵀ, which a user's few active days add to, HGH is what the
centred columns give, where H = I - rrᵀ/days and r is the square root of the days that each row stands for.
A user who was active on more than half of the days has to be centred first instead, because there HGH would
be the difference of large numbers; for everybody else it loses at most a factor of two. Filled columns are
worked on many at a time, side by side, as the processor's vector instructions want them, and cost less for
whoever was active on over a quarter of the days (measured with 14, 28 and 90 of them: from 0.2 to 0.4).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backbone.analysis.hourly_components.products import add_products, mirrored, tiled
from backbone.analysis.kernels.compiled import Floats, compiled

Integers = npt.NDArray[np.int32]
Positions = npt.NDArray[np.int64]
Places = npt.NDArray[np.uint32]

BLOCK = 120  # columns that are filled at a time: with 90 days they fit a core's cache. No power of two, by
# which the rows would lie so that they push each other out of it.
FILLED = 4  # a user who was active on more than a quarter of the rows costs less as a filled column


class HourMatrix(NamedTuple):
    """The counts of one hour, or of some of its users.

    Parameters
    ----------
    starts : shape (users + 1,); user `i` has the cells from `starts[i]` to before `starts[i + 1]`.
    day, events : shape (cells,); of each user in the order of the days.
    place : shape (last active day - first + 1,); the row of a day. Without a sign, for Numba asks of an index
        that may be negative whether it is.
    first : the first day on which anybody was active.
    root : shape (rows,); the square root of the days that a row stands for. The quiet row is the last.
    days : how many days all rows stand for.
    """

    starts: Positions
    day: Integers
    events: Floats
    place: Places
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
    place = np.zeros(active[-1] - active[0] + 1, dtype=np.uint32)
    place[active - active[0]] = np.arange(len(active))
    quiet = days - len(active)
    root = np.append(np.ones(len(active)), [np.sqrt(quiet)] if quiet else [])
    return HourMatrix(_starts(code), day, events, place, int(active[0]), root, days)


@compiled
def _starts(code: Integers) -> Positions:
    starts = np.empty(len(code) + 1, dtype=np.int64)
    starts[0] = 0
    users = 1
    for i in range(1, len(code)):  # no branch, for nobody can foretell where a user ends
        starts[users] = i
        users += code[i] != code[i - 1]
    starts[users] = len(code)
    return starts[: users + 1].copy()


@compiled
def totals(matrix: HourMatrix) -> Floats:
    """Shape (users,): everybody's events."""
    starts, events = matrix.starts, matrix.events
    total = np.empty(len(starts) - 1)
    for user in range(len(total)):
        count = 0.0
        for i in range(starts[user], starts[user + 1]):
            count += events[i]
        total[user] = count
    return total


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
    filled = np.zeros((len(matrix.root), matrix.users))
    fill(matrix, np.arange(matrix.users), filled)
    centre(filled, matrix.root, matrix.days)
    return np.asarray(filled.T)


@compiled
def fill(matrix: HourMatrix, users: Positions, block: Floats) -> None:
    """Put users' counts into columns of zeros, those of the first into the first one; none where every day
    has the same count.

    So what does not vary is exactly 0 after it has been centred, whatever the rounding.
    """
    starts, day, events, place = matrix.starts, matrix.day, matrix.events, matrix.place
    first = matrix.first  # taken out of the loop, for taking an array out of a tuple counts a reference
    for lane in range(len(users)):
        start, stop = starts[users[lane]], starts[users[lane] + 1]
        others = 0
        for i in range(start, stop):
            count = events[i]
            others += count != events[start]
            block[place[np.uint32(day[i] - first)], lane] = count
        if not others and stop - start == matrix.days:
            for row in range(len(block)):
                block[row, lane] = 0.0


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
    sparse, filled = _grams(matrix, np.zeros((tiled(len(matrix.root)), BLOCK)))
    mean = sparse @ matrix.root / matrix.days
    outer = np.outer(mean - 0.5 * (matrix.root @ mean / matrix.days) * matrix.root, matrix.root)
    return np.asarray(sparse - outer - outer.T + filled)


@compiled
def _grams(matrix: HourMatrix, block: Floats) -> tuple[Floats, Floats]:
    """The products of rows as they are, of the less active users, and of centred rows, of the others."""
    starts, day, events, place = matrix.starts, matrix.day, matrix.events, matrix.place
    rows, first, lanes = len(matrix.root), matrix.first, 0
    sparse, filled = np.zeros((rows, rows)), np.zeros((len(block), len(block)))
    users = np.zeros(BLOCK, dtype=np.int64)
    for user in range(len(starts) - 1):
        start, stop = starts[user], starts[user + 1]
        if FILLED * (stop - start) > rows:
            users[lanes] = user
            lanes += 1
        else:
            for i in range(start, stop):
                count, row = events[i], place[np.uint32(day[i] - first)]
                for j in range(start, i + 1):
                    sparse[row, place[np.uint32(day[j] - first)]] += count * events[j]
        if lanes == BLOCK or (lanes and user == len(starts) - 2):
            block[:] = 0.0
            fill(matrix, users[:lanes], block)
            centre(block, matrix.root, matrix.days)
            add_products(block, filled)
            lanes = 0
    return mirrored(sparse, rows), mirrored(filled, rows)
