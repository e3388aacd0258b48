"""The pipeline `network_anomalies`: its tables are those of a plain computation, however it is run."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import euclidean_distances, silhouette_score

from backbone.errors import SettingsError
from backbone.operations.query import open_tables
from backbone.pipelines.network_anomalies.clusters import clusters, compressed, silhouette
from backbone.pipelines.network_anomalies.pipeline import FITTED
from backbone.pipelines.network_anomalies.sample import FOLDER, Sample, write_sample
from backbone.scaffold import make_project
from conftest import Trial
from projects import built

TABLES = ("hourly_count", *(step.name for step in FITTED), "user_cluster")
LAST = "window_start = timestamptz '2026-01-14 00:00:00+00'"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def project(root: Path, settings: str = "") -> Trial:
    trial = Trial(root, source="user_activity")
    trial.write(
        root / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.network_anomalies"]\n[engine]\nthreads = 2\n'
        f"[pipelines.network_anomalies]\n{settings}\n",
    )
    return trial


def contents(trial: Trial, tables: Iterable[str] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    found = trial.open()
    with found.database("question") as database:
        open_tables(found.lake, database)
        return {name: database.fetch(f"select * from exploitation.{name} order by all") for name in tables}


@dataclass(frozen=True)
class Demo:
    trial: Trial
    sample: Sample
    counts: Counter[tuple[int, str, date]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    trial = project(tmp_path_factory.mktemp("demo"), "days = 14\ntop = 3\n")
    sample = write_sample(trial.root)
    counts: Counter[tuple[int, str, date]] = Counter()
    for file in (trial.root / FOLDER).iterdir():
        with file.open() as lines:
            for row in csv.DictReader(lines):
                if row["user_name"] and row["started_at"]:
                    at = datetime.fromisoformat(row["started_at"])
                    counts[at.hour, row["user_name"], at.date()] += 1
    trial.run_well()
    return Demo(trial, sample, counts)


def test_every_event_is_counted_or_in_quarantine(demo: Demo) -> None:
    sample = demo.sample
    assert demo.trial.accounted() == (sample.rows + sample.broken, sample.rows, sample.broken, 0)
    rows = demo.trial.rows("select hour, user_name, day, events, window_start from exploitation.hourly_count")
    assert {(hour, user, day): events for hour, user, day, events, _ in rows} == demo.counts
    assert all(window.date() == day for _, _, day, _, window in rows)
    reasons = demo.trial.rows("select reasons from quarantine.user_activity order by 1")
    assert [row[0] for row in reasons] == [["started_at: null is not allowed"],
                                           *[["user_name: null is not allowed"]] * 2]  # fmt: skip


def test_the_planted_user_is_the_top_outlier_of_the_hour(demo: Demo) -> None:
    planted = demo.sample.planted
    rows = demo.trial.rows(
        f"select user_name, day, events, usual, score, share from exploitation.outlier where {LAST} "
        "and hour = $hour order by score desc",
        {"hour": planted.hour},
    )
    user, day, events, usual, score, share = rows[0]
    assert (user, day) == (planted.user_name, planted.day)
    assert events == demo.counts[planted.hour, user, day] >= 300
    assert usual < 10
    assert score > 0.99
    assert share > 0.9 > 10 * rows[1][5]
    driving = demo.trial.rows(
        f"select position, day, events, weekday from exploitation.outlier_day where {LAST} "
        "and hour = $hour and user_name = $user",
        {"hour": planted.hour, "user": user},
    )
    assert driving == [(1, day, events, day.isoweekday())]


def dense(demo: Demo, hour: int) -> tuple[list[str], np.ndarray]:
    """Days × users."""
    users = sorted({user for at, user, _ in demo.counts if at == hour})
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(14)]
    return users, np.array([[demo.counts[hour, user, day] for user in users] for day in days], dtype=float)


def test_components_and_scores_are_those_of_scikit_learn(demo: Demo) -> None:
    component, score, status = (
        demo.trial.rows(f"select {columns} from exploitation.{table} where {LAST} order by 1, 2")
        for table, columns in (
            ("component", "hour, rank, variance, ratio"),
            ("user_hour_score", "hour, user_name, score"),
            ("hour_status", "hour, status, days, users, components"),
        )
    )
    for hour in range(24):
        users, matrix = dense(demo, hour)
        fitted = PCA(svd_solver="full").fit(matrix)
        n_components = int(np.argmax(np.cumsum(fitted.explained_variance_ratio_) >= 0.99 - 1e-9)) + 1
        ranks, variances, ratios = zip(*(row[1:] for row in component if row[0] == hour), strict=True)
        assert ranks == tuple(range(1, n_components + 1))
        np.testing.assert_allclose(variances, fitted.explained_variance_[:n_components], rtol=1e-9)
        np.testing.assert_allclose(ratios, fitted.explained_variance_ratio_[:n_components], rtol=1e-9)
        names, scores = zip(*(row[1:] for row in score if row[0] == hour), strict=True)
        assert list(names) == users
        np.testing.assert_allclose(scores, np.abs(fitted.components_[:n_components]).max(axis=0), atol=1e-8)
        assert status[hour] == (hour, "analysed", 14, len(users), n_components)


def test_places_are_the_weighted_loadings_in_eight_directions(demo: Demo) -> None:
    everybody = sorted({user for _, user, _ in demo.counts})
    vectors = []
    for hour in range(24):
        users, matrix = dense(demo, hour)
        fitted = PCA(svd_solver="full").fit(matrix)
        ratio = fitted.explained_variance_ratio_
        n_components = int(np.argmax(np.cumsum(ratio) >= 0.99 - 1e-9)) + 1
        block = np.zeros((len(everybody), n_components))
        block[[everybody.index(user) for user in users]] = (
            fitted.components_[:n_components].T * ratio[:n_components] * np.sqrt(len(users))
        )
        vectors.append(block)
    joined = np.hstack(vectors)
    size = np.linalg.norm(joined, axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(joined * np.log1p(size) / size, full_matrices=False)
    expected = joined @ axes[:8].T
    places = ", ".join(f"x{n}" for n in range(1, 9))
    rows = demo.trial.rows(
        f"select user_name, {places} from exploitation.user_embedding where {LAST} order by user_name"
    )
    assert [row[0] for row in rows] == everybody
    found = np.array([row[1:] for row in rows])
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-9)


def test_accounts_of_one_schedule_are_one_cluster(demo: Demo) -> None:
    rows = demo.trial.rows(
        f"select user_name, cluster, users, silhouette from exploitation.user_cluster where {LAST} order by 1"
    )
    assert len(rows) == demo.sample.users
    robots = {row[1:3] for row in rows if row[0] in demo.sample.robots}
    assert robots == {(2, 8)}
    assert {row[0] for row in rows if row[1] == 2} == {*demo.sample.robots}
    assert rows[0][3] >= 0.5
    assert {row[2] for row in rows if row[0] == demo.sample.planted.user_name} == {1}


def test_few_who_are_alike_are_found_among_many() -> None:
    chance = np.random.default_rng(3)
    places = compressed(chance.normal(0, 0.1, (20_000, 8)))
    assert clusters(places, 8)[2] is None, "noise is one cluster"
    places[7_000:7_040] += np.array([1.0, 1.0, 0, 0, 0, 0, 0, 0])
    cluster, distance, separation = clusters(places, 8)
    assert separation is not None and separation > 0.5
    assert np.flatnonzero(cluster == 2).tolist() == list(range(7_000, 7_040))
    assert set(cluster.tolist()) == {1, 2}
    again = clusters(places, 8)
    assert (again[1] == distance).all() and again[2] == separation


@pytest.mark.parametrize(("users", "number"), [(3, 2), (60, 4), (60, 59)])
def test_the_silhouette_is_that_of_scikit_learn(users: int, number: int) -> None:
    chance = np.random.default_rng(number)
    places, labels = chance.normal(size=(users, 8)), np.arange(users) % number
    places[-1] = places[0]
    found = silhouette(euclidean_distances(places), labels)
    assert found == pytest.approx(silhouette_score(places, labels), abs=1e-12)


def test_running_again_changes_nothing(demo: Demo) -> None:
    versions, before = demo.trial.versions(), contents(demo.trial)
    assert demo.trial.run_well().receipts == []
    assert demo.trial.versions() == versions
    demo.trial.run_well(force=True, start=BEGIN + timedelta(days=11), end=BEGIN + timedelta(days=14))
    assert contents(demo.trial) == before, "computed anew they are the same, bit for bit"


# --- small projects, whose days are known one by one ---

Event = tuple[str, int, int, int]  # user, day from the first, hour, how many
EVENTS: list[Event] = [
    (user, day, hour, 1 + (day * (number + 2) + hour) % 4)
    for day in range(5)
    for number, user in enumerate(("ann", "bob", "cem", "dee"))
    for hour in (9, 14)
    if (day + number) % 3
]


def deliver(trial: Trial, events: Iterable[Event], name: str = "all.csv") -> None:
    lines = [
        f"{user},{BEGIN + timedelta(days=day, hours=hour, minutes=minute):%Y-%m-%d %H:%M}\n"
        for user, day, hour, n in events
        for minute in range(n)
    ]
    trial.drop("user_name,started_at\n" + "".join(lines), name)


def days(*numbers: int) -> list[str]:
    return [f"{BEGIN + timedelta(days=n):%Y-%m-%d}" for n in numbers]


def test_late_data_restates_the_windows_whose_look_back_holds_it(tmp_path: Path) -> None:
    late: list[Event] = [("eve", 1, 14, 30)]
    (tmp_path / "whole").mkdir()
    expected = project(tmp_path / "whole", "days = 3\n")
    deliver(expected, [*EVENTS, *late])
    expected.run_well()
    (tmp_path / "late").mkdir()
    trial = project(tmp_path / "late", "days = 3\n")
    deliver(trial, [event for event in EVENTS if event[1] < 4], "first.csv")
    trial.run_well()
    deliver(trial, [event for event in EVENTS if event[1] == 4], "second.csv")
    assert built(trial.run_well(), "outlier") == days(4)
    deliver(trial, late, "late.csv")
    result = trial.run_well()
    assert built(result, "hourly_count") == days(1)
    assert all(built(result, step.name) == days(1, 2, 3) for step in FITTED)
    assert built(result, "user_cluster") == days(1, 2, 3)
    assert contents(trial) == contents(expected)
    assert trial.value("select count(distinct window_start) from exploitation.outlier "
                       "where user_name = 'eve'") == 3  # fmt: skip


def test_whoever_is_excluded_is_counted_and_not_compared(tmp_path: Path) -> None:
    odd = 'it\'s a "bot"'
    trial = project(tmp_path, "days = 3\nexclude = ['''it's a \"bot\"''']\n")
    deliver(trial, EVENTS)
    trial.drop("".join(f'{{"user_name": "it\'s a \\"bot\\"", "started_at": "2026-01-0{n} 09:00"}}\n'
                       for n in range(1, 6)), "bot.jsonl")  # fmt: skip
    trial.run_well()
    named = {name: f"select count(*) from exploitation.{name} where user_name = $odd" for name in TABLES
             if name not in ("hour_status", "component")}  # fmt: skip
    assert trial.rows(named["hourly_count"], {"odd": odd}) == [(5,)]
    assert all(trial.rows(named[n], {"odd": odd}) == [(0,)] for n in named if n != "hourly_count")
    project(tmp_path, "days = 3\n")
    result = trial.run_well()
    assert built(result, "hourly_count") == []
    assert built(result, "outlier") == days(0, 1, 2, 3, 4)
    assert trial.rows(named["user_hour_score"], {"odd": odd}) == [(5,)]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"])
def test_hours_and_days_follow_a_clock(tmp_path: Path, zone: str) -> None:
    chance = np.random.default_rng(5)
    instants = [
        (user, datetime(2026, 3, 5, tzinfo=UTC) + timedelta(minutes=int(minute)))
        for user in ("ann", "bob")
        for minute in chance.integers(0, 6 * 24 * 60, 300)
    ]  # the clocks of New York go forward on the 8th
    trial = project(tmp_path, f'days = 3\ntimezone = "{zone}"\n')
    trial.drop("user_name,started_at\n" + "".join(f"{u},{at:%Y-%m-%dT%H:%M}Z\n" for u, at in instants))
    trial.run_well(now=datetime(2026, 4, 1, tzinfo=UTC))
    local = Counter((user, at.astimezone(ZoneInfo(zone))) for user, at in instants)
    expected: Counter[tuple[str, date, int]] = Counter()
    for (user, at), n in local.items():
        expected[user, at.date(), at.hour] += n
    counted = trial.rows(
        "select user_name, day, hour, sum(events) from exploitation.hourly_count group by all"
    )
    assert {(user, day, hour): n for user, day, hour, n in counted} == expected

    # The last window ends in the course of a day of this clock; three whole days end before it does.
    end = datetime(2026, 3, 11, tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    scored = trial.rows(
        "select user_name, hour, events from exploitation.user_hour_score "
        "where window_start = (select max(window_start) from exploitation.user_hour_score)"
    )
    within: Counter[tuple[str, int]] = Counter()
    for (user, day, hour), n in expected.items():
        if end - timedelta(days=3) <= day < end:
            within[user, hour] += n
    assert {(user, hour): n for user, hour, n in scored} == within
    most_days = trial.rows(
        "select window_start, max(days) from exploitation.hour_status group by 1 order by 1"
    )
    assert most_days[-1][1] == 3


def test_days_begin_with_the_first_that_has_data(tmp_path: Path) -> None:
    trial = project(tmp_path, "days = 28\n")
    deliver(trial, [("ann", 0, 9, 1), ("bob", 0, 9, 3), ("ann", 3, 9, 7)])
    trial.run_well()
    sql = "select status, days, users, variance from exploitation.hour_status where hour = 9 order by days"
    variance = (1 + 49 - 64 / 4) / 3 + (9 - 9 / 4) / 3
    assert trial.rows(sql) == [("one_day", 1, 2, None), ("analysed", 4, 2, pytest.approx(variance))]
    assert trial.value("select max(status) from exploitation.hour_status where hour = 8") == "no_data"


def test_without_events_with_one_user_and_with_one_day(tmp_path: Path) -> None:
    trial = project(tmp_path, 'lists = "out"\n')
    trial.run_well()
    assert not any(contents(trial).values()), "all tables are there, and empty"
    deliver(trial, [("ann", 0, 9, 2)])
    trial.run_well()
    assert trial.rows("select user_name, score, component from exploitation.user_hour_score") == [
        ("ann", 0.0, None)
    ]
    assert trial.rows(
        "select user_name, cluster, users, distance, silhouette from exploitation.user_cluster"
    ) == [("ann", 1, 1, 0.0, None)]
    assert contents(trial, ["component", "outlier", "outlier_day"]) == {
        "component": [], "outlier": [], "outlier_day": [],
    }  # fmt: skip
    deliver(trial, [("ann", 1, 9, 2), ("ann", 2, 9, 8)], "more.csv")
    trial.run_well()
    assert trial.rows("select user_name, day, events, usual, round(score, 9) from exploitation.outlier") == [
        ("ann", date(2026, 1, 3), 8, 2.0, 1.0)
    ], "one user alone is a whole direction"
    # A window without events, asked for: days without any are observations too.
    trial.run_well(start=BEGIN + timedelta(days=40), end=BEGIN + timedelta(days=41))
    sql = "select distinct status from exploitation.hour_status where window_start >= '2026-02-01'"
    assert trial.rows(sql) == [("no_data",)]


def test_days_of_the_week_and_days_with_activity(tmp_path: Path) -> None:
    trial = project(tmp_path, 'days = 14\nperiod = "weekday"\ntop = 1\n')
    events = [(user, day, 9, 2 + (day * n) % 3) for day in (0, 3, 5, 7) for n, user in enumerate("abc")]
    deliver(trial, [*events, ("a", 7, 9, 20)])
    trial.run_well()
    last = "window_start = timestamptz '2026-01-08 00:00:00+00'"
    assert trial.rows(f"select user_name, day, weekday, events from exploitation.outlier where {last}") == [
        ("a", None, 4, 24)
    ], "two Thursdays"
    project(tmp_path, 'days = 14\nobservations = "observed"\n')
    trial.run_well()
    sql = f"select days from exploitation.hour_status where {last} and hour in (8, 9) order by hour"
    assert trial.rows(sql) == [(0,), (4,)]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("days = 0", "expected days to be a whole number from 1 to 36500, found 0"),
        ("explained = 1.5", "expected explained to be above 0 and up to 1, found 1.5"),
        ("threshold = 1", "expected threshold to be from 0 to below 1, found 1"),
        ("top = 2.5", "expected top to be a whole number from 0 (0 to go by the threshold), found 2.5"),
        ('observations = "all"', "expected observations to be calendar or observed, found 'all'"),
        ('period = "year"', "expected period to be day or weekday, found 'year'"),
        ('timezone = "Mars"', "expected timezone to be the name of a time zone, such as Europe/London, "
                              "found 'Mars'"),
        ("exclude = [1]", "expected exclude to be a list of users' names, found [1]"),
        ('lists = "exploitation/x"', "expected lists to be a folder, in the project beside its tables or "
                                     "anywhere else, found 'exploitation/x'"),
        ('every = "hour"', "expected every to be day, found 'hour'"),
        ('timezone = "localtime"', "expected timezone to be the name of a time zone, such as Europe/London, "
         "found 'localtime'"),
        ('timezone = "posix/Europe/London"', "expected timezone to be the name of a time zone, such as "
         "Europe/London, found 'posix/Europe/London'"),
        ("explained = true", "expected explained like 0.99, found True"),
        ("threshold = false", "expected threshold like 0.1, found False"),
        ('lists = "."', "expected lists to be a folder, in the project beside its tables or anywhere else, "
         "found '.'"),
        ('lists = "../x"', "expected lists to be a folder, in the project beside its tables or anywhere "
         "else, found '../x'"),
    ],
)  # fmt: skip
def test_a_setting_that_means_nothing_is_refused(tmp_path: Path, setting: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        project(tmp_path, setting).open()
    assert refused.value.problem == expected
    assert refused.value.where == "backbone.toml, [pipelines.network_anomalies]"


def test_a_new_project_says_how_long_windows_may_be(tmp_path: Path) -> None:
    make_project(tmp_path / "one", ["network_anomalies"])
    make_project(tmp_path / "other", ["movie_rentals"])
    texts = [(tmp_path / name / "backbone.toml").read_text() for name in ("one", "other")]
    assert '\n# every = "day"              # day\n' in texts[0]
    assert "              # hour, day, week or month\n" in texts[1]
