"""What a barrier syncs, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backbone.lake.barrier import Barrier


@pytest.fixture(name="synced")
def _synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was synced, in order."""
    found: list[str] = []

    def sync(descriptor: int) -> None:
        number = os.fstat(descriptor).st_ino
        found.extend(p.name for p in (tmp_path, *tmp_path.rglob("*")) if p.stat().st_ino == number)

    monkeypatch.setattr(os, "fsync", sync)
    return found


@pytest.mark.parametrize("moved", [1, 20])
def test_the_folder_that_a_file_left_is_synced_last(tmp_path: Path, synced: list[str], moved: int) -> None:
    """Between two syncs a power cut may leave the one done and the other not."""
    barrier, left = Barrier(), tmp_path / "left"
    left.mkdir()
    for number in range(moved):
        came = tmp_path / f"came-{number}"
        barrier.make_folder(came)
        (left / f"{number}").write_text("text")
        (left / f"{number}").rename(came / f"{number}")
        barrier.add(came / f"{number}")
        barrier.add_left(left)
    barrier.add_folder(left)
    barrier.wait()
    assert sorted(synced) == sorted({*synced}), "something is synced twice"
    assert {*synced[:moved]} == {f"{number}" for number in range(moved)}
    assert {*synced[moved:-1]} == {tmp_path.name, *(f"came-{number}" for number in range(moved))}
    assert synced[-1] == "left"
    synced.clear()
    barrier.wait()
    assert synced == []


def test_nothing_is_synced_without_durability(tmp_path: Path, synced: list[str]) -> None:
    barrier = Barrier(durable=False)
    (tmp_path / "file").write_text("text")
    barrier.add(tmp_path / "file")
    barrier.add_left(tmp_path)
    barrier.sync([tmp_path / "file"])
    barrier.wait()
    assert synced == []
