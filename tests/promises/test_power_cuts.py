"""After a power cut at any point of a run, the next run makes what an undisturbed one makes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import traced
from power_cut import Cut, Disk, Operation, cuts
from typer.testing import CliRunner
from watched import watched

from backbone.commands.cli import app
from backbone.lake.log import TableLog
from backbone.lake.table import Lake
from backbone.landing.persistent import ARRIVAL
from projects import SHOP_DAY, STEPS, TinyProject, accounts, contents, deliveries

SETTINGS = """
[connections.towns]
url = "sqlite:///towns.db"
[sources.visit]
path = "deliveries/*.csv"
[sources.shop]
connection = "towns"
query = "select shop, town from shop order by shop"
"""
PIPELINE = STEPS.replace("sources=SOURCES", 'sources=[*SOURCES, Source("shop", Shop)]').replace(
    "steps=[",
    'steps=[\n        SqlModel("shop_town", "shop_town.sql", grain=["shop"]),',
)
SHOP_TOWN = """
select v.shop, min(s.town) as town from formatted.visit as v
join formatted.shop as s on s.shop = v.shop
where v.visited_at >= $window_start and v.visited_at < $window_end group by v.shop
"""
SAMPLE = 15
RUN = (
    "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from projects import NOW; "
    "from backbone.runner import open_project, run; assert run(open_project(Path(sys.argv[2])), now=NOW).ok"
)


def _new(root: Path, *, query: bool = True) -> TinyProject:
    """Files with bad rows and repeated keys, files read in place, and a query."""
    sql = {"shop_day.sql": SHOP_DAY} | ({"shop_town.sql": SHOP_TOWN} if query else {})
    project = TinyProject(root, PIPELINE if query else STEPS, sql, SETTINGS if query else "")
    if query:
        with closing(sqlite3.connect(root / "towns.db")) as towns, towns:
            towns.execute("create table shop (shop text, town text)")
            towns.execute("insert into shop values ('a', 'Bath'), ('b', 'York')")
    _deliver(project, 0, query=query)
    return project


def _deliver(project: TinyProject, number: int, *, query: bool) -> None:
    day = f"2026-02-{number + 1:02}T10:00:00"
    project.sales(
        f"{number}.csv",
        (number, "a", 10 + number, day),
        (number + 1, "b", 5, day),
        (90 + number, "a", -1, day),
    )
    project.visits(f"{number}.csv", ("a", 60, day), ("b", -5, day))
    if query:
        dropped = project.root / "landing" / "temporal" / "visit" / f"{number}.csv"
        place = project.root / "deliveries" / dropped.name
        place.parent.mkdir(exist_ok=True)
        dropped.rename(place)


def _grown(root: Path, runs: int, *, query: bool = True) -> TinyProject:
    """After some runs come late rows, a correction, the same bytes again and a changed table."""
    project = _new(root, query=query)
    for number in range(1, runs + 1):
        assert project.run().ok
        _deliver(project, number, query=query)
    project.sales("0.csv", (0, "a", 7, "2026-02-01T11:00:00"), (70, "b", 7, "2026-02-01T11:00:00"))
    project.sales("late.csv", (80, "b", 1, "2026-02-02T08:00:00"), (1, "b", 2, "2026-02-01T08:00:00"))
    if query:
        with closing(sqlite3.connect(root / "towns.db")) as towns, towns:
            towns.execute("update shop set town = 'Hull' where shop = 'b'")
    else:
        project.visits("0.csv", ("a", 60, "2026-02-01T10:00:00"), ("b", -5, "2026-02-01T10:00:00"))
    return project


# The manifest has two commits of the first run, and a checkpoint with each tenth; most others have one a run.
KINDS: dict[str, Callable[[Path], TinyProject]] = {
    "new": _new,
    "checkpoint of the manifest": lambda root: _grown(root, 8),
    "checkpoint of the others": lambda root: _grown(root, 9),
}


@dataclass(frozen=True)
class Undisturbed:
    """What a run makes that nothing disturbs."""

    contents: dict[str, list[str]]
    landed: set[tuple[str, ...]]
    accounts: dict[str, tuple[int, int, int, int]]

    @classmethod
    def of(cls, project: TinyProject) -> Undisturbed:
        project.open()  # its module, not that of a copy
        return cls(contents(project.root), _landed(project.root), accounts(project.root))


def _landed(root: Path) -> set[tuple[str, ...]]:
    """The versions of files that have landed; one may have been delivered again after the cut."""
    return {delivery[:3] for delivery in deliveries(root)}


def _opened(root: Path, project: TinyProject) -> TinyProject:
    found = object.__new__(TinyProject)
    found.root, found.module = root, project.module
    return found


def _complete(cut: Cut, root: Path, project: TinyProject, expected: Undisturbed, is_mended: bool) -> None:
    """Run what a power cut left, and compare it with what it would have become."""
    cut.lay_out(root)
    left = _opened(root, project)
    result = left.run()
    assert result.ok, [str(error) for error in result.failures.values()]
    assert contents(root) == expected.contents
    assert accounts(root) == expected.accounts
    assert _landed(root) == expected.landed
    assert not [p for p in (root / "landing" / "temporal").rglob("*") if p.is_file()]
    lake = Lake(root)
    for dataset in lake.datasets():
        actions = lake.open(dataset).get_add_actions(flatten=True)
        for name, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
            assert (lake.path(dataset) / name).stat().st_size == size, (dataset, name)
    for name, text in cut.synced.items():
        now = root / name
        if now.exists():
            assert now.read_bytes() == text or not text, f"{name} has another content"
        else:
            may_go = is_mended or name.startswith("operations/")
            assert may_go, f"{name} was synced, and is gone"
    again = left.run()
    assert again.ok
    assert (again.receipts, again.warnings) == ([], [])
    shown = CliRunner().invoke(app, ["-C", str(root), "status"])
    assert shown.exit_code == 0, shown.output


def _try_all(
    found: list[Cut],
    folder: Path,
    project: TinyProject,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_mended: bool = False,
) -> list[str]:
    """What went wrong after each of some power cuts.

    Where the run went on from a damaged log, a further one may do so again, under a later number.
    """
    expected = Undisturbed.of(project)
    failures = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # this time the power stays
    for number, cut in enumerate(found):
        root = folder / f"cut-{number}"
        try:
            _complete(cut, root, project, expected, is_mended)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{cut.how} (kept in {root}): {line.line}: {error!r}"[:2000])
        else:
            shutil.rmtree(root)
    return failures


def _traced(project: TinyProject, folder: Path) -> tuple[Path, list[Operation]]:
    """Run a project under strace: a copy from before, and what the run did to the files."""
    before, trace = folder / "before", folder / "trace"
    shutil.copytree(project.root, before)
    done = subprocess.run(
        [
            *(*traced.COMMAND, "-o", str(trace)),
            *(sys.executable, "-c", RUN, str(Path(__file__).parents[1]), str(project.root)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return before, traced.operations(trace, project.root, before)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_traced_run_survives_power_cuts(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not there: system calls can't be traced")
    project = KINDS[kind](tmp_path / "project")
    before, operations = _traced(project, tmp_path)
    disk = Disk(before)
    for operation in operations:
        disk.apply(operation)
    assert disk.tree() == Disk(project.root).tree(), "the trace does not lead to what the run left"
    found, points = cuts(Disk(before), operations, every=1, some=3, seed=1)
    seen = os.environ.get("BACKBONE_CUTS", "150")
    print(f"{kind}: {len(operations)} operations, {points} points, {len(found)} states, {seen} tried")
    assert _try_all(found[: int(seen)], tmp_path, project, monkeypatch) == []


@pytest.mark.parametrize("kind", ["new", "grown"])
def test_a_watched_run_survives_some_power_cuts(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without a trace: what the run has not synced is seen by looking at its folder."""
    root = tmp_path / "project"
    project = _new(root, query=False) if kind == "new" else _grown(root, 1, query=False)
    before = tmp_path / "before"
    shutil.copytree(root, before)
    found = _watched(project, before, monkeypatch)
    assert len(found) > SAMPLE
    failures = _try_all(found[:SAMPLE], tmp_path, project, monkeypatch)
    assert not failures, failures[0]


