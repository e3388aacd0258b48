"""What `HourlyComponents` tells, from events to tables."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from dense_hours import FIRST, Matrix, dense_hour, weighted_events
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from backbone.analysis.hourly_components.estimator import HourlyComponents
from backbone.analysis.hourly_components.results import ORDER
from backbone.engines import own_engine
from backbone.engines.rows import Rows

RANDOM = np.random.default_rng(5)
HOURS: dict[int, Matrix] = {
    3: RANDOM.poisson(4, (20, 60)).astype(float),
    4: RANDOM.poisson(0.1, (20, 150)).astype(float),
    9: np.full((20, 5), 2.0),
    11: np.vstack([np.zeros((7, 40)), RANDOM.poisson(2, (1, 40)), np.zeros((12, 40))]).astype(float),
    12: np.vstack([np.zeros((5, 1)), RANDOM.poisson(2, (15, 1))]).astype(float),
    23: (RANDOM.lognormal(0, 1, (20, 30)) * (RANDOM.random((20, 30)) < 0.5)).astype(float),
}
HOURS[3][-1] += 1  # so that the last day has events


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return weighted_events(HOURS)


def _dicts(table: pa.Table, *columns: str) -> list[Any]:
    rows = table.select(list(columns)).to_pylist()
    return [tuple(row.values()) if len(columns) > 1 else row[columns[0]] for row in rows]


@pytest.mark.parametrize("explained", [0.6, 0.99])
def test_scores_and_outliers_are_those_of_dense_matrices(events: pa.Table, explained: float) -> None:
    model = HourlyComponents(explained, threshold=0.3).fit(events, weight="n")
    listed = set()
    for hour in (3, 4, 11, 12, 23):
        active = HOURS[hour].any(axis=0)
        expected = dense_hour(HOURS[hour][:, active], explained)
        scores = model.scores.filter(pc.equal(model.scores["hour"], hour))
        names = [f"u{user:03}" for user in np.flatnonzero(active)]
        assert _dicts(scores, "user") == names
        np.testing.assert_allclose(scores["score"].to_numpy(), expected.score, atol=1e-8)
        np.testing.assert_allclose(scores["share"].to_numpy(), expected.share, atol=1e-8)
        np.testing.assert_allclose(scores["events"].to_numpy(), HOURS[hour][:, active].sum(axis=0))
        sizes = {cluster[0] + 1: len(cluster) for cluster in expected.clusters}
        size = np.array([sizes[rank] for rank in scores["component"].to_pylist()])
        np.testing.assert_allclose(
            scores["relative"].to_numpy(), expected.score * np.sqrt(len(names) / size), atol=1e-7
        )
        found = model.components.filter(pc.equal(model.components["hour"], hour))
        np.testing.assert_allclose(found["variance"].to_numpy(), expected.variances, rtol=1e-9)
        np.testing.assert_allclose(found["ratio"].to_numpy(), expected.ratios, rtol=1e-9)
        listed |= {(hour, name) for name, score in zip(names, expected.score, strict=True) if score > 0.3}
    assert set(_dicts(model.outliers, "hour", "user")) == listed


def test_every_hour_has_a_row(events: pa.Table) -> None:
    model = HourlyComponents().fit(events, weight="n")
    assert (model.start_, model.end_) == (FIRST, FIRST + timedelta(days=20))
    rows = {row["hour"]: row for row in model.hours.to_pylist()}
    assert list(rows) == list(range(24))
    assert {row["days"] for row in rows.values()} == {20}
    statuses = {hour: row["status"] for hour, row in rows.items() if row["status"] != "no_data"}
    assert statuses == {3: "analysed", 4: "analysed", 9: "no_variance", 11: "analysed"} | {
        12: "analysed",
        23: "analysed",
    }
    assert (rows[0]["users"], rows[0]["components"], rows[0]["variance"]) == (0, 0, None)
    assert (rows[9]["users"], rows[9]["components"], rows[9]["variance"]) == (5, 0, 0.0)
    assert rows[23]["variance"] == pytest.approx(HOURS[23].var(axis=0, ddof=1).sum())
    one = [row for row in model.scores.to_pylist() if row["hour"] == 12]
    assert [(row["score"], row["relative"], row["share"]) for row in one] == [
        (pytest.approx(1.0), pytest.approx(1.0), pytest.approx(1.0))
    ]
    nothing = [row for row in model.scores.to_pylist() if row["hour"] == 9]
    assert {(row["score"], row["relative"], row["share"], row["component"]) for row in nothing} == {
        (0.0, 0.0, 0.0, None)
    }


def test_observed_days_are_those_of_the_hour(events: pa.Table) -> None:
    model = HourlyComponents(days="observed").fit(events, weight="n")
    rows = {row["hour"]: row for row in model.hours.to_pylist()}
    assert (rows[11]["status"], rows[11]["days"], rows[11]["variance"]) == ("one_day", 1, None)
    assert (rows[0]["status"], rows[0]["days"]) == ("no_data", 0)
    matrix = HOURS[12][HOURS[12].any(axis=1)]
    assert rows[12]["days"] == len(matrix) < 20
    assert rows[12]["variance"] == pytest.approx(matrix.var(ddof=1))


def test_no_events_at_all() -> None:
    nothing = pa.table({"user": pa.array([], pa.string()), "time": pa.array([], pa.timestamp("us"))})
    model = HourlyComponents(top=3).fit(nothing)
    assert (model.start_, model.end_, model.rows_left_out_) == (None, None, 0)
    assert set(_dicts(model.hours, "status", "days")) == {("no_data", 0)}
    for name in ORDER:
        assert getattr(model, name).num_rows == (24 if name == "hours" else 0)
    model.fit(nothing, start=date(2026, 1, 1), end=date(2026, 1, 8))
    assert set(_dicts(model.hours, "status", "days")) == {("no_data", 7)}


def test_weekdays_are_seven_observations(events: pa.Table) -> None:
    model = HourlyComponents(period="weekday").fit(events, weight="n", end=FIRST + timedelta(days=14))
    folded = HOURS[3][:7] + HOURS[3][7:14]
    found = model.components.filter(pc.equal(model.components["hour"], 3))
    expected = dense_hour(folded, 0.99)
    np.testing.assert_allclose(found["variance"].to_numpy(), expected.variances, rtol=1e-9)
    assert set(_dicts(model.hours, "days")) == {7}
    assert set(_dicts(model.counts, "day")) == set(_dicts(model.outlier_days, "day")) == set(range(1, 8))


def test_top_takes_the_largest_shares(events: pa.Table) -> None:
    model = HourlyComponents(top=2).fit(events, weight="n")
    for hour in (3, 4, 23):
        rows = [row for row in model.scores.to_pylist() if row["hour"] == hour]
        best = sorted(rows, key=lambda row: (-round(row["share"], 9), row["user"]))[:2]
        listed = [row for row in model.outliers.to_pylist() if row["hour"] == hour]
        assert [row["user"] for row in listed] == [row["user"] for row in best]
        assert listed[0]["score"] == best[0]["score"]
    assert 9 not in _dicts(model.outliers, "hour"), "nobody who does not vary is listed"


def test_loadings_are_unit_directions(events: pa.Table) -> None:
    model = HourlyComponents().fit(events, weight="n")
    rows = [row["loadings"] for row in model.loadings.to_pylist() if row["hour"] == 23]
    entries = np.array(rows)
    np.testing.assert_allclose(entries.T @ entries, np.eye(entries.shape[1]), atol=1e-9)
    assert [row["loadings"] for row in model.loadings.to_pylist() if row["hour"] == 9] == [[]] * 5


def test_counts_are_the_cells(events: pa.Table) -> None:
    model = HourlyComponents().fit(events, weight="n")
    found = {(r["hour"], r["user"], r["day"]): r["events"] for r in model.counts.to_pylist()}
    assert len(found) == sum(int((matrix != 0).sum()) for matrix in HOURS.values())
    for (hour, user, day), n in found.items():
        assert n == HOURS[hour][(day - FIRST).days, int(user[1:])]


def test_every_source_gives_the_same(events: pa.Table, tmp_path: Path) -> None:
    pq.write_table(events.slice(0, 1000), tmp_path / "a.parquet")
    pq.write_table(events.slice(1000), tmp_path / "b.parquet")
    shuffled = events.take(pa.array(np.random.default_rng(1).permutation(len(events))))
    sources: list[Any] = [
        events,
        shuffled,
        pa.RecordBatchReader.from_batches(events.schema, shuffled.to_batches(max_chunksize=100)),
        [tmp_path / "a.parquet", tmp_path / "b.parquet"],
        duckdb.sql("select * from events"),
    ]
    expected = None
    for source in sources:
        with_threads = HourlyComponents(top=5, threads=1 + (source is shuffled)).fit(source, weight="n")
        tables = [getattr(with_threads, name) for name in ORDER]
        expected = expected or tables
        assert all(found.equals(table) for found, table in zip(tables, expected, strict=True))
        with_threads.close()
        assert with_threads.outliers is tables[list(ORDER).index("outliers")], "what was read stays"


def test_rows_of_a_step_stay_in_their_engine(events: pa.Table) -> None:
    expected = HourlyComponents().fit(events, weight="n")
    with own_engine("1GB", 2) as engine:
        activity = engine.put(events)
        model = HourlyComponents().fit(
            Rows(engine, f"select * from {activity}", {"formatted.activity": 3}), weight="n"
        )
        for name in ORDER:
            rows = model.rows(name)
            assert rows.engine is engine and rows.versions == {"formatted.activity": 3}
            assert engine.describe(rows.sql).names == getattr(expected, name).column_names
            assert rows.table().num_rows == getattr(expected, name).num_rows
        model.rows("scores").drop()
        assert engine.fetch("select table_name from duckdb_tables()") == [(activity.name,)]
    with pytest.raises(ValueError, match=r"expected one of hours, components, .*; found 'people'"):
        expected.rows("people")


def test_counts_can_be_fitted_again(events: pa.Table) -> None:
    model = HourlyComponents(timezone="Asia/Tokyo", days="observed").fit(events, weight="n")
    again = HourlyComponents(days="observed").fit_counts(model.counts)
    for name in ("hours", "components", "outliers", "outlier_days", "counts"):
        assert getattr(again, name).equals(getattr(model, name)), name


def test_the_last_fit_counts(events: pa.Table) -> None:
    model = HourlyComponents().fit(events, weight="n")
    before = model.outliers
    assert model.fit(events).outliers.num_rows != before.num_rows, "unweighted, every cell is one event"
    assert model.counts.schema.field("events").type == pa.int64()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"explained": 0}, "expected explained above 0 and up to 1, found 0"),
        ({"explained": 99}, "expected explained above 0"),
        ({"threshold": 1}, "expected a threshold from 0 to below 1, found 1"),
        ({"top": 0}, "expected a top of 1 or more users, or None, found 0"),
        ({"explained": "a"}, "expected explained above 0 and up to 1, found 'a'"),
        ({"explained": True}, "expected explained above 0 and up to 1, found True"),
        ({"threshold": False}, "expected a threshold from 0 to below 1, found False"),
        ({"top": 1.5}, "expected a top of 1 or more users, or None, found 1.5"),
        ({"top": True}, "expected a top of 1 or more users, or None, found True"),
        ({"timezone": "localtime"}, "no time zone is called 'localtime'"),
        ({"timezone": "Mars/Olympus"}, "no time zone is called 'Mars/Olympus'"),
        ({"days": "workdays"}, "expected days 'calendar' or 'observed', found 'workdays'"),
        ({"period": "month"}, "expected period 'day' or 'weekday', found 'month'"),
    ],
)
def test_strange_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HourlyComponents(**settings)


def test_without_a_fit_it_asks_for_one(events: pa.Table) -> None:
    model = HourlyComponents()
    with pytest.raises(NotFittedError, match=r"call fit\(\) first"):
        _ = model.outliers
    with pytest.raises(NotFittedError):
        model.rows("scores")
    model.fit(events, weight="n")
    with pytest.raises(TypeError):
        model.fit(events, start=datetime(2026, 1, 1))
    assert model.hours.num_rows == 24, "what was wrongly asked leaves the fit before"
    with pytest.raises(ValueError, match="expected instants in 'user'"):
        model.fit(events, time="user")
    with pytest.raises(NotFittedError, match="the last fit failed"):
        _ = model.outliers


def test_it_is_an_estimator_that_can_be_cloned(events: pa.Table) -> None:
    model = HourlyComponents(top=2, timezone="Asia/Tokyo").fit(events, weight="n")
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert again.fit(events, weight="n").outliers.equals(model.outliers)
    again.set_params(explained="much")
    with pytest.raises(ValueError, match="expected explained above 0"):
        again.fit(events)
    assert again.set_params(explained=0.5, top=1).fit(events, weight="n").outliers.num_rows < len(
        model.outliers
    )


def test_strange_ranges_are_refused(events: pa.Table) -> None:
    with pytest.raises(TypeError, match="expected a date, found datetime"):
        HourlyComponents().fit(events, start=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="expected start before end, found 2026-01-02 and 2026-01-02"):
        HourlyComponents().fit(events, start=date(2026, 1, 2), end=date(2026, 1, 2))


def test_whoever_is_planted_is_the_top_outlier_of_the_hour() -> None:
    """Seven users, 800 to 2,400 events each over two weeks, and 300 more of one in one hour of one day."""
    chance = random.Random(1)
    begin = datetime(2017, 1, 1, tzinfo=UTC)
    rows = [
        (user, begin + timedelta(seconds=second))
        for user in "abcdefg"
        for second in chance.sample(range(14 * 86_400), chance.randint(800, 2_400))
    ]
    spike = datetime(2017, 1, 9, 14, tzinfo=UTC)
    rows += [("d", spike + timedelta(seconds=second)) for second in chance.sample(range(3_600), 300)]
    events = pa.table(
        {
            "user": [user for user, _ in rows],
            "time": pa.array([at for _, at in rows], pa.timestamp("us", "UTC")),
        }
    )
    for settings in ({"days": "observed"}, {"top": 1}):
        model = HourlyComponents(**settings).fit(events)
        planted = next(row for row in model.outliers.to_pylist() if row["hour"] == 14)
        assert (planted["user"], planted["component"]) == ("d", 1)
        assert (planted["day"], planted["events"]) == (date(2017, 1, 9), 300 + 3)
        assert planted["usual"] == 4.5
        assert planted["score"] > 0.999 and planted["share"] > 0.99
        others = [row for row in model.outliers.to_pylist() if row["hour"] == 14][1:]
        assert all(row["share"] < 0.01 for row in others)


def test_of_a_cluster_the_score_is_relative_to_its_size() -> None:
    """Every user thrice: nobody has a direction alone, and in a cluster an even share is larger."""
    chance = np.random.default_rng(6)
    tied = np.zeros((20, 30))
    tied[np.arange(20), np.arange(20)] = 5.0  # a spike of one user on each day: all directions are equal
    matrix = np.repeat(np.hstack([tied, chance.poisson(1, (20, 4))]), 3, axis=1).astype(float)
    matrix[-1] += 1.0
    active = matrix.any(axis=0)
    expected = dense_hour(matrix[:, active], 0.99)
    assert max(map(len, expected.clusters)) > 2
    scores = HourlyComponents().fit(weighted_events({7: matrix}), weight="n").scores
    sizes = {cluster[0] + 1: len(cluster) for cluster in expected.clusters}
    size = np.array([sizes[rank] for rank in scores["component"].to_pylist()])
    assert (size > 2).any()
    np.testing.assert_allclose(scores["score"].to_numpy(), expected.score, atol=1e-8)
    np.testing.assert_allclose(
        scores["relative"].to_numpy(), expected.score * np.sqrt(active.sum() / size), atol=1e-7
    )
