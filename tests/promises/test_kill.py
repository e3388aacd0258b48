"""After `kill -9` at any instant the next run completes the work: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from backbone.pipelines.movie_rentals.sample import write_sample
from projects import accounts, backbone, contents, deliveries, finished

DAYS = 10
FIRST = 6
SETTINGS = """
[project]
pipelines = ["backbone.pipelines.movie_rentals"]
"""
EDGES = """
[project]
pipelines = ["backbone.pipelines.rare_edges"]
[pipelines.rare_edges]
training_hours = 10
state_days = 1
"""


@dataclass(frozen=True)
class Scenario:
    """A project ready to run, and what an undisturbed run makes of it."""

    name: str
    root: Path
    seconds: float
    contents: dict[str, list[str]]
    deliveries: list[tuple[str, str, str, str]]
    accounts: dict[str, tuple[int, int, int, int]]


def _settings() -> str:
    """The demo's settings, with few extracts, and reviews that are dropped instead of read in place."""
    import backbone.pipelines.movie_rentals as package

    text = (Path(package.__file__).parent / "demo.toml").read_text(encoding="utf-8")
    text = text.replace('[sources.movie_review]\npath = "deliveries/movie_review/*.csv"\n', "")
    text = text.replace("start = 2026-01-01", 'every = "month"\nstart = 2026-01-01')
    assert "movie_review]" not in text
    assert text.count('every = "month"') == 2
    return SETTINGS + text


def _deliver(sample: Path, root: Path, first: int, last: int) -> None:
    """The files of some days: purchases to be read in place, reviews dropped."""
    for kind, place in (("user_purchase", "deliveries"), ("movie_review", "landing/temporal")):
        target = root / place / kind
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted((sample / "deliveries" / kind).iterdir())[first:last]:
            shutil.copy2(path, target)
            os.utime(target / path.name, (1_767_225_600, 1_767_225_600))


def _correct(root: Path) -> None:
    """Deliver a file of the first days again, with its last rows gone and one row moved to another day."""
    path = sorted((root / "deliveries" / "user_purchase").iterdir())[1]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    os.utime(path, (1_767_312_000, 1_767_312_000))


def _scenario(name: str, root: Path) -> Scenario:
    undisturbed = root.with_name(f"{name}-undisturbed")
    shutil.copytree(root, undisturbed)
    started = time.monotonic()
    status, _, errors = finished(undisturbed, "run")
    seconds = time.monotonic() - started
    assert (status, _unexpected(errors)) == (0, [])
    return Scenario(
        name, root, seconds, contents(undisturbed), deliveries(undisturbed), accounts(undisturbed)
    )


def _unexpected(errors: str) -> list[str]:
    """What a run says, but for the delivery under two names and the ledger that dead runs left none of."""
    expected = ("same bytes", "expected the tables of the ledger, found none")
    return [line for line in errors.splitlines() if not any(text in line for text in expected)]


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> list[Scenario]:
    """A new project, one in which late, corrected and further files meet what is there, and one of edges."""
    folder = tmp_path_factory.mktemp("kill")
    sample = folder / "sample"
    write_sample(sample, 1)
    new = folder / "new"
    new.mkdir()
    (new / "backbone.toml").write_text(_settings(), encoding="utf-8")
    shutil.copy2(sample / "shop.db", new)
    _deliver(sample, new, 0, FIRST)
    first = _scenario("new", new)
    grown = folder / "grown"
    shutil.copytree(folder / "new-undisturbed", grown)
    _deliver(sample, grown, FIRST, DAYS)
    _correct(grown)
    return [first, _scenario("grown", grown), _scenario("edges", _edges(folder / "edges"))]


def _edges(root: Path) -> Path:
    """Hourly connections of many edges, of which the last hours are still to be computed."""
    dropped = root / "landing" / "temporal" / "connection"
    dropped.mkdir(parents=True)
    (root / "backbone.toml").write_text(EDGES, encoding="utf-8")
    for first, last in ((0, 90), (90, 99)):
        rows = [
            f"2026-01-{1 + hour // 24:02} {hour % 24:02}:10:00,host-{edge},a,{5 + hour % 31 // 30 * 400}\n"
            for hour in range(first, last)
            for edge in range(200)
            if (hour + edge) % 3
        ]
        file = dropped / f"{first}.csv"
        file.write_text("started_at,source,destination,connections\n" + "".join(rows), encoding="utf-8")
        os.utime(file, (1_767_225_600, 1_767_225_600))
        if not first:
            assert finished(root, "run")[0] == 0
    return root


def _kill_after(root: Path, seconds: float) -> tuple[bool, float]:
    """Start a run and kill it; whether it was still running, and for how long it ran."""
    started = time.monotonic()
    process = backbone(root, "run")
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL, time.monotonic() - started


def _commits(root: Path) -> int:
    return sum(1 for _ in root.glob("*/*/_delta_log/*.json"))


def _complete(scenario: Scenario, root: Path, note: str) -> None:
    status, _, errors = finished(root, "run")
    assert (status, _unexpected(errors)) == (0, []), note
    assert contents(root) == scenario.contents, note
    assert deliveries(root) == scenario.deliveries, note
    assert accounts(root) == scenario.accounts, note
    assert not [p for p in (root / "landing" / "temporal").rglob("*") if p.is_file()], note
    status, out, errors = finished(root, "run")
    assert (status, out.strip(), errors) == (0, "Nothing is stale.", ""), note


def _trials(scenarios: list[Scenario], tmp_path: Path, kills: int, seed: int) -> list[str]:
    """Kill runs at instants spread evenly over their duration, some of them several times in a row."""
    chance = random.Random(seed)
    lasts = {scenario.name: scenario.seconds for scenario in scenarios}
    failures, done, number, instant = [], 0, 0, chance.random()
    while done < kills:
        scenario = scenarios[number % len(scenarios)]
        root = tmp_path / f"{scenario.name}-{number}"
        shutil.copytree(scenario.root, root)
        before, attempts = _commits(root), []
        for again in range(3 if number % 5 == 4 else 1):
            instant = (instant + 0.618034) % 1 if not again else chance.random()
            killed, seconds = _kill_after(root, instant * lasts[scenario.name])
            attempts.append(f"{'killed' if killed else 'ended'} after {seconds:.3f} s")
            done += killed
            if not killed and not again:
                lasts[scenario.name] = seconds
        note = f"{scenario.name}, {', '.join(attempts)}, {_commits(root) - before} commits made"
        print(note)
        try:
            _complete(scenario, root, note)
        except AssertionError as error:
            failures.append(f"{note} (kept in {root}): {error}"[:3000])
        else:
            shutil.rmtree(root)
        number += 1
    return failures


def test_a_few_kills(scenarios: list[Scenario], tmp_path: Path) -> None:
    assert _trials(scenarios, tmp_path, 3, seed=1) == []


@pytest.mark.long
def test_many_kills(scenarios: list[Scenario], tmp_path: Path) -> None:
    assert _trials(scenarios, tmp_path, int(os.environ.get("BACKBONE_KILLS", "200")), seed=2) == []