def _watched(
    project: TinyProject, before: Path, monkeypatch: pytest.MonkeyPatch, unsynced: str | None = None
) -> list[Cut]:
    """Run a project, of which there is a copy from before, and see what power cuts may leave."""
    with watched(project.root, monkeypatch) as watch:
        assert project.run().ok
    disk = Disk(before)
    for operation in watch.operations:
        disk.apply(operation)
    assert disk.tree() == Disk(project.root).tree(), "what was seen does not lead to what the run left"
    return cuts(Disk(before, unsynced), watch.operations, every=5, some=3, seed=1)[0]


def test_what_a_killed_run_placed_is_synced_before_it_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run adopts it; the power is cut after that. Before, nobody can say where the file is."""
    root, before = tmp_path / "project", tmp_path / "before"
    project = _new(root, query=False)
    assert project.run().ok
    arrival = datetime.now(UTC).strftime(ARRIVAL)
    placed = f"landing/persistent/sale/{arrival}"
    project.sales("1.csv", (7, "c", 1, "2026-02-03T10:00:00"))
    (root / placed).mkdir()
    (root / "landing" / "temporal" / "sale" / "1.csv").rename(root / placed / "1.csv")
    shutil.copytree(root, before)
    found = _watched(project, before, monkeypatch, placed)
    recorded = "landing/batch/_delta_log/00000000000000000002.json"
    after = [cut for cut in found if cut.tree.get(recorded)]
    assert len(after) > SAMPLE
    assert {cut.tree.get(f"{placed}/1.csv") for cut in after} == {(root / placed / "1.csv").read_bytes()}
    assert _try_all(after[:3], tmp_path, project, monkeypatch) == []


def _empty(log: TableLog) -> None:
    log.path(log.versions[-1]).write_bytes(b"")


def _all_gone(log: TableLog) -> None:
    shutil.rmtree(log.folder)


@pytest.mark.long
@pytest.mark.parametrize("damage", [_empty, _all_gone])
@pytest.mark.parametrize(
    "dataset", ["landing.batch", "formatted.sale", "exploitation.shop_day", "operations.receipt"]
)
def test_a_run_that_mends_a_log_survives_power_cuts(
    dataset: str, damage: Callable[[TableLog], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, before = tmp_path / "project", tmp_path / "before"
    project = _grown(root, 3, query=False)
    assert project.run().ok
    damage(project.lake.log(dataset))
    shutil.copytree(root, before)
    found = _watched(project, before, monkeypatch)
    assert _try_all(found[: 2 * SAMPLE], tmp_path, project, monkeypatch, is_mended=True) == []
