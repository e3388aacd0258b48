"""Clocks that jump ten years forwards and back change no rows and lose no receipt."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from backbone.lake.expiry import NEWEST
from backbone.ledger.tables import OF_RECEIPTS
from backbone.maintain import maintain
from clock import Clock
from projects import LEDGER_GONE, TinyProject, accounts, contents

TABLES = ("landing.batch", "formatted.sale", "exploitation.shop_day")


def ledger(project: TinyProject) -> list[tuple[Any, ...]]:
    return project.rows(
        "select dataset, version, run_id, stage, digest from operations.receipt "
        "where not starts_with(dataset, 'operations.') order by all"
    )


def test_a_clock_that_jumps_ten_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = TinyProject(tmp_path / "jumping")
    other = TinyProject(tmp_path / "other")
    clock, run = Clock(monkeypatch), 0
    for years, runs in ((0, 12), (10, 2), (0, 2), (-10, 2), (0, 2), (-10, 1), (10, 1)):
        clock.set(years)
        for _ in range(runs):
            day = f"2026-02-{run + 1:02}T10:00:00"
            for each in (project, other):
                each.sales(f"{run}.csv", (run, "a", 1, day), (run // 2, "b", -1 if run % 4 == 3 else 2, day))
            run += 1
            assert project.run().ok
        before, receipts = contents(project.root), ledger(project)
        maintain(project.open())
        assert contents(project.root) == before
        assert [row for row in ledger(project) if row[3] != "maintain"] == [
            row for row in receipts if row[3] != "maintain"
        ]
        for name in TABLES:
            newest = project.lake.version(name)
            for version in range(max(newest - NEWEST + 1, 0), newest + 1):
                DeltaTable(str(project.lake.path(name)), version=version).to_pyarrow_table()
        assert project.run().receipts == []
    clock.set(0)
    receipts, rows = ledger(project), accounts(project.root)
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    result = project.run()
    assert (result.receipts, result.warnings) == ([], [LEDGER_GONE])
    assert (ledger(project), accounts(project.root)) == (receipts, rows)
    assert other.run().ok
    assert contents(project.root) == contents(other.root)
