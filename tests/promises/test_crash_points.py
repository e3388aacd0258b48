"""What dies at any step that changes files is completed by the next run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from damages import cut, empty, gone

from projects import TinyProject

DRIVER = Path(__file__).with_name("crashing.py")


VISITS = """
pipeline = Pipeline(
    "tiny",
    sources=SOURCES[1:],
    steps=[
        SqlModel("visits", "visits.sql", grain=["shop"], conserves={"n": "count(*) from formatted.visit"}),
    ],
)
"""


def _without_keys(root: Path) -> TinyProject:
    """A source without a key: a bad row, a late one, a correction and a delivery repeated."""
    project = TinyProject(
        root, VISITS, {"visits.sql": "select v.shop, count(*) as n from formatted.visit as v group by v.shop"}
    )
    for name in ("a.csv", "b.csv", "c.csv"):
        project.visits(name, ("x", 5, "2026-02-01T10:00:00"), ("y", -5, "2026-02-02T10:00:00"))
    assert project.run().ok
    project.visits("a.csv", ("x", 5, "2026-02-01T10:00:00"), ("y", -5, "2026-02-02T10:00:00"))
    project.visits("b.csv", ("z", 7, "2026-02-04T10:00:00"))
    project.visits("d.csv", ("z", 7, "2026-02-01T11:00:00"), ("z", -7, "2026-02-01T11:00:00"))
    return project


def _new_without_keys(root: Path) -> TinyProject:
    project = TinyProject(
        root, VISITS, {"visits.sql": "select v.shop, count(*) as n from formatted.visit as v group by v.shop"}
    )
    for name in ("a.csv", "b.csv"):
        project.visits(name, ("x", 5, "2026-02-01T10:00:00"), ("y", -5, "2026-02-02T10:00:00"))
    return project


def _new(root: Path) -> TinyProject:
    """Files with a bad row, keys repeated over files, a delivery repeated, and a keyless source."""
    project = TinyProject(root)
    project.sales(
        "a.csv",
        (1, "x", 5, "2026-02-01T10:00:00"),
        (2, "x", 6, "2026-02-01T11:00:00"),
        (3, "y", 7, "2026-02-02T11:00:00"),
        (4, "y", -1, "2026-02-02T11:00:00"),
    )
    project.sales("b.csv", (2, "y", 8, "2026-02-03T11:00:00"), (3, "y", 1, "2026-02-01T09:00:00"))
    project.visits("a.csv", ("x", 5, "2026-02-01T10:00:00"), ("x", 5, "2026-02-01T10:00:00"))
    return project


def _grown(root: Path) -> TinyProject:
    """On top: rows that win and lose against older ones, one that comes back, a correction, a repeat."""
    project = _new(root)
    assert project.run().ok
    project.sales("b.csv", (3, "y", 1, "2026-02-01T09:00:00"), (9, "z", 1, "2026-02-05T09:00:00"))
    project.sales("c.csv", (1, "z", 9, "2026-02-04T10:00:00"), (3, "z", 2, "2026-02-01T01:00:00"))
    project.visits("a.csv", ("x", 5, "2026-02-01T10:00:00"), ("x", 5, "2026-02-01T10:00:00"))
    project.visits("b.csv", ("y", 5, "2026-02-01T12:00:00"), ("y", -5, "2026-02-06T12:00:00"))
    return project


ACTIVITY = """
[project]
pipelines = ["backbone.pipelines.network_anomalies"]
[engine]
threads = 1
[pipelines.network_anomalies]
days = 3
lists = "outliers"
"""


def _activity(root: Path) -> TinyProject:
    """Activity of three days, from which six tables are fitted at once, and a late event on the second."""
    project = TinyProject(root)
    (root / "backbone.toml").write_text(ACTIVITY, encoding="utf-8")
    rows = [
        f"{user},2026-02-0{day}T0{hour}:{minute:02}:00"
        for day in (1, 2, 3)
        for user in ("ann", "bob", "cem")
        for hour in (3, 9)
        for minute in range((day * len(user) + hour + ord(user[0])) % 5)
    ]
    project.drop("user_activity", "a.csv", ["user_name,started_at", *rows])
    assert project.run().ok
    project.drop(
        "user_activity", "late.csv", ["user_name,started_at", "dee,2026-02-02T03:30:00", ",2026-02-01"]
    )
    return project


FIRST = datetime(2026, 2, 1)
EDGES = """
[project]
pipelines = ["backbone.pipelines.rare_edges"]
[engine]
threads = 2
[pipelines.rare_edges]
training_hours = 10
cooldown_hours = 3
state_days = 1
"""


def _edges(root: Path) -> TinyProject:
    """Connections by the hour over four days, to be computed at once; an hour of each day is rare."""
    project = TinyProject(root)
    (root / "backbone.toml").write_text(EDGES, encoding="utf-8")
    project.drop("connection", "first.csv", _connections(range(96)))
    return project


def _watched_edges(root: Path) -> TinyProject:
    """The same computed; then the first hours of the next day, and late ones of a day that is not kept."""
    project = _edges(root)
    assert project.run().ok
    project.drop("connection", "next.csv", _connections(range(96, 98)))
    project.drop("connection", "late.csv", _connections(range(20, 21)))
    return project


def _connections(hours: range) -> list[str]:
    rows = [
        f"{FIRST + timedelta(hours=hour):%Y-%m-%dT%H}:30:00,host-{edge},service,{5 + hour % 24 // 20 * 500}"
        for hour in hours
        for edge in range(6)
        if (hour + edge) % 3
    ]
    return ["started_at,source,destination,connections", *rows]


def _accepted(root: Path) -> TinyProject:
    """A field more, which two of the files in the table lack; with rows that they won from the third."""
    project = TinyProject(root)
    project.sales("a.csv", (1, "x", 5, "2026-02-01T10:00:00"), (2, "x", -6, "2026-02-01T11:00:00"))
    project.sales("b.csv", (3, "y", 8, "2026-02-03T11:00:00"), (4, "y", -1, "2026-02-01T09:00:00"))
    heading = "sale_id,shop,amount,sold_at,till"
    rows = ["1,z,7,2026-01-31T10:00:00,t", "5,z,7,2026-02-02T10:00:00,t", "6,z,-7,2026-02-02T10:00:00,t"]
    project.drop("sale", "c.csv", [heading, *rows])
    project.visits("a.csv", ("x", 5, "2026-02-01T10:00:00"))
    assert project.run().ok
    module = root / f"{project.module}.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace("    sold_at: datetime\n", "    sold_at: datetime\n    till: str\n"))
    project.drop("sale", "d.csv", [heading, "7,z,7,2026-02-05T10:00:00,t"])
    return project


KINDS = {
    "accepted loss": _accepted,
    "activity": _activity,
    "edges": _edges,
    "watched edges": _watched_edges,
    "new without keys": _new_without_keys,
    "grown without keys": _without_keys,
    "new": _new,
    "grown": _grown,
}


def _damaged(root: Path) -> TinyProject:
    """A project that has lost files of each zone, of its manifest and of its ledger."""
    project = _grown(root)
    assert project.run().ok
    project.sales("d.csv", (7, "x", 4, "2026-02-02T10:00:00"), (1, "x", 4, "2026-02-02T10:00:00"))
    assert project.run().ok
    for dataset in ("formatted.sale", "exploitation.shop_day", "landing.batch", "operations.window"):
        gone(Path(project.lake.read(dataset).files[0]))
    for dataset in ("quarantine.sale", "duplicate.sale"):
        cut(Path(project.lake.read(dataset).files[0]))
    empty(project.lake.log("formatted.visit").path(project.lake.version("formatted.visit")))
    (project.root / "formatted" / "sale" / "notes.txt").write_text("of nobody", encoding="utf-8")
    return project


def _crash(project: TinyProject, tmp_path: Path, every: int, dies: str, *accepted: str) -> None:
    """Hold a project to its promise with each `every`-th step as the last one of a command."""
    work = tmp_path / "work"
    work.mkdir()
    arguments = (str(project.root), str(work), str(every), str(every // 2), dies, *accepted)
    driven = subprocess.run(
        [sys.executable, str(DRIVER), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert driven.returncode == 0, driven.stderr
    outcomes = [json.loads(line) for line in driven.stdout.splitlines()]
    assert len(outcomes) >= outcomes[0]["of"] // every
    failures = [f"{o['n']} of {o['of']}, {o['step']}: {o['failure']}" for o in outcomes if o["failure"]]
    assert failures == []
    shutil.rmtree(work)


EVERY = pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.long)])


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=[pytest.mark.long] if k in ("edges", "activity") else []) for k in KINDS],
)
@EVERY
def test_every_crash_point(kind: str, every: int, tmp_path: Path) -> None:
    accepted = ["sale"] if kind == "accepted loss" else []
    _crash(KINDS[kind](tmp_path / "project"), tmp_path, every, "run", *accepted)


@pytest.mark.parametrize("kind", ["new", "grown"])
@EVERY
def test_landing_dies(kind: str, every: int, tmp_path: Path) -> None:
    _crash(KINDS[kind](tmp_path / "project"), tmp_path, every, "land")


@EVERY
def test_repair_dies(every: int, tmp_path: Path) -> None:
    _crash(_damaged(tmp_path / "project"), tmp_path, every, "repair")
