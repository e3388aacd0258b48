"""Everybody's place among the others: their loadings in all hours, reduced to a few dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from backbone.analysis.hourly_components.principal import Principal
from backbone.analysis.kernels.compiled import Floats

DIMENSIONS = 8
MOST_USERS, LEAST_USERS = 10_000, 1_000  # that the dimensions are chosen by, where there are as many
MOST_ENTRIES = 8_000_000  # of their vectors: of 28 days, 10,000 users have fewer
NOTHING = 1e-12  # of the largest square: but for rounding there is no such axis

Loadings = Iterable[tuple[int, npt.NDArray[np.int32], Floats]]


def chosen_by(hours: Mapping[int, Principal]) -> int:
    """By how many users at most the dimensions are chosen: the longer their vectors, the fewer.

    Examples
    --------
    >>> chosen_by({})
    10000
    """
    wide = sum(len(found.squares) for found in hours.values())
    return min(MOST_USERS, max(LEAST_USERS, MOST_ENTRIES // max(wide, 1)))


def turned(hours: Mapping[int, Principal], loadings: Loadings, users: int) -> dict[int, Principal]:
    """The hours with directions in which the entries of a user, added up over the hours, are their place.

    A user's loading in a component counts by the part that the component explains of its hour, so that what
    is noise, and is spread over many components, counts little; and by the root of the users active in the
    hour, so that the place does not shrink with their number. The dimensions are the principal axes of these
    vectors, with each user's length r made log(1 + r) for this, so that a few who are far out do not take
    all of them.

    Parameters
    ----------
    loadings : an hour, and the codes and loadings of some of its users, part by part; of those users by whom
        the dimensions are chosen.
    users : how many they are; their codes are below.

    Returns
    -------
    For `LoadingsKernel`. Where there are fewer axes than dimensions, the rest are 0.
    """
    weights = {
        hour: found.squares / found.total * np.sqrt(found.users) if len(found.squares) else np.empty(0)
        for hour, found in sorted(hours.items())
    }
    ends = dict(zip(weights, np.cumsum([len(weight) for weight in weights.values()]), strict=True))
    wide = max(ends.values(), default=0)
    vectors = np.zeros((users, wide))
    for hour, code, entries in loadings:
        vectors[code, ends[hour] - entries.shape[1] : ends[hour]] = entries * weights[hour]
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors *= np.divide(np.log1p(size), size, out=np.zeros_like(size), where=size > 0.0)
    axes = _axes(vectors)
    result = {}
    for hour, weight in weights.items():
        mine = axes[ends[hour] - len(weight) : ends[hour]] * weight[:, None]
        found = hours[hour]
        result[hour] = replace(
            found,
            patterns=found.weights.T @ mine
            if len(weight)
            else np.zeros((found.patterns.shape[0], DIMENSIONS)),
            squares=np.ones(DIMENSIONS),
            cluster=np.arange(DIMENSIONS),
        )
    return result


def _axes(vectors: Floats) -> Floats:
    """Shape (width, dimensions): the principal axes of vectors, with fixed signs; 0 for those that lack."""
    users, wide = vectors.shape
    if not users or not wide:
        return np.zeros((wide, DIMENSIONS))
    with threadpool_limits(1, user_api="blas"):  # sums in one order, so that the same fit gives the same bits
        # The smaller of the two products, and of its axes those that are wanted: a decomposition of the whole
        # took twenty times as long as all hours together where the look-back was long.
        products = vectors @ vectors.T if users < wide else vectors.T @ vectors
        n = len(products)
        ascending, found = eigh(products, subset_by_index=[max(0, n - DIMENSIONS), n - 1])
        squares, found = ascending[::-1], found[:, ::-1]
        rank = int(np.sum(squares > NOTHING * squares[0]))
        # Of the users' axes those of their vectors are made, whose lengths differ by up to a million.
        axes = np.linalg.qr(vectors.T @ found[:, :rank])[0] if users < wide else found[:, :rank]
    strongest = axes[np.argmax(np.abs(axes).round(9), axis=0), np.arange(rank)]
    return np.pad(axes * np.where(strongest < 0.0, -1.0, 1.0), ((0, 0), (0, DIMENSIONS - rank)))


def added(places: Loadings, users: int) -> pa.Table:
    """A row for each user: `code`, `hours` in which they were active, and `x1` to `x8`, their place.

    Parameters
    ----------
    places : as the loadings of `turned`, in its directions and in the order of the hours, on which sums of
        floating-point numbers depend.
    users : how many there are.
    """
    place, active = np.zeros((users, DIMENSIONS)), np.zeros(users, dtype=np.int32)
    for _, code, entries in places:
        place[code] += entries
        active[code] += 1
    columns = {f"x{number + 1}": place[:, number] for number in range(DIMENSIONS)}
    return pa.table({"code": np.arange(users, dtype=np.int32), "hours": active, **columns})
