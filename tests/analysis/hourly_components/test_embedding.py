"""Everybody's place among the others: what the loadings come to where users differ most."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from backbone.analysis.hourly_components import embedding
from backbone.analysis.hourly_components.embedding import chosen_by
from backbone.analysis.hourly_components.estimator import HourlyComponents
from backbone.analysis.hourly_components.principal import Principal, principal

PLACES = [f"x{number}" for number in range(1, 9)]


def activity(users: int, days: int = 6) -> pa.Table:
    chance = np.random.default_rng(2)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (f"u{user:02}", begin + timedelta(days=day, hours=hour))
        for user in range(users)
        for day in range(days)
        for hour in (3, 9, 15)
        for _ in range(chance.poisson(2) + (30 if user in (4, 8) and day == 2 and hour == 9 else 0))
    ]
    return pa.table({"user": [user for user, _ in rows], "time": [time for _, time in rows]})


def vectors(model: HourlyComponents) -> np.ndarray:
    """Users × all components: the weighted loadings, from the tables."""
    users = sorted(set(model.counts["user"].to_pylist()))
    active = {row["hour"]: row["users"] for row in model.hours.to_pylist()}
    blocks = []
    for hour in sorted(set(model.components["hour"].to_pylist())):
        ratio = np.array([r["ratio"] for r in model.components.to_pylist() if r["hour"] == hour])
        block = np.zeros((len(users), len(ratio)))
        for row in model.loadings.to_pylist():
            if row["hour"] == hour:
                block[users.index(row["user"])] = row["loadings"]
        blocks.append(block * ratio * np.sqrt(active[hour]))
    return np.hstack(blocks)


@pytest.mark.parametrize("most", [10_000, 10])
def test_it_is_the_weighted_loadings_in_eight_directions(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more users than choose the directions, every fourth of the forty does."""
    monkeypatch.setattr(embedding, "MOST_USERS", most)
    model = HourlyComponents().fit(activity(40))
    joined = vectors(model)
    chosen = joined[:: 4 if most == 10 else 1]
    size = np.linalg.norm(chosen, axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(chosen * np.log1p(size) / size, full_matrices=False)
    expected = joined @ axes[:8].T
    table = model.embedding
    found = np.column_stack([table[name].to_numpy() for name in PLACES])
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)
    assert table["user"].to_pylist() == sorted(table["user"].to_pylist())
    assert set(table["hours"].to_pylist()) == {3}


def test_users_who_do_the_same_are_at_the_same_place() -> None:
    rows = activity(20).to_pylist()
    rows += [{"user": "like-04", "time": row["time"]} for row in rows if row["user"] == "u04"]
    table = HourlyComponents().fit(pa.Table.from_pylist(rows)).embedding
    place = {row["user"]: np.array([row[name] for name in PLACES]) for row in table.to_pylist()}
    np.testing.assert_allclose(place["like-04"], place["u04"], atol=1e-9)
    far = [np.linalg.norm(place["u04"] - place[user]) for user in place if user not in ("u04", "like-04")]
    assert min(far) > 0.1
    assert np.argmin(far) == sorted(place.keys() - {"u04", "like-04"}).index("u08"), "they have one burst"


@pytest.mark.parametrize(("users", "days"), [(0, 6), (1, 1), (1, 6), (2, 6)])
def test_where_there_is_little_the_rest_is_zero(users: int, days: int) -> None:
    schema = pa.schema([("user", pa.string()), ("time", pa.timestamp("us", "UTC"))])
    table = HourlyComponents().fit(activity(users, days).cast(schema)).embedding
    assert table.num_rows == users
    found = np.column_stack([table[name].to_numpy() for name in PLACES])
    assert np.isfinite(found).all()
    assert not found[:, users:].any()
    assert found.any() == (users > 0 and days > 1)


@pytest.mark.parametrize(("users", "wide"), [(60, 90), (90, 60), (70, 70), (3, 90), (90, 3)])
def test_the_axes_are_those_of_a_whole_decomposition(users: int, wide: int) -> None:
    chance = np.random.default_rng(4)
    vectors = chance.normal(size=(users, wide)) * np.geomspace(1, 1e-3, wide)
    found = embedding._axes(vectors)
    _, _, rows = np.linalg.svd(vectors, full_matrices=False)
    rank = min(8, users, wide)
    np.testing.assert_allclose(np.abs(found[:, :rank]), np.abs(rows[:rank].T), atol=1e-9)
    np.testing.assert_allclose(found[:, :rank].T @ found[:, :rank], np.eye(rank), atol=1e-12)
    assert not found[:, rank:].any()
    assert np.array_equal(found, embedding._axes(vectors))


def test_the_longer_the_look_back_the_fewer_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is that of as many entries; a full decomposition, for eight axes, is not made at all."""
    random = np.random.default_rng(1)

    def hour(days: int) -> Principal:
        code, day = np.divmod(np.arange(days * days, dtype=np.int32), days)
        counts = random.integers(1, 9, days * days).astype(np.float64)
        return principal(code.astype(np.int32), day.astype(np.int32), counts, None, 1.0)

    for days, most in ((20, 10_000), (28, 10_000), (60, 5_649), (180, 1_862)):
        assert chosen_by(dict.fromkeys(range(24), hour(days))) == most
    monkeypatch.setattr(embedding, "MOST_ENTRIES", 1)
    assert chosen_by({0: hour(4)}) == embedding.LEAST_USERS


def test_nobody_is_placed_who_was_not_analysed() -> None:
    rows = activity(5).to_pylist()
    rows += [{"user": "lost", "time": None}, {"user": "late", "time": datetime(2026, 3, 1, tzinfo=UTC)}]
    model = HourlyComponents().fit(pa.Table.from_pylist(rows), end=date(2026, 2, 1))
    assert model.embedding["user"].to_pylist() == [f"u{number:02}" for number in range(5)]
