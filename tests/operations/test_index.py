"""`operations.*` is an index over the receipts: it can be lost, and is made again from the commits."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backbone.lake.pieces import MANY_PIECES
from backbone.operations.index import Index, run_row
from projects import TinyProject, accounts, built, contents

TABLES = ("receipt", "change", "window", "batch")


def _history(root: Path) -> TinyProject:
    project = TinyProject(root)
    project.sales("a.csv", (1, "x", 1, "2026-02-01T10:00:00"), (2, "x", -1, "2026-02-01T10:00:00"))
    project.visits("a.csv", ("y", 1, "2026-02-02T10:00:00"))
    assert project.run().ok
    project.sales("b.csv", (1, "x", 1, "2026-02-03T10:00:00"))
    assert project.run().ok
    project.sales("b.csv", (3, "x", 1, "2026-02-04T10:00:00"))
    assert built(project.run(), "shop_day") == ["2026-02-01", "2026-02-03", "2026-02-04"]
    return project


def _index(project: TinyProject) -> dict[str, list[tuple[object, ...]]]:
    return {name: project.rows(f"select * from operations.{name} order by all") for name in TABLES}


def test_a_lost_index_is_made_again_and_nothing_becomes_stale(tmp_path: Path) -> None:
    project = _history(tmp_path)
    before, rows = _index(project), accounts(tmp_path)
    shutil.rmtree(tmp_path / "operations")
    versions = project.versions()
    result = project.run()
    assert (result.ok, result.receipts) == (True, [])
    assert _index(project) == before
    assert accounts(tmp_path) == rows
    after = project.versions()
    assert {name: after[name] for name in versions} == versions
    project.sales("c.csv", (9, "x", 1, "2026-02-01T10:00:00"))
    assert built(project.run(), "shop_day") == ["2026-02-01"]


@pytest.mark.parametrize("lost", [("receipt",), ("receipt", "window"), ("run",)])
def test_an_index_that_is_half_there_is_completed(lost: tuple[str, ...], tmp_path: Path) -> None:
    """A run that dies while it indexes leaves facts without the receipts that say they are indexed."""
    project = _history(tmp_path)
    rows = accounts(tmp_path)
    for name in lost:
        shutil.rmtree(tmp_path / "operations" / name)
    assert project.run().receipts == []
    assert project.rows("select count(*) from operations.receipt where stage = 'build'") == [(3,)]
    assert accounts(tmp_path) == rows
    assert project.run().receipts == []


def test_the_index_stays_small(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    assert project.run().ok
    opened = project.open()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with opened.engine("test") as engine:
        index = Index(project.lake, engine, opened.scratch("test"))
        for number in range(50):
            index.add_run(run_row(str(number), now, now, "done", [], [], []))
            index.write()
    assert len(project.lake.read("operations.run").files) <= MANY_PIECES
    assert project.rows("select count(distinct run_id) from operations.run") == [(51,)]
    assert project.run().receipts == []


def test_old_versions_of_the_index_are_not_kept_and_those_of_other_tables_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbone.operations.index.CLEAN_EVERY", 2)
    project = TinyProject(tmp_path)
    for day in range(1, 8):
        project.sales(f"{day}.csv", (day, "x", day, f"2026-02-0{day}T10:00:00"))
        assert project.run().ok
    kept = {
        name: project.lake.open(name).metadata().configuration["delta.logRetentionDuration"]
        for name in project.lake.datasets()
    }
    assert {name.partition(".")[0]: days for name, days in kept.items()} == {
        "landing": "interval 3650 days",
        "formatted": "interval 3650 days",
        "quarantine": "interval 3650 days",
        "duplicate": "interval 3650 days",
        "exploitation": "interval 3650 days",
        "operations": "interval 7 days",
    }
    assert project.rows("select count(*) from operations.run") == [(7,)]
    assert project.run().receipts == []


@pytest.mark.parametrize("lost", ["formatted/sale", "exploitation/shop_day"])
def test_a_lost_table_is_computed_again_and_what_comes_after_reaches_its_readers(
    lost: str, tmp_path: Path
) -> None:
    project, other = _history(tmp_path / "one"), _history(tmp_path / "other")
    before = contents(project.root)
    shutil.rmtree(project.root / lost)
    assert project.run().ok
    assert contents(project.root) == before
    assert project.run().receipts == []
    indexed = dict(project.rows("select dataset, max(version) from operations.receipt group by 1"))
    versions = {name: at for name, at in project.versions().items() if not name.startswith("operations.")}
    assert indexed == versions
    for each in (project, other):
        each.sales("late.csv", (9, "x", 5, "2026-02-01T09:00:00"))
        assert "2026-02-01" in built(each.run(), "shop_day")
    assert contents(project.root) == contents(other.root)
