"""What a run costs does not grow with the hours before it: counted in commits, opened tables and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deltalake
import pytest
from rare_edges_project import COUNTS, QUICK, Count, contents, deliver, project, project_of

from backbone.engines.duckdb import database, read
from backbone.lake.pieces import MANY_PIECES
from backbone.lake.publish import publish
from backbone.lake.table import TableVersion
from conftest import Trial

DAY = 24


def hourly(hours: range) -> list[Count]:
    return [(hour, source, "x", 1 + hour % 7) for hour in hours for source in ("a", "b")]


@contextmanager
def counted(trial: Trial) -> Iterator[dict[str, Any]]:
    """Commits that are made meanwhile, tables that are opened, and the largest list of files that is read."""
    found: dict[str, Any] = {"opened": 0, "files": 0}
    before = set(trial.root.glob("*/*/_delta_log/*.json"))
    with pytest.MonkeyPatch.context() as patched:
        opened, scan = deltalake.DeltaTable.__init__, read.scan

        def opens(*arguments: Any, **named: Any) -> None:
            found["opened"] += 1
            opened(*arguments, **named)

        def scans(table: TableVersion, option: str = "") -> str:
            found["files"] = max(found["files"], len(table.files))
            return scan(table, option)

        patched.setattr(deltalake.DeltaTable, "__init__", opens)
        for module in (read, database):
            patched.setattr(module, "scan", scans)
        yield found
    found["commits"] = len(set(trial.root.glob("*/*/_delta_log/*.json")) - before)


def test_an_hour_after_many_costs_what_one_after_few_did(tmp_path: Path) -> None:
    trial = project(tmp_path, QUICK + "state_days = 0\n")
    runs = []
    for hour in range(52):
        deliver(trial, hourly(range(hour, hour + 1)), f"{hour}.csv")
        with counted(trial) as found:
            trial.run_well()
        runs.append(found)
    assert {run["commits"] for run in runs[2:]} == {11}, "five tables of the pipeline, six of the index"
    # Six tables of the ledger, landing, two of formatting and three that are built; one more for each
    # checkpoint: landing's every tenth commit, then those of the other ten tables.
    checkpoints = {8: 1, 9: 10}
    assert [run["opened"] for run in runs[2:50]] == [12 + checkpoints.get(h % 10, 0) for h in range(2, 50)]
    assert runs[50]["opened"] <= 12 + 3 * 11, "logs are shortened"
    assert runs[51]["opened"] == 12
    assert max(run["files"] for run in runs) <= 2 * DAY
    lake = trial.open().lake
    files = {name: len(lake.read(name).files) for name in lake.datasets()}
    days = {name: len({Path(f).parent for f in lake.read(name).files}) for name in files}
    assert all(count <= MANY_PIECES + days[name] for name, count in files.items()), files
    assert contents(trial) == contents(
        project_of(tmp_path / "whole", hourly(range(52)), QUICK + "state_days = 0\n")
    )
    with counted(trial) as found:
        assert trial.run_well().receipts == []
    assert found["commits"] == 0


def test_joined_files_leave_versions_and_receipts_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbone.lake.pieces.MANY_PIECES", 2)
    trial = project(tmp_path / "parts", QUICK)
    before = []
    for hour in range(0, 48, 6):
        deliver(trial, hourly(range(hour, hour + 6)), f"{hour}.csv")
        trial.run_well()
        lake = trial.open().lake
        before.append((lake.version("exploitation.edge_hour"), 2 * (hour + 6)))
        assert len(lake.read("formatted.connection").files) <= 2
    assert len(lake.read("exploitation.edge_hour").files) <= 4
    project_ = trial.open()
    with project_.database("question") as opened:
        for version, rows in before:
            opened.read(project_.lake.read("exploitation.edge_hour", version))
            assert opened.fetch("select count(*) from exploitation.edge_hour") == [(rows,)]
    assert [version for version, *_ in project_.lake.receipts("exploitation.edge_hour")] == [
        v for v, _ in before
    ]
    assert trial.run_well().receipts == []


class Died(BaseException):
    """Stands for the end of a process."""


@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_dies_while_files_are_joined_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.setattr("backbone.lake.pieces.MANY_PIECES", 2)
    trial = project(tmp_path / "parts", QUICK)
    expected = contents(project_of(tmp_path / "whole", COUNTS))
    for part in range(12):
        deliver(trial, [count for count in COUNTS if count[0] // 5 == part], f"{part}.csv")
        calls = 0

        def dies(*arguments: Any, **named: Any) -> int:
            nonlocal calls
            calls += 1
            if calls == 1 + part and before:  # noqa: B023 - called before the next part
                raise Died
            version = publish(*arguments, **named)
            if calls == 1 + part:  # noqa: B023
                raise Died
            return version

        with monkeypatch.context() as patched:
            patched.setattr("backbone.lake.store.publish", dies)
            if part < 10:
                with pytest.raises(Died):
                    trial.run()
        trial.run_well()
    assert contents(trial) == expected
    trial.account()
    assert trial.run_well().receipts == []
