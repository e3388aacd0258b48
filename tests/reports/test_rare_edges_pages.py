"""The pages about rare edges: they need nothing from outside, and show what the tables hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from backbone.errors import BackboneError
from backbone.operations.query import open_tables
from backbone.pipelines.rare_edges.pipeline import PARAMETERS
from backbone.pipelines.rare_edges.sample import write_sample
from backbone.reports.page import page
from backbone.reports.rare_edges import edge_page
from conftest import Trial

ODD = '</script><b>"x\u2028'


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = Trial(tmp_path_factory.mktemp("demo"), source="connection")
    trial.write(
        trial.root / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.rare_edges"]\n[engine]\nthreads = 2\n',
    )
    write_sample(trial.root)
    row = json.dumps({"started_at": "2026-01-05 10:00:00", "source": ODD, "destination": "d"})
    trial.drop(f"{row}\n", "odd.jsonl")
    trial.run_well()
    return trial


def specification(text: str) -> Any:
    found = re.search(r'vegaEmbed\("#chart-0", (.*), \{"mode": "vega-lite", "actions": false\}\)', text)
    assert found
    return json.loads(found[1])


def outside(text: str) -> list[str]:
    """Addresses that a browser would fetch when it opens the page."""
    return re.findall(
        r"""(?:src|href)\s*=\s*["'](?!#)[^"']+""", re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    )


def drawn(specification: dict[str, Any]) -> str:
    return str(vl_convert.vegalite_to_svg(specification | {"width": 600}))


def test_an_edge_is_drawn_with_its_alerts(demo: Trial, tmp_path: Path) -> None:
    ((source, destination, value),) = demo.rows(
        "select source, destination, value from exploitation.rare_edge order by ratio desc limit 1"
    )
    file = tmp_path / "edge.html"
    ended = demo.command("report", "rare_edges", "--edge", source, destination, "-o", str(file))
    assert (ended.status, ended.output) == (0, f"Wrote {file}.\n")
    text = file.read_text(encoding="utf-8")
    assert outside(text) == []
    counts, line, alerts = specification(text)["layer"]
    edge = f"source = '{source}' and destination = '{destination}'"
    hours = demo.value(f"select count(*) from exploitation.edge_hour where {edge}")
    assert len(counts["data"]["values"]) == len(line["data"]["values"]) == hours
    assert [alert["connections"] for alert in alerts["data"]["values"]] == [value]
    states = demo.rows(
        "select strftime(window_start, '%Y-%m-%d %H:%M'), expected from exploitation.edge_state "
        f"where {edge} and seen = 1"
    )
    assert 1 < len(states) < hours, "states are kept for some days"
    expected = {row["at"]: row["expected"] for row in line["data"]["values"]}
    assert {at: expected[at] for at, _ in states} == dict(states)
    assert "<svg" in drawn(specification(text))


def test_edges_are_ranked_by_how_far_they_exceeded(demo: Trial, tmp_path: Path) -> None:
    file = tmp_path / "ranking.html"
    assert demo.command("report", "rare_edges", "-o", str(file), "--limit", "3").status == 0
    text = file.read_text(encoding="utf-8")
    assert outside(text) == []
    alerts = demo.value("select count(*) from exploitation.rare_edge")
    assert len(specification(text)["data"]["values"]) == alerts
    ranked = demo.rows(
        "select source, destination from exploitation.rare_edge group by source, destination "
        "order by max(ratio) desc"
    )
    assert f"<p>{alerts} alerts of {len(ranked)} edges" in text
    assert re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td>", text) == ranked[:3]
    assert "<svg" in drawn(specification(text))


def test_names_are_text_whatever_they_hold(demo: Trial, tmp_path: Path) -> None:
    file = tmp_path / "odd.html"
    assert demo.command("report", "rare_edges", "--edge", ODD, "d", "-o", str(file)).status == 0
    text = file.read_text(encoding="utf-8")
    assert ODD not in text
    assert "<h1>&lt;/script&gt;&lt;b&gt;&quot;x\u2028 &gt; d</h1>" in text
    chart = page("t", [], [{"data": {"values": [{"name": ODD}]}}])
    assert ODD not in chart
    assert specification(chart)["data"]["values"] == [{"name": ODD}]


def test_what_is_not_there_is_said(demo: Trial, tmp_path: Path) -> None:
    ended = demo.command("report", "rare_edges", "--edge", "no", "one", "-o", str(tmp_path / "no.html"))
    assert ended.status == 1
    assert ended.errors.startswith("BackboneError: edge no > one: it has no connections")
    assert demo.command("report", "movies").status == 2
    assert not list(tmp_path.iterdir())


def test_an_edge_of_which_nothing_can_be_expected_is_said_to_be(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="connection")
    trial.write(tmp_path / "backbone.toml", '[project]\npipelines = ["backbone.pipelines.rare_edges"]\n')
    rows = "".join(f"2026-03-02T00:00:00Z,web,db,{10**12}\n" for _ in range(9008))
    trial.drop(f"started_at,source,destination,connections\n{rows}2026-03-02T01:00:00Z,web,a,1\n")
    assert set(trial.run().failures) == {"exploitation.edge_state"}
    with trial.open().database("question") as database, pytest.raises(BackboneError) as refused:
        open_tables(trial.open().lake, database)
        edge_page(database, "web", "db", PARAMETERS)
    assert refused.value.where == "edge web > db"
    assert "expected at most 2**53 connections in an hour" in refused.value.problem


def test_a_single_edge_is_counted_in_the_singular(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="connection")
    trial.write(
        tmp_path / "backbone.toml",
        '[project]\npipelines = ["backbone.pipelines.rare_edges"]\n'
        "[pipelines.rare_edges]\ntraining_hours = 1\ncooldown_hours = 0\n",
    )
    rows = "".join(f"2026-03-02 0{hour}:00,web,db,{n}\n" for hour, n in ((0, 1), (5, 90)))
    trial.drop(f"started_at,source,destination,connections\n{rows}")
    trial.run_well()
    file = tmp_path / "ranking.html"
    assert trial.command("report", "rare_edges", "-o", str(file)).status == 0
    assert "<p>1 alert of 1 edge, those" in file.read_text(encoding="utf-8")


def test_without_alerts_there_is_no_picture(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="connection")
    trial.write(tmp_path / "backbone.toml", '[project]\npipelines = ["backbone.pipelines.rare_edges"]\n')
    assert trial.command("report", "rare_edges").status == 2
    trial.run_well()
    file = tmp_path / "ranking.html"
    assert trial.command("report", "rare_edges", "-o", str(file)).status == 0
    assert "There is no alert." in file.read_text(encoding="utf-8")
