"""Deliveries, versions and duplicates; and runs that die between any two steps."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backbone.dataset import Receipt
from backbone.lake.store import DeltaStore
from conftest import GOOD, HEADER, ONE, THREE, TWO, Trial

OTHER = HEADER + ONE + "2,cake,4.00,2026-01-01 09:30:00\n4,bun,1.00,2026-01-04 10:00:00\n"
PRICES = "sale_id, cast(price as double)"


def test_bytes_that_were_delivered_are_kept_and_leave_the_drop_folder(trial: Trial) -> None:
    dropped = [trial.drop(GOOD), trial.drop(OTHER, "shop 2/sales.csv")]
    trial.run_well()
    assert not [path for path in dropped if path.exists()]
    kept = {b.name: b for b in trial.batches("landed")}
    assert set(kept) == {"sales.csv", "shop 2/sales.csv"}
    for name, data in (("sales.csv", GOOD), ("shop 2/sales.csv", OTHER)):
        found = (trial.root / kept[name].path).read_bytes()
        assert found == data.encode()
        assert kept[name].sha256 == hashlib.sha256(found).hexdigest()
        assert kept[name].bytes == len(found)


def test_the_same_bytes_again_are_recorded_and_change_nothing(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    before, files = trial.versions(), sorted(trial.persistent.rglob("*"))
    trial.drop(age_s=30)
    trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed", "duplicate"]
    assert {**trial.versions(), "landing.batch": 0} == {**before, "landing.batch": 0}
    assert trial.accounted() == (3, 3, 0, 0)
    assert (trial.account().deliveries, trial.account().repeated) == (2, 1)
    assert sorted(trial.persistent.rglob("*")) == files
    assert not list(trial.temporal.iterdir())
    assert trial.run_well().receipts == []


def test_the_same_bytes_under_another_name_are_another_file(trial: Trial) -> None:
    trial.drop()
    trial.drop(GOOD, "more.csv")
    trial.run_well()
    assert trial.formatted() == [1, 1, 2, 2, 3, 3]


def test_other_bytes_are_a_version_that_replaces_the_rows(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    trial.drop(OTHER)
    trial.run_well()
    assert trial.formatted(PRICES) == [(1, 2.5), (2, 4.0), (4, 1.0)]
    assert [b.status for b in trial.batches()] == ["landed", "landed"]
    assert trial.accounted() == (3, 3, 0, 0)
    assert trial.account().files == 1
    assert all((trial.root / b.path).is_file() for b in trial.batches())


def test_a_file_that_goes_back_to_its_first_content_is_a_third_version(trial: Trial) -> None:
    for data in (GOOD, OTHER, GOOD):
        trial.drop(data)
        trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed"] * 3
    assert trial.formatted() == [1, 2, 3]
    assert trial.accounted() == (3, 3, 0, 0)


def test_versions_that_land_in_one_run_count_in_the_order_of_arrival(trial: Trial) -> None:
    for data in (GOOD, OTHER):
        trial.drop(data)
        assert trial.command("land").status == 0
    assert trial.formatted() == []
    trial.run_well()
    assert trial.formatted() == [1, 2, 4]


def test_under_append_every_version_counts_and_repeats_do_not(trial: Trial) -> None:
    trial.settings('redelivery = "append"')
    for data in (GOOD, OTHER, OTHER, GOOD):
        trial.drop(data)
        trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed", "landed", "duplicate", "landed"]
    assert trial.formatted() == [1, 1, 1, 2, 2, 2, 3, 3, 4]
    assert trial.accounted() == (9, 9, 0, 0)


def test_from_append_back_to_replace_leaves_the_latest_version(trial: Trial) -> None:
    trial.settings('redelivery = "append"')
    for data in (GOOD, OTHER):
        trial.drop(data)
        trial.run_well()
    trial.settings("").run_well()
    assert trial.formatted() == [1, 2, 4]
    trial.settings('redelivery = "append"').run_well()
    assert trial.formatted() == [1, 1, 2, 2, 3, 4]
    assert trial.accounted() == (6, 6, 0, 0)


def test_a_path_is_only_read_and_an_untouched_file_not_again(trial: Trial, tmp_path: Path) -> None:
    file = trial.write(tmp_path / "vendor" / "a.csv", GOOD)
    trial.settings(f'path = "{tmp_path}/vendor/*.csv"')
    trial.run_well()
    mark = (file.stat().st_mtime_ns, file.read_bytes())
    file.with_name("note.txt").write_text("no table")
    assert trial.run_well().receipts == []
    assert (file.stat().st_mtime_ns, file.read_bytes()) == mark
    assert len(trial.batches()) == 1

    trial.write(file, GOOD, age_s=30)  # touched, and equal
    trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed", "duplicate"]
    assert trial.run_well().receipts == []

    trial.write(file, OTHER, age_s=20)
    trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed", "duplicate", "landed"]
    assert trial.formatted() == [1, 2, 4]


def test_a_file_that_vanishes_from_its_path_keeps_its_rows(trial: Trial, tmp_path: Path) -> None:
    file = trial.write(tmp_path / "vendor" / "a.csv", GOOD)
    trial.settings(f'path = "{file}"')
    trial.run_well()
    file.unlink()
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]


def test_a_path_whose_folder_is_missing_is_told(trial: Trial, tmp_path: Path) -> None:
    trial.settings(f'path = "{tmp_path}/nowhere/*.csv"')
    ended = trial.command("run")
    assert ended.status == 1
    assert f"SourceUnavailable: source sale: expected files at {tmp_path}/nowhere/*.csv" in ended.errors
    assert "Nothing was taken over" in ended.errors
    assert "Next: mend [sources.sale] path" in ended.errors


def test_a_path_relative_to_the_project(trial: Trial) -> None:
    trial.write(trial.root / "deliveries" / "a.csv", GOOD)
    trial.settings('path = "deliveries/*.csv"').run_well()
    assert trial.formatted() == [1, 2, 3]


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.tmp", "a.CSV.PART", "b/a.crdownload"])
def test_an_unfinished_file_is_left_alone_and_told(trial: Trial, name: str) -> None:
    left = trial.drop(GOOD, name)
    trial.drop(OTHER, "whole.csv")
    ended = trial.command("run")
    assert ended.status == 0
    assert f"Left for the next run, as it is still being written: {left}" in ended.errors
    assert left.read_text() == GOOD
    assert trial.formatted() == [1, 2, 4]
    left.rename(left.with_name("a.csv"))
    trial.run_well()
    assert trial.formatted() == [1, 1, 2, 2, 3, 4]


def test_a_hidden_file_is_not_taken_and_named_as_such(trial: Trial) -> None:
    hidden = trial.drop(GOOD, ".hidden.csv")
    trial.drop(OTHER, "whole.csv")
    ended = trial.command("run")
    assert ended.status == 0
    assert f"Not taken: {hidden}: hidden files are not" in ended.errors
    assert "rename it without the dot in front" in ended.errors
    assert "still being written" not in ended.errors
    assert trial.formatted() == [1, 2, 4]
    hidden.rename(hidden.with_name("hidden.csv"))
    assert "hidden" not in trial.command("run").errors
    assert trial.formatted() == [1, 1, 2, 2, 3, 4]


def test_a_file_that_grows_while_it_is_looked_at_is_left_alone(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = trial.drop(HEADER + ONE, age_s=0)

    def grow(seconds: float) -> None:
        with growing.open("a") as file:
            file.write(TWO)

    monkeypatch.setattr("backbone.landing.files.time.time", lambda: trial.started)
    monkeypatch.setattr("backbone.landing.files.time.sleep", grow)
    result = trial.run_well()
    assert result.waiting == [growing]
    assert trial.batches() == []
    monkeypatch.setattr("backbone.landing.files.time.sleep", lambda seconds: None)
    trial.run_well()
    assert trial.formatted() == [1, 2]


def test_one_source_that_fails_keeps_no_other_from_landing(trial: Trial, tmp_path: Path) -> None:
    trial.drop()
    trial.settings(f'path = "{tmp_path}/nowhere/*.csv"')
    result = trial.run()
    assert list(result.failures) == ["source sale"]
    assert [b.name for b in trial.batches()] == ["sales.csv"], "what was dropped is landed all the same"


class Died(BaseException):
    """Stands for the end of a process."""


def dies(original: Callable[..., Any], at: int, before: bool) -> Callable[..., Any]:
    """The function, dying before or after its call number `at`."""
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and before:
            raise Died
        result = original(*arguments, **named)
        if calls == at:
            raise Died
        return result

    return wrapped


def die_at(patch: pytest.MonkeyPatch, step: str, at: int, before: bool) -> None:
    """Let a function die at a call; `replace of STAGE` is the publishing of what a stage has made."""
    stage = step.removeprefix("replace of ")
    if stage == step:
        module, _, name = step.rpartition(".")
        owner: Any = importlib.import_module(module)
        patch.setattr(owner, name, dies(getattr(owner, name), at, before))
        return
    replace = DeltaStore.replace
    dead = dies(replace, at, before)

    def replacing(self: DeltaStore, staged: Any, receipt: Receipt, *rest: Any) -> int:
        of_stage = dead if receipt.stage == stage else replace
        return int(of_stage(self, staged, receipt, *rest))

    patch.setattr(DeltaStore, "replace", replacing)


STEPS = [
    ("backbone.landing.files._move", 1),
    ("backbone.landing.files._move", 3),
    ("backbone.landing.land._batches", 2),
    ("backbone.ledger.manifest.record", 1),
    ("backbone.landing.land._remove_duplicates", 1),
    ("backbone.perform.format_source", 1),
    ("replace of format", 1),
    ("replace of format", 2),
    ("replace of format", 3),
    ("backbone.lake.store.publish", 2),
    ("replace of index", 1),
    ("replace of index", 2),
    ("replace of index", 3),
]


def first_deliveries(trial: Trial) -> None:
    trial.drop(GOOD, "first.csv")
    trial.drop(HEADER + "7,tea,1.00,2026-01-03\n", "again.csv")


def second_deliveries(trial: Trial) -> None:
    """A new version with a bad row, a duplicate delivery, and a file that competes for keys."""
    trial.drop(OTHER.replace("4,bun", "x,bun"), "first.csv")
    trial.drop(HEADER + "7,tea,1.00,2026-01-03\n", "again.csv")
    trial.drop(HEADER + THREE.replace("2.50", "9.00").replace("08:", "18:") + ONE, "more.csv")


def assert_settled(trial: Trial) -> None:
    """What both deliveries amount to, whatever happened between."""
    assert trial.formatted(PRICES) == [(1, 2.5), (2, 4.0), (3, 9.0), (7, 1.0)]
    assert [(line, raw) for line, raw, _ in trial.quarantined()] == [
        (4, "x,bun,1.00,2026-01-04 10:00:00"),
    ]
    assert trial.accounted() == (6, 4, 1, 1)
    statuses = sorted((b.name, b.status) for b in trial.batches())
    assert statuses == [
        ("again.csv", "duplicate"),
        ("again.csv", "landed"),
        ("first.csv", "landed"),
        ("first.csv", "landed"),
        ("more.csv", "landed"),
    ]
    assert trial.run_well().receipts == []
    # A copy of a duplicate that outlives the run that died goes with the next delivery.
    trial.drop(HEADER, "last.csv")
    trial.run_well()
    kept = {trial.root / b.path for b in trial.batches("landed")}
    assert {p for p in trial.persistent.rglob("*") if p.is_file()} == kept


@pytest.mark.parametrize(("step", "at"), STEPS, ids=[f"{s.removeprefix('backbone.')} {n}" for s, n in STEPS])
def test_the_next_run_completes_what_a_dead_one_began(
    keyed: Trial, monkeypatch: pytest.MonkeyPatch, step: str, at: int
) -> None:
    first_deliveries(keyed)
    keyed.run_well()
    second_deliveries(keyed)
    with monkeypatch.context() as patched:
        die_at(patched, step, at, before=True)
        with pytest.raises(Died):
            keyed.run()
        patched.undo()
        die_at(patched, step, 1, before=False)
        with suppress(Died):  # and dies once more, if it gets there, now right after that step
            keyed.run()
    keyed.run_well()
    assert_settled(keyed)


def test_the_first_run_of_a_project_may_die_too(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.drop()
    for at in (1, 2):
        with monkeypatch.context() as patched:
            die_at(patched, "replace of format", at, before=True)
            with pytest.raises(Died):
                trial.run()
    trial.run_well()
    assert trial.formatted() == [1, 2, 3]
    assert trial.accounted() == (3, 3, 0, 0)


def test_a_copy_that_was_cut_off_is_made_again(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.write(tmp_path / "vendor" / "a.csv", GOOD)
    trial.settings(f'path = "{tmp_path}/vendor/*.csv"')

    def half(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:40])
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr("backbone.landing.files.shutil.copy2", half)
        with pytest.raises(Died):
            trial.run()
    assert [p.name for p in trial.persistent.rglob("*") if p.is_file()] == ["a.csv.part"]
    trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed"]
    assert trial.formatted() == [1, 2, 3]
    assert not list(trial.persistent.rglob("*.part"))


def test_a_copy_that_was_not_recorded_is_no_second_delivery(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backbone.ledger import manifest

    trial.write(tmp_path / "vendor" / "a.csv", GOOD)
    trial.settings(f'path = "{tmp_path}/vendor/*.csv"')
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "record", dies(manifest.record, 1, before=True))
        with pytest.raises(Died):
            trial.run()
    trial.run_well()
    assert [b.status for b in trial.batches()] == ["landed"]
    assert trial.formatted() == [1, 2, 3]


KILLED = """
import os, sys
from pathlib import Path
import backbone.formatted.format as module
from backbone.runner import open_project, run

def killed(*arguments, **named):
    os.kill(os.getpid(), 9)

module.rank_duplicates = killed
run(open_project(Path(sys.argv[1])))
"""


def test_a_run_that_is_killed_releases_the_lock_and_loses_nothing(keyed: Trial) -> None:
    first_deliveries(keyed)
    keyed.run_well()
    second_deliveries(keyed)
    ended = subprocess.run([sys.executable, "-c", KILLED, keyed.root], check=False)
    assert ended.returncode == -9
    keyed.run_well(lock_wait_s=1)
    assert_settled(keyed)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_project_that_may_only_be_read_is_told(trial: Trial) -> None:
    trial.drop()
    trial.run_well()
    trial.drop(OTHER)
    folders = [trial.root, *(p for p in trial.root.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        ended = trial.command("run")
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert ended.status == 1
    assert "Next: " in ended.errors
    trial.run_well()
    assert trial.formatted() == [1, 2, 4]
