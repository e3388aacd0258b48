"""What is lost of a pinned version is named, and everything else goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backbone.lake.finding import Finding, What
from backbone.lake.log import checkpoint_name
from backbone.lake.table import Lake
from backbone.maintain import maintain
from backbone.pinning import pin, pins, unpin
from backbone.repair.check import check
from backbone.repair.perform import repair
from projects import TinyProject, contents, run_command

PINNED = {"formatted.sale": 3, "exploitation.shop_day": 2}


def grow(project: TinyProject, runs: range) -> None:
    for run in runs:
        day = f"2026-02-{run // 10 + 1:02}T10:00:00"
        project.sales(f"{run}.csv", (run, "a", 1, day), (run // 2, "b", 2, day))
        assert project.run().ok


@pytest.fixture(name="grown", scope="module")
def _grown(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """A project with pins of versions around which all others have expired."""
    place = tmp_path_factory.mktemp("grown") / "project"
    project = TinyProject(place, settings="[maintain]\nkeep_days = 0\n")
    grow(project, range(5))
    assert len(pin(project.open(), "trial", PINNED)) == 2
    for runs in (range(5, 17), range(17, 28)):
        grow(project, runs)
        maintain(project.open())
    assert len(project.lake.log("formatted.sale").versions) < 17
    return project


@pytest.fixture(name="project")
def _project(grown: TinyProject, tmp_path: Path) -> TinyProject:
    return grown.copy(tmp_path / "project")


def findings(project: TinyProject, *, deep: bool = False) -> list[Finding]:
    return check(project.open(), deep=deep).findings


def only_pinned(lake: Lake) -> Iterator[Path]:
    """The files that no later version of `formatted.sale` names."""
    old, present = (lake.read("formatted.sale", version).files for version in (3, None))
    yield from (Path(file) for file in sorted({*old} - {*present}))


def checkpoint(project: TinyProject) -> Path:
    return project.lake.log("formatted.sale").folder / checkpoint_name(3)


def test_a_healthy_project_with_pins_is_whole(project: TinyProject) -> None:
    assert [*only_pinned(project.lake)]
    assert findings(project, deep=True) == []
    assert len(unpin(project.open(), "trial")) == 2
    assert findings(project) == [], "what is to expire is no damage"
    files = [*only_pinned(project.lake)]
    maintain(project.open())
    assert not any(file.exists() for file in files)
    assert findings(project) == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_damaged_data_file_of_a_pinned_version_is_named(project: TinyProject, is_gone: bool) -> None:
    file = next(only_pinned(project.lake))
    if is_gone:
        file.unlink()
    else:
        file.write_bytes(b"PAR1" * 100)
    (finding,) = findings(project)
    assert (finding.what, finding.where) == (What.PIN, file.relative_to(project.root).as_posix())
    assert finding.next_step == "backbone pin --remove trial formatted.sale@3"
    assert [left for left, _ in repair(project.open()).plan.left] == [finding]
    assert maintain(project.open()).failures == ()
    assert run_command(project.root, *finding.next_step.split()[1:])[0] == 0
    assert {f.what for f in findings(project)} <= {What.OLD_DATA}, "it has not expired yet"
    maintain(project.open())
    assert findings(project) == []


def gone(project: TinyProject) -> None:
    checkpoint(project).unlink()


def cut(project: TinyProject) -> None:
    file = checkpoint(project)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_and_put_aside(project: TinyProject) -> None:
    cut(project)
    assert repair(project.open()).done
    assert not checkpoint(project).exists()


def log_gone(project: TinyProject) -> None:
    shutil.rmtree(project.lake.log("formatted.sale").folder)
    assert project.run().warnings


@pytest.mark.parametrize("damage", [gone, cut, cut_and_put_aside, log_gone])
def test_a_pinned_version_that_is_lost_is_named_and_the_rest_goes_on(
    project: TinyProject, damage: Callable[[TinyProject], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contents(project.root)
    files = {*only_pinned(project.lake)}
    damage(project)
    lost = [f for f in findings(project) if f.what == What.PIN]
    assert [(f.where, f.next_step) for f in lost] == [
        ("formatted.sale@3", "backbone pin --remove trial formatted.sale@3")
    ]
    assert all(f.what in (What.PIN, What.CHECKPOINT) for f in findings(project))
    assert run_command(project.root, "check")[0] == 1

    status, _, errors = run_command(project.root, "maintain")
    assert (status, "pinned as trial" in errors) == (0, True)
    assert "backbone pin --remove trial formatted.sale@3" in errors
    assert files == {file for file in files if file.exists()}, "a backup may have the checkpoint"
    assert project.lake.read("exploitation.shop_day", 2).version == 2
    monkeypatch.setattr("backbone.upkeep.shorten_logs.EVERY_COMMITS", 1)
    monkeypatch.setattr("backbone.upkeep.shorten_logs.LONG_LOG", 2)
    grow(project, range(28, 30))
    assert len(pins(project.open())) == 2

    assert run_command(project.root, "pin", "--remove", "trial", "formatted.sale@3")[0] == 0
    assert [(p.dataset, p.version) for p in pins(project.open())] == [("exploitation.shop_day", 2)]
    if damage is cut:
        repair(project.open())
    assert maintain(project.open()).lost == ()
    assert not any(file.exists() for file in files)
    assert findings(project) == []
    if damage is not log_gone:
        assert {*whole} == {*contents(project.root)}


def test_the_checkpoint_can_be_put_back(project: TinyProject) -> None:
    file = checkpoint(project)
    before = file.read_bytes()
    file.unlink()
    assert maintain(project.open()).lost
    file.write_bytes(before)
    assert findings(project, deep=True) == []


def test_a_table_that_cannot_be_shortened_is_named_and_the_others_are_done(project: TinyProject) -> None:
    grow(project, range(28, 40))
    for file in project.lake.read("duplicate.sale").files:
        Path(file).unlink()
    status, out, errors = run_command(project.root, "maintain")
    assert status == 1
    assert "duplicate.sale" in errors
    assert "formatted.sale" in out
