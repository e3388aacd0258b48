"""The principal components of one hour: the directions in which most of its variance lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backbone.analysis.hourly_components.hour_matrix import (
    Events,
    HourMatrix,
    Integers,
    active_days,
    columns,
    gram,
    hour_matrix,
)
from backbone.analysis.hourly_components.refinement import refined
from backbone.analysis.kernels.compiled import Floats

TIE = 1e-9  # of the largest variance; what lies closer together is equal, and what is smaller is nothing

SMALL = 1e-3  # of the largest variance; what is retained below it is refined


@dataclass(frozen=True)
class Principal:
    """What is kept of one hour.

    Parameters
    ----------
    days : the observations, quiet ones included.
    users : those that were active in the hour, each a feature.
    active : the days on which anybody was active; their rows come first, then that of the quiet days.
    total : the sum of squares of the centred matrix.
    squares : shape (components,); the part of each component, descending.
    cluster : shape (components,); the position of the first component that has the same part.
    patterns : shape (rows, components); orthonormal: how strong a component is on the days of a row.
    """

    days: int
    users: int
    active: Integers
    total: float
    squares: Floats
    cluster: npt.NDArray[np.int64]
    patterns: Floats

    def matrix(self, code: Integers, day: Integers, events: Events) -> HourMatrix:
        """The matrix of some or all of the hour's users, with the rows that the patterns have."""
        return hour_matrix(code, day, events, self.active, self.days)

    @property
    def numbers(self) -> Floats:
        """All of it in a row, as `of_numbers` reads it; whole numbers are exact in it too."""
        sizes = (self.days, self.users, self.total, len(self.active), len(self.squares))
        parts = (sizes, self.active, self.squares, self.cluster, self.patterns.ravel())
        return np.concatenate(parts, dtype=np.float64)

    @staticmethod
    def of_numbers(numbers: Floats) -> Principal:
        """What `numbers` tells."""
        days, users, active, n_components = (int(numbers[i]) for i in (0, 1, 3, 4))
        rest = np.split(numbers[5:], np.cumsum([active, n_components, n_components]))
        return Principal(
            days,
            users,
            rest[0].astype(np.int32),
            float(numbers[2]),
            rest[1],
            rest[2].astype(np.int64),
            rest[3].reshape(active + (days > active), n_components),
        )

    @property
    def weights(self) -> Floats:
        """Shape (components, rows): what makes of a user's centred column the entries of the directions."""
        return np.ascontiguousarray((self.patterns / np.sqrt(self.squares)).T)


def principal(
    code: Integers, day: Integers, events: Events, calendar: Integers | None, explained: float
) -> Principal:
    """The components of one hour, as many as explain the wanted part of its variance.

    Parameters
    ----------
    code, day, events : shape (cells,); in the order of the users and days, at least one.
    calendar : all days of the range; None where only days on which anybody was active count.
    explained : components of equal variance are kept or dropped whole, so it may be exceeded by a cluster.

    Examples
    --------
    >>> code, day = np.array([0, 0, 1], dtype=np.int32), np.array([1, 2, 3], dtype=np.int32)
    >>> found = principal(code, day, np.array([2.0, 2.0, 9.0]), np.arange(1, 5, dtype=np.int32), 0.9)
    >>> found.total, found.squares.round(3).tolist(), (found.patterns[:, 0] ** 2).round(3).tolist()
    (64.75, [62.143], [0.091, 0.091, 0.749, 0.069])
    """
    return analysed(code, day, events, calendar, explained)[0]


def analysed(
    code: Integers, day: Integers, events: Events, calendar: Integers | None, explained: float
) -> tuple[Principal, HourMatrix]:
    """As `principal`, with the matrix."""
    active = active_days(day, calendar)
    days = len(active) if calendar is None else len(calendar)
    matrix = hour_matrix(code, day, events, active, days)
    by_products = matrix.users >= len(matrix.root)
    if not by_products:
        filled = columns(matrix)
        total = float(np.sum(filled**2))
        _, singular, rows = np.linalg.svd(filled, full_matrices=False)
        # Nothing of the row of means, by which columns need not be centred before they are projected.
        squares, patterns = singular**2, rows.T - np.outer(matrix.root, rows @ matrix.root / days)
    else:
        products = gram(matrix)
        total = float(np.trace(products))
        ascending, patterns = np.linalg.eigh(products)
        squares, patterns = ascending[::-1], patterns[:, ::-1]
    cluster, n_components = _components_needed(squares, total, explained)
    if by_products and n_components and squares[n_components - 1] < SMALL * squares[0]:
        squares, patterns = refined(matrix, patterns)
        cluster, n_components = _components_needed(squares, total, explained)
    patterns = patterns[:, :n_components] * _signs(patterns[:, :n_components], matrix.root)
    found = Principal(
        days, matrix.users, active, total, squares[:n_components], cluster[:n_components], patterns
    )
    return found, matrix


def _clusters(squares: Floats) -> npt.NDArray[np.int64]:
    """The position of the first member of each component's cluster."""
    place = np.arange(len(squares))
    differs = squares[:-1] - squares[1:] > TIE * squares[0]
    return np.maximum.accumulate(np.where(np.append(True, differs), place, 0))


def _components_needed(squares: Floats, total: float, explained: float) -> tuple[npt.NDArray[np.int64], int]:
    """Clusters, and how many components explain enough; a cluster that reaches down to nothing is nothing."""
    cluster = _clusters(squares)
    if total == 0.0:
        return cluster, 0
    ends = np.flatnonzero(np.append(cluster[1:] != cluster[:-1], True))
    ends = ends[squares[ends] > TIE * squares[0]]
    enough = np.cumsum(squares)[ends] >= (explained - TIE) * total
    return cluster, int(ends[np.argmax(enough)] if enough.any() else ends[-1]) + 1


def _signs(patterns: Floats, root: Floats) -> Floats:
    """Shape (components,): what makes a component positive on its strongest day, the first of equal ones."""
    strength = patterns / root[:, None]
    size = np.abs(strength)
    strongest = np.argmax(size >= (1.0 - 1e-6) * size.max(axis=0), axis=0)
    return np.asarray(np.sign(strength[strongest, np.arange(patterns.shape[1])]))
