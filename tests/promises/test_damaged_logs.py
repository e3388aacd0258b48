"""A log that was damaged is noticed, and what is lost is done again under new numbers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from backbone.lake.log import LOG, TableLog, checkpoint_name
from backbone.lake.table import Lake
from projects import TinyProject, accounts, contents, finished

DATASETS = (
    "landing.batch",
    *(f"formatted.{name}" for name in ("sale", "visit")),
    *("quarantine.sale", "duplicate.sale", "exploitation.shop_day"),
    *(f"operations.{name}" for name in ("change", "input", "window", "batch", "receipt")),
)


def empty(log: TableLog) -> None:
    log.path(log.versions[-1]).write_bytes(b"")


def half(log: TableLog) -> None:
    file = log.path(log.versions[-1])
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def newest_gone(log: TableLog) -> None:
    log.path(log.versions[-1]).unlink()


def middle_gone(log: TableLog) -> None:
    log.path(log.versions[1]).unlink()


def middle_empty(log: TableLog) -> None:
    log.path(log.versions[1]).write_bytes(b"")


def another(log: TableLog) -> None:
    """The newest commit is another one: its receipt is of another day."""
    file = log.path(log.versions[-1])
    text = file.read_bytes()
    changed = re.sub(rb'(started_at\\":\\")20', rb"\g<1>19", text)
    assert changed != text or "operations" in str(log.folder)
    file.write_bytes(changed)


def log_gone(log: TableLog) -> None:
    shutil.rmtree(log.folder)


def table_gone(log: TableLog) -> None:
    shutil.rmtree(log.folder.parent)


DAMAGES = (empty, half, newest_gone, middle_gone, middle_empty, another, log_gone, table_gone)


def trials() -> Iterator[Any]:
    """Every damage of every table; some of them in the usual run, in which each occurs."""
    for place, dataset in enumerate(DATASETS):
        for number, damage in enumerate(DAMAGES):
            marks = [] if number == place % len(DAMAGES) else [pytest.mark.long]
            yield pytest.param(dataset, damage, marks=marks, id=f"{dataset} {damage.__name__}")


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """A project of four runs: late rows, corrections, duplicates, bad rows and a redelivery."""
    project = TinyProject(tmp_path_factory.mktemp("whole") / "project")
    for run in range(4):
        day = f"2026-02-0{run + 1}T10:00:00"
        project.sales(
            f"{run}.csv",
            (run, "a", 10 + run, day),
            (run + 1, "b", 5, day),
            (90 + run, "c", -1, day),
        )
        project.visits(f"{run}.csv", ("a", 60, day), ("b", -5, day))
        if run == 2:
            project.sales("0.csv", (0, "a", 7, "2026-02-01T11:00:00"))
        assert project.run().ok
    assert all(len(project.lake.log(name).versions) > 2 for name in DATASETS)
    return project


def rows_by_version(root: Path, dataset: str) -> dict[int, list[str]]:
    """The rows of each version that can be opened."""
    found = {}
    path = Lake(root).path(dataset)
    for version in range(12):
        try:
            rows = DeltaTable(str(path), version=version).to_pyarrow_table().to_pylist()
        except DeltaError:
            continue
        found[version] = sorted(map(repr, rows))
    return found


@pytest.mark.parametrize(("dataset", "damage"), list(trials()))
def test_a_damaged_log_is_noticed_and_made_good(
    whole: TinyProject, dataset: str, damage: Callable[[TableLog], None], tmp_path: Path
) -> None:
    project = whole.copy(tmp_path / "project")
    before = rows_by_version(project.root, dataset)
    damage(TableLog(project.lake.path(dataset) / LOG))
    is_ledger = dataset.startswith("operations.")
    if not is_ledger and damage is not middle_gone:
        status, out, _ = finished(project.root, "status")
        assert status == 1, out
        assert f"{dataset}: expected the commit of version" in " ".join(out.split())

    result = project.run()

    assert result.ok, [str(error) for error in result.failures.values()]
    assert contents(project.root) == contents(whole.root)
    assert accounts(project.root) == accounts(whole.root)
    if not is_ledger:
        assert any(warning.startswith(f"{dataset}: expected the commit") for warning in result.warnings)
    after = rows_by_version(project.root, dataset)
    changed = [v for v in before.keys() & after.keys() if before[v] != after[v]]
    assert changed == [] or is_ledger, "a version that readers have seen got other content"
    again = project.run()
    assert (again.receipts, again.warnings, again.failures) == ([], [], {})
    assert finished(project.root, "status")[0] == 0


@pytest.mark.parametrize("dataset", ["landing.batch", "exploitation.shop_day", "operations.receipt"])
def test_a_checkpoint_without_a_commit_is_not_the_last_version(
    whole: TinyProject, dataset: str, tmp_path: Path
) -> None:
    """A run that dies while it begins a lost log again leaves one; who reads the folder sees that version."""
    project = whole.copy(tmp_path / "project")
    log = TableLog(project.lake.path(dataset) / LOG)
    last = log.versions[-1]
    DeltaTable(str(log.folder.parent)).create_checkpoint()
    (log.folder / checkpoint_name(last)).rename(log.folder / checkpoint_name(last + 1))
    for file in [log.folder / "_last_checkpoint", *map(log.path, log.versions)]:
        file.unlink()

    result = project.run()

    assert result.ok, [str(error) for error in result.failures.values()]
    assert contents(project.root) == contents(whole.root)
    assert accounts(project.root) == accounts(whole.root)
    assert TableLog(log.folder).versions[0] == last + 2
    again = project.run()
    assert (again.receipts, again.warnings, again.failures) == ([], [], {})
