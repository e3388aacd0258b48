"""Real activity: commits to one project, sparse, with bots and one user who makes every other commit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dense_hours import dense_hour
from pyarrow import csv

from backbone.analysis.hourly_components.estimator import HourlyComponents

BOTS = {"u_4836c03630_bot", "u_2eab2d2996_bot"}
MAINTAINER = "u_714797f7c9"
START, END = date(2023, 6, 1), date(2023, 12, 1)


@pytest.fixture(scope="module")
def commits(shared_data: Path) -> pa.Table:
    file = shared_data / "commit_activity" / "ibis_events.csv"
    if not file.is_file():
        pytest.skip(f"the real data is not there: {file}")
    return csv.read_csv(file).select(["user", "event_time"]).rename_columns(["user", "time"])


def test_half_a_year(commits: pa.Table) -> None:
    model = HourlyComponents(top=1).fit(commits, start=START, end=END)
    counts = model.counts
    assert sum(counts["events"].to_pylist()) == 1_761
    assert len(set(counts["user"].to_pylist())) == 44
    assert set(model.hours["status"].to_pylist()) == {"analysed"}
    assert set(model.hours["days"].to_pylist()) == {183}

    top = {row["hour"]: row for row in model.outliers.to_pylist()}
    assert {hour for hour, row in top.items() if row["user"] == MAINTAINER} == {6, *range(8, 21)}
    assert {hour for hour, row in top.items() if row["user"] in BOTS} == {0, 1, 3, 23}
    assert (top[19]["day"], top[19]["events"]) == (date(2023, 8, 31), 10), "the largest cell of all"

    for hour in range(24):
        rows = [row for row in counts.to_pylist() if row["hour"] == hour]
        users = sorted({row["user"] for row in rows})
        matrix = np.zeros((183, len(users)))
        for row in rows:
            matrix[(row["day"] - START).days, users.index(row["user"])] = row["events"]
        expected = dense_hour(matrix, 0.99)
        found = [row for row in model.scores.to_pylist() if row["hour"] == hour]
        np.testing.assert_allclose([row["score"] for row in found], expected.score, atol=1e-8)
        np.testing.assert_allclose([row["share"] for row in found], expected.share, atol=1e-8)


def test_sparse_users_have_directions_of_their_own(commits: pa.Table) -> None:
    """Why `top` goes by share: by score nearly everybody would be an outlier."""
    listed = {
        explained: HourlyComponents(explained).fit(commits, start=START, end=END) for explained in (0.99, 0.5)
    }
    assert listed[0.99].scores.num_rows == 230
    assert listed[0.99].outliers.num_rows == 217
    assert listed[0.5].outliers.num_rows == 48


def test_all_years(commits: pa.Table) -> None:
    model = HourlyComponents(top=1).fit(commits)
    assert (model.start_, model.end_) == (date(2014, 11, 12), date(2026, 8, 7))
    assert set(model.hours["days"].to_pylist()) == {4_286}
    top = {row["hour"]: row for row in model.outliers.to_pylist()}
    assert {hour for hour, row in top.items() if row["user"] in BOTS} == {0, 1, 2, 3}
    bursts = {(row["day"], row["events"]) for row in top.values() if row["events"] > 20}
    assert bursts == {
        (date(2025, 1, 30), 23),
        (date(2025, 1, 29), 22),
        (date(2022, 5, 20), 23),
    }
