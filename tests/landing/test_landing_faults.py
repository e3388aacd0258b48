"""One fault, one file: what goes wrong with one is reported, and everything else is landed."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backbone.errors import EngineFailed, FileNotTaken, SourceUnavailable, Unexpected
from backbone.landing.files import TEMPORAL
from backbone.landing.persistent import ARRIVAL
from backbone.printable import shown
from conftest import GOOD, HEADER, ONE, Trial

OTHER = HEADER + "9,bun,1.00,2026-01-05 08:00:00\n"
STAYS = "It stays where it is, and each run tries it again; every other file is processed."


def failing(original: Callable[..., Any], at: Callable[..., bool], error: Exception) -> Callable[..., Any]:
    """The function, failing for the arguments that `at` is true for."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if at(*arguments):
            raise error
        return original(*arguments, **named)

    return wrapped


def deny(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Refuse to open files of these names, as the system does without the right to read."""
    denied = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(Path, "open", failing(Path.open, lambda path, *_: path.name in names, denied))


def test_a_file_that_cannot_be_read_stays_and_the_others_land(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = trial.drop(OTHER, "secret.csv")
    trial.drop(GOOD, "a.csv")
    trial.drop(HEADER + ONE, "z.csv")
    with monkeypatch.context() as patched:
        deny(patched, "secret.csv")
        for _ in range(2):
            result = trial.run()
            assert list(result.failures) == ["source sale, secret.csv"]
            error = result.failures["source sale, secret.csv"]
            assert isinstance(error, FileNotTaken)
            assert str(error) == (
                "source sale, secret.csv: expected a file that can be taken over, found: Permission denied. "
                f"{STAYS}\nNext: give the user of the run the right to read and to move it, "
                "or take it out of the folder"
            )
            assert secret.stat().st_size == len(OTHER)
            assert [b.name for b in trial.batches()] == ["a.csv", "z.csv"]
            assert trial.formatted() == [1, 1, 2, 3]
    trial.run_well()
    assert trial.formatted() == [1, 1, 2, 3, 9]
    assert not secret.exists()


def test_without_the_right_to_read_or_list(trial: Trial) -> None:
    trial.drop(GOOD)
    secret = trial.drop(OTHER, "secret.csv")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("the superuser may read everything")
    hidden = trial.drop(OTHER, "closed/b.csv").parent
    hidden.chmod(0)
    try:
        result = trial.run()
    finally:
        hidden.chmod(0o755)
    assert list(result.failures) == ["source sale, closed", "source sale, secret.csv"]
    assert trial.formatted() == [1, 2, 3]


def test_the_end_of_the_disk_is_found_while_it_is_hashed_and_the_file_goes_back(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = trial.drop(OTHER, "sub/broken.csv")
    trial.drop(GOOD, "z.csv")
    bad = failing(
        Path.open,
        lambda path, *_: path.name == "broken.csv" and "persistent" in path.parts,
        OSError(errno.EIO, "Input/output error"),
    )
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", bad)
        (error,) = trial.run().failures.values()
    assert error.where == "source sale, sub/broken.csv"
    assert "Input/output error" in error.problem
    assert error.state == STAYS
    assert dropped.read_text() == OTHER
    assert [b.name for b in trial.batches()] == ["z.csv"]
    assert len(list(trial.persistent.iterdir())) == 1, "no empty folder is left"
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 9]


def test_what_a_dead_run_left_and_cannot_be_read_is_tried_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was left where later arrivals would hide it."""
    trial.drop(GOOD, "a.csv")
    trial.run_well()
    left = trial.batches()[-1].arrived_at + timedelta(microseconds=5)
    trial.write(trial.persistent / left.strftime(ARRIVAL) / "b.csv", OTHER)
    with monkeypatch.context() as patched:
        deny(patched, "b.csv")
        for name in ("c.csv", "d.csv"):
            trial.drop(HEADER, name)
            (error,) = trial.run().failures.values()
            assert error.where == "source sale, b.csv"
            assert "each run tries it again" in error.state
            assert "landing/persistent/sale/" in error.state
    trial.run_well()
    assert sorted(b.name for b in trial.batches()) == ["a.csv", "b.csv", "c.csv", "d.csv"]
    assert trial.formatted() == [1, 2, 3, 9]


def test_a_file_that_vanishes_before_it_is_moved(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = trial.drop(OTHER, "a.csv")
    trial.drop(GOOD, "b.csv")
    rename = Path.rename

    def withdrawn(self: Path, target: Path) -> Path:
        if self == gone:
            self.unlink()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", withdrawn)
    (error,) = trial.run().failures.values()
    assert error.where == "source sale, a.csv"
    assert "No such file" in error.problem
    assert "deliver it again" in error.next_step
    assert trial.formatted() == [1, 2, 3]
    assert trial.run_well().receipts == []


@pytest.mark.parametrize("way", ["dropped", "path"])
def test_a_bug_in_one_file_is_its_failure_and_its_traceback_is_logged(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder = trial.temporal if way == "dropped" else trial.root / "in"
    trial.settings('path = "in/*.csv"' if way == "path" else "")
    bad = trial.write(folder / "b.csv", OTHER)
    trial.write(folder / "a.csv", GOOD)
    trial.write(folder / "c.csv", HEADER + ONE)
    monkeypatch.setattr(
        "backbone.landing.files._refuse_unreadable",
        failing(lambda path: None, lambda path: path == bad, ZeroDivisionError("division by zero")),
    )
    ended = trial.command("run")
    assert ended.status == 1
    assert "Unexpected: source sale, b.csv: an unexpected error: ZeroDivisionError" in ended.errors
    assert ".backbone/errors.log" in ended.errors
    assert "Traceback" not in ended.errors
    assert "Traceback" in (trial.root / ".backbone" / "errors.log").read_text()
    assert bad.read_text() == OTHER
    assert trial.formatted() == [1, 1, 2, 3]


def test_a_bug_in_a_source_is_its_failure(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.drop()
    trial.settings('path = "in/*.csv"')
    (trial.root / "in").mkdir()
    bug = failing(lambda pattern: None, lambda pattern: True, RecursionError("too deep"))
    monkeypatch.setattr("backbone.landing.files.list_matching", bug)
    result = trial.run()
    assert isinstance(result.failures["source sale"], Unexpected)
    assert trial.formatted() == [1, 2, 3]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), MemoryError(), EngineFailed("engine", "out of memory")], ids=repr
)
def test_what_is_no_fault_of_a_file_ends_the_run_and_the_next_completes_it(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    trial.drop(GOOD, "a.csv")
    bad = trial.drop(OTHER, "b.csv")
    with monkeypatch.context() as patched:
        fails = failing(lambda path: None, lambda path: path == bad, error)
        patched.setattr("backbone.landing.files._refuse_unreadable", fails)
        ended = trial.command("run")
    assert ended.status == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert ended.errors.startswith(("Interrupted", "MemoryError", "EngineFailed"))
    assert trial.formatted() == []
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 9]


def test_a_full_disk_ends_the_run_and_what_was_taken_over_is_recorded(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.settings('path = "in/*.csv"')
    for name in ("a.csv", "b.csv", "c.csv"):
        trial.write(trial.root / "in" / name, HEADER + ONE)
    full = OSError(errno.ENOSPC, "No space left on device")
    copy = failing(shutil.copy2, lambda source, target: source.name == "b.csv", full)
    with monkeypatch.context() as patched:
        patched.setattr("backbone.landing.files.shutil.copy2", copy)
        with pytest.raises(EngineFailed, match="source sale: No space left on device") as caught:
            trial.run()
    assert "The run ends here. What was taken over before stays" in caught.value.state
    assert caught.value.next_step == "free some space and run again"
    assert [b.name for b in trial.batches()] == ["a.csv"]
    trial.run_well()
    assert trial.formatted() == [1, 1, 1]


NAMES = [
    "a\nb.csv",
    "100%.csv",
    "a%41.csv",
    "a[1].csv",
    "a*b?.csv",
    "{a}.csv",
    "c0=ABC.csv",
    "a'b\"c.csv",
    "ü 漢.csv",
]


@pytest.mark.parametrize("way", ["dropped", "path"])
@pytest.mark.parametrize("name", NAMES)
def test_odd_names_land_and_are_read(trial: Trial, way: str, name: str) -> None:
    trial.settings('path = "in/*.csv"' if way == "path" else "")
    folder = trial.temporal if way == "dropped" else trial.root / "in"
    trial.write(folder / name, GOOD)
    trial.write(folder / "a1.csv", OTHER)  # which a pattern `a[1]` would find
    trial.run_well()
    assert {b.name for b in trial.batches()} == {name, "a1.csv"}
    assert trial.formatted() == [1, 2, 3, 9]


@pytest.mark.parametrize("way", ["dropped", "path"])
def test_the_longest_name_lands(trial: Trial, way: str) -> None:
    trial.settings('path = "in/*.csv"' if way == "path" else "")
    name = "n" * 251 + ".csv"
    trial.write((trial.temporal if way == "dropped" else trial.root / "in") / name, GOOD)
    trial.run_well()
    assert [b.name for b in trial.batches()] == [name]
    assert trial.formatted() == [1, 2, 3]


def test_a_path_that_is_too_long_below_persistent_landing_is_that_files_failure(trial: Trial) -> None:
    """It fits where it is, and would not below a folder whose name is longer."""
    trial.drop(GOOD, "z.csv")
    below = 4095 - len(os.fsencode(trial.temporal)) - 1
    name = "/".join(["d" * 200] * (below // 201))
    name += "/" + "f" * (below - len(name) - 1 - 4) + ".csv" if below - len(name) > 6 else ""
    at = os.open(trial.temporal, os.O_RDONLY)
    try:
        *folders, file = name.split("/")
        for folder in folders:  # step by step, as the whole path may be longer than the system takes
            os.mkdir(folder, dir_fd=at)
            inner = os.open(folder, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = inner
        written = os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=at)
        os.write(written, OTHER.encode())
        os.close(written)
        os.utime(file, (time.time() - 60,) * 2, dir_fd=at)
    finally:
        os.close(at)
    result = trial.run()
    (error,) = result.failures.values()
    assert "File name too long" in error.problem
    assert error.next_step == "give it a shorter name"
    assert trial.formatted() == [1, 2, 3]
    assert [p.name for p in trial.persistent.iterdir()] == [Path(trial.batches()[0].path).parent.name]


def test_a_folder_that_is_not_utf8_keeps_no_other_file_from_landing(trial: Trial) -> None:
    trial.drop(GOOD)
    folder = Path(os.fsdecode(os.fsencode(trial.temporal) + b"/K\xe4ufe"))
    trial.write(folder / "a.csv", OTHER)
    ended = trial.command("run")
    assert ended.status == 1
    assert "expected a file name in UTF-8, found K\\xe4ufe/a.csv" in ended.errors
    assert trial.formatted() == [1, 2, 3]
    trial.settings('path = "in/**/*.csv"')
    folder = Path(os.fsdecode(os.fsencode(trial.root) + b"/in/K\xe4ufe"))
    trial.write(folder / "b.csv", OTHER)
    assert len(trial.run().failures) == 2


def test_links_and_pipes_are_named(trial: Trial, tmp_path: Path) -> None:
    trial.drop(GOOD)
    (trial.temporal / "link.csv").symlink_to(trial.write(tmp_path / "there.csv", OTHER))
    os.mkfifo(trial.temporal / "pipe.csv")
    result = trial.run_well()
    folder = TEMPORAL / "sale"
    assert [w for r in result.receipts for w in r.warnings] == [
        "source sale: passed over, as it is a link or no file: "
        f"{folder}/link.csv, {folder}/pipe.csv; deliver the file itself"
    ]
    assert trial.run_well().warnings == [w for r in result.receipts for w in r.warnings]
    assert trial.formatted() == [1, 2, 3]


def test_a_broken_link_at_a_path_is_a_failure_and_a_good_one_is_read(trial: Trial, tmp_path: Path) -> None:
    trial.settings('path = "in/*.csv"')
    trial.write(trial.root / "in" / "a.csv", GOOD)
    (trial.root / "in" / "good.csv").symlink_to(trial.write(tmp_path / "there.csv", OTHER))
    (trial.root / "in" / "bad.csv").symlink_to("nowhere.csv")
    (error,) = trial.run().failures.values()
    assert error.where == "source sale, bad.csv"
    assert "found a link to nowhere.csv, where there is none" in error.problem
    assert trial.formatted() == [1, 2, 3, 9]
    trial.settings('path = "in/bad.csv"')
    (error,) = trial.run().failures.values()
    assert error.where == "source sale, bad.csv"


@pytest.mark.parametrize("pattern", ["in/*/*.csv", "in/**/*.csv", "in/*/*"])
def test_a_folder_that_cannot_be_listed_is_a_failure(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """The library takes such a folder for an empty one."""
    trial.settings(f'path = "{pattern}"')
    trial.write(trial.root / "in" / "open" / "a.csv", GOOD)
    trial.write(trial.root / "in" / "closed" / "b.csv", OTHER)
    denied = PermissionError(errno.EACCES, "Permission denied")
    closed = failing(
        os.scandir, lambda path: not isinstance(path, int) and Path(path).name == "closed", denied
    )
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", closed)
        result = trial.run()
    assert list(result.failures) == ["source sale, closed"]
    error = result.failures["source sale, closed"]
    assert isinstance(error, SourceUnavailable)
    assert "expected a folder that can be listed, found: Permission denied" in error.problem
    assert trial.formatted() == [1, 2, 3]
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 9]


def test_a_file_in_the_place_of_the_sources_folder(trial: Trial) -> None:
    dropped = trial.drop(GOOD)
    trial.write(trial.persistent, "no folder")
    result = trial.run()
    assert list(result.failures) == ["source sale, sales.csv"]
    assert dropped.exists()
    assert any("landing/persistent/sale" in warning for warning in result.warnings)
    trial.persistent.unlink()
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]


def test_names_are_shown_on_one_line() -> None:
    assert shown("a\x1b[31m\r\n.csv") == "a\\x1b[31m\\r\\n.csv"
    assert shown(os.fsdecode(b"K\xe4ufe \xc3\xbc.csv")) == "K\\xe4ufe ü.csv"
