"""The pages about network anomalies: they need nothing from outside, and show what the tables hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from backbone.pipelines.network_anomalies.sample import Sample, write_sample
from conftest import Trial

ODD = '</script><b>"x'
LAST = "window_start = timestamptz '2026-01-14 00:00:00+00'"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Sample]:
    trial = Trial(tmp_path_factory.mktemp("demo"), source="user_activity")
    trial.write(
        trial.root / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.network_anomalies"]\n[engine]\nthreads = 2\n'
        "[pipelines.network_anomalies]\ntop = 2\n",
    )
    sample = write_sample(trial.root)
    row = json.dumps({"user_name": ODD, "started_at": "2026-01-05 10:00:00"})
    trial.drop(f"{row}\n" * 60, "odd.jsonl")
    trial.run_well()
    return trial, sample


def charts(text: str) -> list[Any]:
    found = re.findall(r'vegaEmbed\("#chart-\d", (.*), \{"mode": "vega-lite", "actions": false\}\)', text)
    return [json.loads(one) for one in found]


def outside(text: str) -> list[str]:
    """Addresses that a browser would fetch when it opens the page."""
    return re.findall(
        r"""(?:src|href)\s*=\s*["'](?!#)[^"']+""", re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    )


def drawn(specification: dict[str, Any]) -> str:
    return str(vl_convert.vegalite_to_svg(specification | {"width": 600}))


def page(trial: Trial, file: Path, *options: str) -> str:
    ended = trial.command("report", "network_anomalies", *options, "-o", str(file))
    assert (ended.status, ended.output) == (0, f"Wrote {file}.\n")
    text = file.read_text(encoding="utf-8")
    assert outside(text) == []
    return text


def test_scores_of_the_users_who_stand_out(demo: tuple[Trial, Sample], tmp_path: Path) -> None:
    trial, sample = demo
    text = page(trial, tmp_path / "all.html")
    (chart,) = charts(text)
    assert chart["layer"][0]["encoding"]["y"]["sort"][0] == sample.planted.user_name
    shown = {(r["user"], r["hour"]): r["score"] for r in chart["layer"][0]["data"]["values"]}
    users = {user for user, _ in shown}
    rows = trial.rows(f"select user_name, hour, score from exploitation.user_hour_score where {LAST}")
    assert shown == {(user, hour): score for user, hour, score in rows if user in users}
    marked = {(r["user"], r["hour"]) for r in chart["layer"][1]["data"]["values"]}
    outliers = trial.rows(f"select user_name, hour from exploitation.outlier where {LAST}")
    assert marked == {(user, hour) for user, hour in outliers}
    assert text.rpartition("</script>")[2].count("<tr>") == 1 + min(100, len(outliers))
    assert sample.planted.user_name in drawn(chart)
    assert ODD in users and ODD not in text, "names are escaped"
    assert "The table shows the first 5 outliers." in page(trial, tmp_path / "five.html", "--limit", "5")


def test_a_user_s_activity_with_the_spike_marked(demo: tuple[Trial, Sample], tmp_path: Path) -> None:
    trial, sample = demo
    planted = sample.planted
    text = page(trial, tmp_path / "user.html", "--user", planted.user_name)
    by_hour, by_day = charts(text)
    counts = trial.rows(
        "select day, hour, events from exploitation.hourly_count where user_name = $user",
        {"user": planted.user_name},
    )
    cells = {(r["day"], r["hour"]): r["events"] for r in by_hour["layer"][0]["data"]["values"]}
    assert cells == {(str(day), hour): events for day, hour, events in counts}
    rings = by_hour["layer"][1]["data"]["values"]
    spike = next(ring for ring in rings if ring["hour"] == planted.hour)
    assert (spike["day"], spike["rank"]) == (str(planted.day), 1)
    assert spike["events"] == cells[str(planted.day), planted.hour] >= 300
    red = [row for row in by_day["layer"][0]["data"]["values"] if row["drives"] == "yes"]
    assert [(row["day"], row["events"]) for row in red] == [(str(planted.day), spike["events"])]
    assert len(by_day["layer"][0]["data"]["values"]) == 14, "from the first day with data"
    assert by_day["layer"][1]["data"]["values"][0]["usual"] < 10
    assert all("<svg" in drawn(chart) for chart in (by_hour, by_day))
    other = charts(page(trial, tmp_path / "hour.html", "--user", planted.user_name, "--hour", "23"))[1]
    assert other["layer"][0]["encoding"]["y"]["title"] == "events in hour 23"


def test_who_is_alike_is_shown(demo: tuple[Trial, Sample], tmp_path: Path) -> None:
    trial, sample = demo
    robot, *others = sample.robots
    text = page(trial, tmp_path / "robot.html", "--user", robot)
    assert f"Alike (cluster 2, 8 users): {', '.join(others)}." in text
    assert ODD not in page(trial, tmp_path / "odd.html", "--user", ODD).partition("<title>")[2]


def test_whoever_is_alone_or_in_the_only_cluster_is_shown_as_such(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="user_activity")
    settings = '[project]\npipelines = ["backbone.pipelines.network_anomalies"]\n[engine]\nthreads = 2\n'
    trial.write(tmp_path / "backbone.toml", settings)
    row = '{{"user_name": "{}", "started_at": "2026-01-0{} 10:0{}:00"}}\n'
    for user, count in (("ann", (1, 2)), ("bob", (2, 1)), ("cem", (1, 2)), ("odd", (1, 9))):
        trial.drop(
            "".join(row.format(user, day, n) for day in (1, 2) for n in range(count[day - 1])),
            f"{user}.jsonl",
        )
    trial.run_well()
    clusters = "from exploitation.user_cluster where window_start = timestamptz '2026-01-02 00:00:00+00'"
    alone = trial.rows(f"select user_name, cluster {clusters} and users = 1 and silhouette is not null")
    assert "odd" in {user for user, _ in alone}
    for user, cluster in alone:
        text = page(trial, tmp_path / "alone.html", "--user", user)
        assert f"Like nobody else: alone in cluster {cluster}." in text
    text = page(trial, tmp_path / "one.html", "--user", "ann", "--window", "2026-01-01")
    assert "No users were found to be more alike than others." in text
    assert "Like most others" not in text and "of the 1 day from" in text
    trial.write(tmp_path / "backbone.toml", settings + "[pipelines.network_anomalies]\nexclude = "
                '["ann", "bob", "cem", "odd"]\n')  # fmt: skip
    trial.run_well()
    assert "There is no activity to compare" in page(trial, tmp_path / "none.html")


def test_an_earlier_window(demo: tuple[Trial, Sample], tmp_path: Path) -> None:
    trial, _ = demo
    text = page(trial, tmp_path / "early.html", "--window", "2026-01-05")
    assert "<h1>Network anomalies, 2026-01-05</h1>" in text
    assert "over 5 days" in text
    first = page(trial, tmp_path / "first.html", "--window", "2026-01-01")
    assert "There is no outlier among 50 users over 1 day." in first
    missing = trial.command("report", "network_anomalies", "--window", "2025-01-05")
    assert missing.status == 1
    assert "the window 2025-01-05 has not been" in missing.errors


def test_wrong_use_is_reported(demo: tuple[Trial, Sample], tmp_path: Path) -> None:
    trial, _ = demo
    for options, expected in (
        (("network_anomalies", "--edge", "a", "b"), "the report of network_anomalies has no --edge"),
        (("rare_edges", "--user", "a"), "the report of rare_edges has no --user"),
        (("network_anomalies", "--hour", "3"), "--hour goes with --user"),
    ):
        ended = trial.command("report", *options)
        assert ended.status == 2
        assert expected in ended.errors
    nobody = trial.command("report", "network_anomalies", "--user", "nobody")
    assert nobody.status == 1
    assert "user nobody: no activity of theirs is analysed in the window 2026-01-14" in nobody.errors


def test_without_tables_there_is_no_page(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="user_activity")
    trial.write(
        tmp_path / "backbone.toml", '[project]\npipelines = ["backbone.pipelines.network_anomalies"]\n'
    )
    assert trial.command("report", "network_anomalies").status == 2
    trial.run_well()
    ended = trial.command("report", "network_anomalies")
    assert ended.status == 1
    assert "no window has been computed" in ended.errors
