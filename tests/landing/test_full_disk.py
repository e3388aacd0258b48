"""A disk that fills up, in bytes or in inodes, and is given more."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
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


# How many files a run may still make: none, no lock, no staged file, no commit, some of the commits.
@pytest.mark.parametrize("spare", [0, 1, 3, 6, 10, 13, 16, 19])
@pytest.mark.parametrize("before", [False, True], ids=["new", "ran"])
def test_without_inodes_it_is_told_and_the_next_run_completes(
    small_disk: tuple[Trial, Resize], spare: int, before: bool
) -> None:
    trial, _ = small_disk
    if before:
        trial.drop(HEADER + "0,small,1.00,2026-01-01\n", "a.csv")
        trial.run_well()
    trial.drop(HEADER + "1,small,1.00,2026-01-02\n2,small,-1.00,2026-01-02\n", "b.csv")
    disk = os.statvfs(trial.root)
    _inodes(trial, disk.f_files - disk.f_ffree + spare)
    ended = trial.command("run")
    assert ended.status == 1
    assert_told(ended.errors)
    for command in READING:
        assert trial.command(*command).status == 0, command
    _inodes(trial, disk.f_files)
    trial.run_well()
    assert trial.accounted() == (2 + before, 1 + before, 1, 0)
    assert trial.run_well().receipts == []


@pytest.mark.parametrize("before", [False, True], ids=["new", "ran"])
def test_what_only_reads_goes_on_without_any_room(small_disk: tuple[Trial, Resize], before: bool) -> None:
    trial, _ = small_disk
    trial.drop(HEADER + "0,small,1.00,2026-01-01\n", "a.csv")
    if before:
        trial.run_well()
    answers = [trial.command(*command) for command in READING]
    (trial.root / ".backbone" / "models.json").unlink(missing_ok=True)
    _fill(trial)
    assert [trial.command(*command) for command in READING] == answers
    ended = trial.command("run")
    if not before:
        assert ended.status == 1
        assert_told(ended.errors)
    for words in (["init", str(trial.root / "new")], ["demo", str(trial.root / "new")]):
        ended = trial.command(*words)
        assert ended.status == 1
        assert_told(ended.errors)
        assert "The project is not complete; what is there can be used again." in ended.errors
    (trial.root / "filling").unlink()
    assert trial.command("init", str(trial.root / "new"), "--pipeline", "rare_edges").status == 0
    trial.run_well()
    assert trial.accounted() == (1, 1, 0, 0)


READING = (["status"], ["plan"], ["query", "select 1 as one"], ["quarantine"])


def assert_told(errors: str) -> None:
    """One error, of the four parts, and not the system's alone."""
    assert re.fullmatch(r"\w+: .+: .+\. [A-Z].+\nNext: .+\n", errors), errors
    assert "No space left on device" in errors
    assert not errors.startswith("OSError")


def _inodes(trial: Trial, number: int) -> None:
    options = f"remount,nr_inodes={number}"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", trial.root], check=True, capture_output=True
    )


def _fill(trial: Trial) -> None:
    with (trial.root / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(100_000))
