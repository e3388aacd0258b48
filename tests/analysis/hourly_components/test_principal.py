"""Exactness of one hour's components, against scikit-learn on the dense centred matrix."""

from __future__ import annotations

import numpy as np
import pytest
from dense_hours import Matrix, cells, days_of, dense_hour, extended
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backbone.analysis.hourly_components.hour_matrix import active_days, columns, gram, hour_matrix
from backbone.analysis.hourly_components.loadings_kernel import loadings
from backbone.analysis.hourly_components.principal import Principal, principal
from backbone.analysis.hourly_components.scores import Scores, scored


def _found(matrix: Matrix, explained: float, *, observed: bool = False) -> tuple[Principal, Matrix, Scores]:
    code, day, events = cells(matrix)
    found = principal(code, day, events, None if observed else days_of(matrix), explained)
    hour = found.matrix(code, day, events)
    return found, loadings(hour, found), scored(code, hour, found)


def _check(matrix: Matrix, explained: float = 0.99) -> Principal:
    active = matrix.any(axis=0)
    expected = dense_hour(matrix[:, active], explained)
    found, entries, scores = _found(matrix, explained)
    assert found.cluster.tolist() == [cluster[0] for cluster in expected.clusters for _ in cluster]
    variances = found.squares / (len(matrix) - 1)
    np.testing.assert_allclose(variances, expected.variances, rtol=1e-9)
    np.testing.assert_allclose(found.squares / found.total, expected.ratios, rtol=1e-9)
    np.testing.assert_allclose(scores.score, expected.score, atol=1e-8)
    np.testing.assert_allclose(scores.share, expected.share, atol=1e-8)
    for cluster in expected.clusters:
        if len(cluster) == 1:
            k = cluster[0]
            sign = np.sign(entries[:, k] @ expected.directions[k])
            np.testing.assert_allclose(sign * entries[:, k], expected.directions[k], atol=1e-8)
    np.testing.assert_allclose(entries.T @ entries, np.eye(len(found.squares)), atol=1e-8)
    assert scores.share.sum() == pytest.approx(1.0)
    return found


RANDOM = np.random.default_rng(0)
MATRICES = {
    "dense, few days": RANDOM.poisson(5, (14, 300)),
    "dense, many days": RANDOM.poisson(5, (90, 400)),
    "sparse": RANDOM.poisson(0.1, (28, 700)),
    "very sparse": RANDOM.random((40, 300)) < 0.004,
    "half": RANDOM.poisson(0.7, (28, 200)),
    "fewer users than days": RANDOM.poisson(0.5, (60, 20)),
    "one user": RANDOM.poisson(2, (20, 1)),
    "two days": RANDOM.poisson(2, (2, 30)),
    "rank 3": RANDOM.integers(0, 4, (30, 3)) @ RANDOM.integers(0, 3, (3, 80)),
    "rank 3, fewer users than days": RANDOM.integers(0, 4, (60, 3)) @ RANDOM.integers(0, 3, (3, 40)),
    "large counts that vary little": 1_000_000 + RANDOM.integers(0, 3, (20, 100)),
    "one giant": np.column_stack([RANDOM.integers(0, 10_000, 28), RANDOM.poisson(1, (28, 60))]),
    "a constant user": np.column_stack([np.full(14, 7), RANDOM.poisson(1, (14, 30))]),
    "weights": RANDOM.lognormal(0, 2, (21, 150)) * (RANDOM.random((21, 150)) < 0.4),
}


@pytest.mark.parametrize("explained", [0.5, 0.99, 1.0])
@pytest.mark.parametrize("name", MATRICES)
def test_components_are_those_of_the_dense_matrix(name: str, explained: float) -> None:
    matrix = np.asarray(MATRICES[name], dtype=np.float64)
    _check(matrix, explained)
    with_quiet_days = np.vstack([matrix, np.zeros((3, matrix.shape[1]))])
    for seed in range(5):
        _check(with_quiet_days[np.random.default_rng(seed).permutation(len(matrix) + 3)], explained)


