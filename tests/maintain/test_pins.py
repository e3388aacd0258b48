"""A pinned version can be read for ever."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from backbone.errors import BackboneError
from backbone.ledger.pins import pin, pins, unpin
from backbone.ledger.tables import OF_RECEIPTS
from backbone.maintain import maintain
from backbone.perform import Waits, open_session
from projects import LEDGER_GONE, TinyProject, contents

PINNED = {"formatted.sale": 3, "exploitation.shop_day": 2}


def grow(project: TinyProject, runs: range) -> None:
    for run in runs:
        day = f"2026-02-{run // 10 + 1:02}T10:00:00"
        project.sales(f"{run}.csv", (run, "a", 1, day), (run // 2, "b", 2, day))
        assert project.run().ok


def rows(project: TinyProject, dataset: str, version: int) -> list[str]:
    table = DeltaTable(str(project.lake.path(dataset)), version=version).to_pyarrow_table()
    return sorted(map(repr, table.to_pylist()))


def test_a_pinned_version_stays_readable_until_it_is_unpinned(tmp_path: Path) -> None:
    project = TinyProject(tmp_path, settings="[maintain]\nkeep_days = 0\n")
    grow(project, range(5))
    before = {name: rows(project, name, version) for name, version in PINNED.items()}
    with open_session(project.open(), lambda text: None, Waits()) as session:
        assert len(pin(session.work, "trial", PINNED)) == 2
        assert pin(session.work, "trial", PINNED) == [], "it is pinned once"
        with pytest.raises(BackboneError, match=r"formatted\.sale: expected version 99"):
            pin(session.work, "trial", {"formatted.sale": 99})
    for runs in (range(5, 22), range(22, 34)):
        grow(project, runs)
        maintain(project.open())
        assert {name: rows(project, name, version) for name, version in PINNED.items()} == before
    for name, version in PINNED.items():
        for other in (version - 1, version + 1):
            with pytest.raises(DeltaError):
                DeltaTable(str(project.lake.path(name)), version=other)
        assert project.lake.read(name, version).version == version
    whole = contents(project.root)
    for name in OF_RECEIPTS:
        shutil.rmtree(project.root / "operations" / name)
    result = project.run()
    assert (result.receipts, result.warnings, contents(project.root)) == ([], [LEDGER_GONE], whole)
    opened = project.open()
    with open_session(opened, lambda text: None, Waits()) as session:
        assert {(p.name, p.dataset, p.version) for p in pins(opened.lake, session.database)} == {
            ("trial", name, version) for name, version in PINNED.items()
        }
        with pytest.raises(BackboneError, match="expected version 4"):
            pin(session.work, "late", {"formatted.sale": 4})
        assert len(unpin(session.work, "trial")) == 2
        assert unpin(session.work, "trial") == []
    maintain(project.open())
    for name, version in PINNED.items():
        with pytest.raises(DeltaError):
            DeltaTable(str(project.lake.path(name)), version=version)
    assert contents(project.root) == whole
