"""The pipeline `network_anomalies` on real activity, fed and set by `backbone.toml` alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conftest import Trial

BOTS = ("u_4836c03630_bot", "u_2eab2d2996_bot")
MAINTAINER = "u_714797f7c9"


def fed(root: Path, shared_data: Path, months: tuple[str, ...], days: int) -> Trial:
    """A project that reads the commits of some months, or days, of 2023."""
    file = shared_data / "commit_activity" / "ibis_events.csv"
    if not file.is_file():
        pytest.skip(f"the real data is not there: {file}")
    head, *lines = file.read_text().splitlines()
    chosen = [line for line in lines if line.split(",")[2].startswith(tuple(f"2023-{m}" for m in months))]
    trial = Trial(root, source="user_activity")
    trial.write(root / "commits.csv", "\n".join([head, *chosen]) + "\n")
    trial.write(
        root / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.network_anomalies"]\n[engine]\nthreads = 2\n'
        '[sources.user_activity]\npath = "commits.csv"\n'
        'columns = { user_name = "user", started_at = "event_time" }\n'
        f"[pipelines.network_anomalies]\ndays = {days}\ntop = 3\nexclude = {list(BOTS)}\n",
    )
    trial.run_well()
    return trial


def test_ten_days_without_their_bots(tmp_path: Path, shared_data: Path) -> None:
    trial = fed(tmp_path, shared_data, ("11-1",), 28)
    bots = f"user_name in {BOTS}"
    assert trial.value(f"select sum(events) from exploitation.hourly_count where {bots}") == 12
    for table in ("user_hour_score", "outlier", "outlier_day", "user_embedding", "user_cluster"):
        assert trial.value(f"select count(*) from exploitation.{table} where {bots}") == 0
    assert trial.value("select count(distinct window_start) from exploitation.hour_status") == 10


@pytest.mark.long
def test_half_a_year(tmp_path: Path, shared_data: Path) -> None:
    trial = fed(tmp_path, shared_data, ("06", "07", "08", "09", "10", "11"), 183)
    counted = "select sum(events), count(distinct user_name) from exploitation.hourly_count"
    assert trial.rows(counted) == [(1_761, 44)]
    last = "window_start = timestamptz '2023-11-30 00:00:00+00'"
    assert trial.rows(f"select users from exploitation.user_cluster where {last} and cluster = 2") == [(1,)]
    assert (
        trial.value(f"select user_name from exploitation.user_cluster where {last} and cluster = 2")
        == MAINTAINER
    )
    top = trial.rows(
        f"select hour, arg_max(user_name, share), arg_max(day, share), arg_max(events, share) "
        f"from exploitation.outlier where {last} group by hour order by hour"
    )
    assert {hour for hour, user, *_ in top if user == MAINTAINER} == {6, *range(8, 21)}
    assert {events for _, user, _, events in top if user != MAINTAINER} == {2, 3, 4}
    assert top[19][2:] == (date(2023, 8, 31), 10), "the largest cell of all"