@pytest.mark.parametrize("on", [1.0, 0.2], ids=["every day", "some days"])
@pytest.mark.parametrize("giant", [1e2, 1e4, 1e5, 1e6])
@pytest.mark.parametrize(("days", "users"), [(16, 40), (32, 20)])
def test_small_components_beside_large_ones_are_exact(days: int, users: int, giant: float, on: float) -> None:
    """Variances from 1e3 to 1e12 times as large as the smallest, against rotations in extended precision."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        large = random.integers(0, int(giant), (days, 1)) * (random.random((days, 1)) < on)
        matrix = np.column_stack(
            [large, random.poisson(giant**0.5, (days, 2)), random.poisson(1, (days, users))]
        )
        matrix = matrix[:, random.permutation(matrix.shape[1])].astype(np.float64)
        matrix = matrix[:, matrix.any(axis=0)]
        squares, directions = extended(matrix)
        found, entries, _ = _found(matrix, 1.0)
        n_components = len(found.squares)
        assert n_components >= 3
        np.testing.assert_allclose(found.squares, squares[:n_components], rtol=1e-10)
        single = np.bincount(found.cluster, minlength=n_components) == 1
        expected = directions[:n_components][single].T
        sign = np.sign(np.sum(entries[:, single] * expected, axis=0))
        np.testing.assert_allclose(sign * entries[:, single], expected, atol=1e-10)


SMALL = arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(1, 12)), elements=st.integers(0, 2))


@given(SMALL, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
@settings(max_examples=200, deadline=None)
def test_ties_of_small_counts(matrix: Matrix, explained: float) -> None:
    if np.ptp(matrix, axis=0).any():
        _check(matrix, explained)


def test_whole_numbers_give_what_they_give_as_floating_point_numbers() -> None:
    for name in ("dense, few days", "sparse", "one giant"):
        code, day, events = cells(np.asarray(MATRICES[name], dtype=np.float64))
        results = []
        for counts in (events, events.astype(np.int32)):
            found = principal(code, day, counts, np.arange(28, dtype=np.int32), 0.99)
            results.append((found.numbers, *scored(code, found.matrix(code, day, counts), found)))
        for one, other in zip(*results, strict=True):
            np.testing.assert_array_equal(one, other)


def test_equal_users_are_one_cluster() -> None:
    found = _check(np.eye(12, 12), 0.5)
    assert found.cluster.tolist() == [0] * 11, "each of twelve users was active once, on a day of their own"


def test_observed_days_leave_out_the_quiet_ones() -> None:
    matrix = np.asarray(MATRICES["very sparse"], dtype=np.float64)
    active = matrix.any(axis=1)
    assert (~active).sum() > 0
    found, _, _ = _found(matrix, 0.99, observed=True)
    expected, _, _ = _found(matrix[active], 0.99)
    assert found.days == active.sum()
    assert found.squares.tolist() == expected.squares.tolist()


def test_a_component_is_positive_on_its_strongest_day() -> None:
    matrix = np.zeros((6, 2))
    matrix[:, 0] = [1, 1, 1, 1, 1, 9]
    matrix[:, 1] = [9, 1, 1, 1, 1, 1]
    found, entries, _ = _found(matrix, 1.0)
    strength = found.patterns
    assert strength[0, 0] == pytest.approx(-strength[5, 0]), "the first and the last day are equally strong"
    assert strength[0, 0] > 0, "then the first of them is positive"
    assert entries[:, 0].round(9).tolist() == [-round(0.5**0.5, 9), round(0.5**0.5, 9)]


@pytest.mark.parametrize(
    "matrix",
    [np.full((5, 4), 3.0), np.ones((1, 6)), np.full((7, 3), 0.1), np.full((5, 1), 1e12)],
    ids=["same every day", "one day", "fractions", "one user"],
)
def test_without_variance_there_are_no_components(matrix: Matrix) -> None:
    found, entries, scores = _found(matrix, 0.99)
    assert found.total == 0.0
    assert entries.shape == (matrix.shape[1], 0)
    assert not scores.score.any() and not scores.share.any() and not scores.component.any()


def test_who_does_the_same_every_day_scores_nothing() -> None:
    matrix = np.asarray(MATRICES["a constant user"], dtype=np.float64)
    _, entries, scores = _found(matrix * 0.1, 0.99)
    assert not entries[0].any()
    assert (scores.score[0], scores.share[0], scores.component[0]) == (0.0, 0.0, 0)


@pytest.mark.parametrize("name", MATRICES)
def test_gram_and_columns_are_those_of_the_dense_matrix(name: str) -> None:
    matrix = np.asarray(MATRICES[name], dtype=np.float64)
    matrix = matrix[:, matrix.any(axis=0)]
    active = np.flatnonzero(matrix.any(axis=1)).astype(np.int32)
    hour = hour_matrix(*cells(matrix), active, len(matrix))
    centred = matrix - matrix.mean(axis=0)
    products = centred @ centred.T
    rows = len(active)
    scale = np.trace(products)
    np.testing.assert_allclose(gram(hour)[:rows, :rows], products[np.ix_(active, active)], atol=1e-12 * scale)
    np.testing.assert_allclose(columns(hour)[:, :rows], centred[active].T, atol=1e-15 * np.abs(matrix).max())


@pytest.mark.parametrize("calendar", [None, np.arange(9), np.array([1, 3, 4, 7])])
@pytest.mark.parametrize("days", [[3, 1, 3], [1, 3, 4, 7, 4], [7]])
def test_active_days_are_those_that_occur(days: list[int], calendar: Matrix | None) -> None:
    days_of_range = None if calendar is None else calendar.astype(np.int32)
    found = active_days(np.array(days, dtype=np.int32), days_of_range)
    assert found.tolist() == sorted(set(days))
    assert found.dtype == np.int32
