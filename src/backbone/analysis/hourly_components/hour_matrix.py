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

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from backbone.analysis.hourly_components.products import add_products, mirrored, tiled
from backbone.analysis.kernels.compiled import Floats, compiled

Integers: TypeAlias = npt.NDArray[np.int32]
Positions: TypeAlias = npt.NDArray[np.int64]
Starts: TypeAlias = npt.NDArray[np.uint64]
Places: TypeAlias = npt.NDArray[np.uint32]
Events: TypeAlias = Integers | Floats  # counted, or added up

BLOCK = 248  # columns filled at a time: with 90 days they fit a core's second cache. No power of two, by
# which the rows would lie so that they push each other out of it.
FILLED = 4  # a user who was active on more than a quarter of the rows costs less as a filled column


class HourMatrix(NamedTuple):
    """The counts of one hour, or of some of its users.

    Parameters
    ----------
    starts : shape (users + 1,); user `i` has the cells from `starts[i]` to before `starts[i + 1]`. Without a
        sign, for Numba asks of an index that may be negative whether it is.
    day, events : shape (cells,); of each user in the order of the days.
    place : shape (last active day - first + 1,); the row of a day.
    first : the first day on which anybody was active.
    root : shape (rows,); the square root of the days that a row stands for. The quiet row is the last.
    days : how many days all rows stand for.
    """

    starts: Starts
    day: Integers
    events: Events
    place: Places
    first: int
    root: Floats
    days: int

    @property
    def users(self) -> int:
        return len(self.starts) - 1


def hour_matrix(code: Integers, day: Integers, events: Events, active: Integers, days: int) -> HourMatrix:
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
def _starts(code: Integers) -> Starts:
    starts = np.empty(len(code) + 1, dtype=np.uint64)
    starts[0] = 0
    users = 1
    for i in range(1, len(code)):  # no branch, for nobody can foretell where a user ends
        starts[users] = i
        users += code[i] != code[i - 1]
    starts[users] = len(code)
    return starts[: users + 1].copy()


def active_days(day: Integers, calendar: Integers | None) -> Integers:
    """The days that occur, in order.

    Parameters
    ----------
    calendar : all days that can occur; None where nobody knows.
    """
    days = day if calendar is None else calendar
    first = days.min()
    seen: Integers = (np.flatnonzero(_seen(day, first, days.max())) + first).astype(np.int32)
    return seen


@compiled
def _seen(day: Integers, first: int, last: int) -> npt.NDArray[np.bool_]:
    seen = np.zeros(last - first + 1, dtype=np.bool_)
    unseen = len(seen)
    for i in range(len(day)):
        unseen -= not seen[day[i] - first]
        seen[day[i] - first] = True
        if not unseen:  # soon, where users are active on many days
            break
    return seen


def columns(matrix: HourMatrix) -> Floats:
    """Shape (users, rows): the centred matrix, filled."""
    filled = np.zeros((len(matrix.root), matrix.users))
    fill(matrix, np.arange(matrix.users), filled)
    centre(filled, matrix.root, matrix.days, np.empty(matrix.users))
    return np.asarray(filled.T)


@compiled
def is_filled(matrix: HourMatrix, user: int) -> bool:
    """Whether a user's column is one of those that are filled."""
    cells = np.int64(matrix.starts[user + 1] - matrix.starts[user])
    return bool(FILLED * cells > len(matrix.root))


@compiled
def fill(matrix: HourMatrix, users: Positions, block: Floats) -> None:
    """Put users' counts into columns of zeros, those of the first into the first one."""
    starts, day, events, place = matrix.starts, matrix.day, matrix.events, matrix.place
    first = matrix.first  # taken out of the loop, for taking an array out of a tuple counts a reference
    for lane in range(len(users)):
        for i in range(starts[users[lane]], starts[users[lane] + 1]):
            block[place[np.uint32(day[i] - first)], lane] = events[i]


@compiled
def centre(block: Floats, root: Floats, days: int, total: Floats) -> None:
    """Take its mean over all days from every column.

    What does not vary is exactly 0 then, whatever the rounding.

    Parameters
    ----------
    total : shape (columns,); is filled with the sums of the columns as they were.
    """
    lanes = block.shape[1]
    mean, varies = np.empty(lanes), np.zeros(lanes, dtype=np.bool_)
    total[:] = 0.0
    for i in range(len(root)):
        for lane in range(lanes):
            total[lane] += block[i, lane]
            varies[lane] |= block[i, lane] != block[0, lane]
    for lane in range(lanes):
        mean[lane] = total[lane] / days if varies[lane] else block[0, lane]
    for i in range(len(root)):
        for lane in range(lanes):
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
    users, total = np.zeros(BLOCK, dtype=np.int64), np.empty(BLOCK)
    for user in range(len(starts) - 1):
        if is_filled(matrix, user):
            users[lanes] = user
            lanes += 1
        else:
            stop = starts[user + 1]
            for i in range(starts[user], stop):
                count, row = events[i], place[np.uint32(day[i] - first)]
                for j in range(i, stop):
                    sparse[place[np.uint32(day[j] - first)], row] += count * events[j]
        if lanes == BLOCK or (lanes and user == len(starts) - 2):
            block[:] = 0.0
            fill(matrix, users[:lanes], block)
            centre(block, matrix.root, matrix.days, total)
            add_products(block, filled)
            lanes = 0
    return mirrored(sparse, rows), mirrored(filled, rows)
