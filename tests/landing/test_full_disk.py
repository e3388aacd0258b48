"""A disk that fills up, and is given more space."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import HEADER, Trial

Resize = Callable[[str], None]
ROWS = 40_000
LARGE = HEADER + "".join(
    f"{n},thing {n * 7919 % 99991} {n * 104729 % 99991},{n % 100}.50,2026-01-01 08:00:00\n"
    for n in range(ROWS)
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Trial, Resize]]:
    """A project on a disk of its own, whose size can be changed."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True
        )

    if os.geteuid() != 0:
        pytest.skip("only the superuser may mount a small disk")
    try:
        mount("size=16m")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted: {error}")
    try:
        yield Trial(folder).contract(), lambda size: mount(f"remount,size={size}")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_it_is_told_while_landing_and_the_next_run_completes(
    small_disk: tuple[Trial, Resize], tmp_path: Path
) -> None:
    trial, resize = small_disk
    trial.write(tmp_path / "vendor" / "a.csv", HEADER + "0,small,1.00,2026-01-01\n")
    trial.write(tmp_path / "vendor" / "b.csv", LARGE)
    trial.settings(f'path = "{tmp_path}/vendor/*.csv"')
    resize("1m")
    ended = trial.command("land")
    assert ended.status == 1
    assert "source sale" in ended.errors
    assert "No space left on device" in ended.errors
    assert "free some space and run again" in ended.errors
    assert not list(trial.persistent.rglob("*.part"))
    assert [b.name for b in trial.batches()] == ["a.csv"], "what was taken over before stays"
    resize("64m")
    trial.run_well()
    assert trial.accounted() == (ROWS + 1, ROWS + 1, 0, 0)
    assert [b.status for b in trial.batches()] == ["landed", "landed"]


@pytest.mark.parametrize("spare", [0, 100_000, 400_000])
def test_it_is_told_while_formatting_and_the_next_run_completes(
    small_disk: tuple[Trial, Resize], spare: int
) -> None:
    trial, resize = small_disk
    trial.drop(HEADER + "0,small,1.00,2026-01-01\n", "a.csv")
    trial.run_well()
    trial.drop(LARGE, "b.csv")
    disk = os.statvfs(trial.root)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    resize(str(used + spare))
    ended = trial.command("run")
    assert ended.status == 1
    assert "No space left" in ended.errors
    assert "Next: free" in ended.errors
    assert trial.formatted() == [0]
    resize("64m")
    trial.run_well()
    assert trial.accounted() == (ROWS + 1, ROWS + 1, 0, 0)
    assert trial.run_well().receipts == []
