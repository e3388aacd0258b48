"""The lists of outliers: they are what the table says, and are written after it is published."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from test_network_anomalies import BEGIN, EVENTS, deliver, project

import backbone.publish_exports
from backbone.errors import BackboneError, PipelineError, SettingsError
from backbone.exploitation.csv_export import _folder_of, _is_window
from conftest import Trial
from projects import TinyProject

SETTINGS = 'days = 3\nlists = "outliers"\n'
STATE = "_lists.json"


def files(trial: Trial, folder: str = "outliers") -> dict[str, str]:
    root = trial.root / folder
    found = {str(f.relative_to(root)): f.read_text() for f in root.rglob("*") if f.is_file()}
    found.pop(STATE, None)
    return found


def expected(trial: Trial) -> dict[str, list[str]]:
    """By file the users that are to be in it."""
    names: dict[str, list[str]] = {}
    for window, hour, user in trial.rows(
        "select window_start, hour, user_name from exploitation.outlier "
        "order by 1, 2, round(score, 9) desc, 3"
    ):
        names.setdefault(f"{window:%Y-%m-%d}/hour-{hour:02}.csv", []).append(user)
    return names


def listed(trial: Trial) -> dict[str, list[str]]:
    return {
        name: [row["user_name"] for row in csv.DictReader(text.splitlines())]
        for name, text in files(trial).items()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trial = project(tmp_path_factory.mktemp("made"), SETTINGS)
    deliver(trial, EVENTS)
    trial.run_well()
    return trial.root


@pytest.fixture
def trial(made: Path, tmp_path: Path) -> Trial:
    """A project of its own, that has run."""
    shutil.copytree(made, tmp_path / "project")
    return project(tmp_path / "project", SETTINGS)


def test_they_are_what_the_table_says(trial: Trial) -> None:
    assert listed(trial) == expected(trial) != {}
    text = files(trial)["2026-01-05/hour-09.csv"]
    head, first = text.splitlines()[:2]
    assert head == "user_name,score,relative,share,component,day,weekday,events,usual"
    row = trial.rows(
        f"select {head} from exploitation.outlier where window_start = '2026-01-05' and hour = 9 "
        "order by round(score, 9) desc, user_name limit 1"
    )[0]
    assert first == ",".join(map(str, row))


def test_a_run_writes_what_has_changed_and_nothing_else(trial: Trial) -> None:
    places = sorted((trial.root / "outliers").rglob("*.csv"))
    before = {place: place.stat().st_mtime_ns for place in places}
    texts = files(trial)
    trial.run_well()
    trial.run_well(force=True)
    assert {place: place.stat().st_mtime_ns for place in places} == before
    assert files(trial) == texts
    deliver(trial, [("eve", 0, 9, 30)], "late.csv")
    trial.run_well()
    assert listed(trial) == expected(trial)
    untouched = {place for place in places if place.stat().st_mtime_ns == before[place]}
    assert {p.parent.name for p in places} - {p.parent.name for p in untouched} <= {
        "2026-01-02",
        "2026-01-03",
    }
    assert {"2026-01-04", "2026-01-05"} <= {p.parent.name for p in untouched}


def test_a_list_goes_with_its_outliers(trial: Trial) -> None:
    (trial.root / "outliers" / "2026-01-05" / "notes.txt").write_text("mine")
    project(trial.root, SETTINGS + 'exclude = ["ann", "bob", "cem", "dee"]\n')
    trial.run_well()
    assert files(trial) == {"2026-01-05/notes.txt": "mine"}
    assert [p.name for p in (trial.root / "outliers").iterdir() if p.is_dir()] == ["2026-01-05"]


def test_what_a_dead_run_left_undone_is_done_by_the_next(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    deliver(trial, [("eve", 3, 9, 30)], "late.csv")
    monkeypatch.setattr(backbone.publish_exports, "write_export", dying)
    with pytest.raises(KeyboardInterrupt):
        trial.run()
    monkeypatch.undo()
    assert listed(trial) != expected(trial)
    (trial.root / "outliers" / "2026-01-04" / ".hour-09.csv.new").write_text("half of i")
    assert trial.run_well().receipts == []
    assert listed(trial) == expected(trial)
    shutil.rmtree(trial.root / "outliers")
    trial.run_well()
    assert listed(trial) == expected(trial), "removed by hand, they are written again"


def test_another_folder_is_filled_whatever_the_first_holds(trial: Trial, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    project(trial.root, f'days = 3\nlists = "{other}"\n')
    trial.run_well()
    assert files(trial, str(other)) == files(trial)
    state = json.loads((other / STATE).read_text())
    assert (state["lists"]["table"], state["version"]) == ("outlier", 0)


def test_lists_of_another_table_are_written_again(trial: Trial, tmp_path: Path) -> None:
    """Its version may be the same: of another project, and of this one after its zones were deleted."""
    settings = f'days = 3\nlists = "{tmp_path / "elsewhere"}"\n'
    project(trial.root, settings)
    trial.run_well()
    (tmp_path / "other").mkdir()
    other = project(tmp_path / "other", settings)
    deliver(other, [("zoe", 0, 9, 2), ("zoe", 1, 9, 30), ("yan", 1, 9, 1)])
    other.run_well()
    state = json.loads((tmp_path / "elsewhere" / STATE).read_text())
    assert (state["version"], trial.versions()["exploitation.outlier"]) == (0, 0)
    assert files(other, str(tmp_path / "elsewhere")).keys() == {"2026-01-02/hour-09.csv"}
    trial.run_well()
    assert {name.partition("/")[0] for name in files(trial, str(tmp_path / "elsewhere"))} > {"2026-01-05"}
    for zone in ("exploitation", "formatted", "operations", ".backbone"):
        shutil.rmtree(trial.root / zone)
    before = json.loads((tmp_path / "elsewhere" / STATE).read_text())["table"]
    trial.run_well()
    assert json.loads((tmp_path / "elsewhere" / STATE).read_text())["table"] != before


def test_a_folder_that_can_not_be_written_fails_after_the_publish(tmp_path: Path) -> None:
    trial = project(tmp_path, SETTINGS)
    (tmp_path / "outliers").write_text("a file is in the way")
    deliver(trial, EVENTS[:8])
    result = trial.run()
    failure = result.failures["lists of outlier"]
    assert isinstance(failure, BackboneError)
    assert "they can't be written" in failure.problem
    assert failure.state.startswith("The table is published")
    assert "exploitation.user_cluster" in {receipt.dataset for receipt in result.receipts}
    (tmp_path / "outliers").unlink()
    trial.run_well()
    assert listed(trial) == expected(trial)


def test_windows_of_hours_have_folders_of_hours() -> None:
    assert _folder_of(BEGIN + timedelta(hours=5)) == "2026-01-01T05"
    assert [_is_window(name) for name in ("2026-01-01T05", "2026-01-01", "2026-01-01T00", "notes")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place", ["", "exploitation/outlier", "landing", ".backbone/lists", "x/../formatted"]
)
def test_a_folder_with_tables_is_refused_by_its_whole_path_too(tmp_path: Path, place: str) -> None:
    with pytest.raises(
        SettingsError, match="expected lists to be a folder, in the project beside its tables"
    ):
        project(tmp_path, f'lists = "{tmp_path / place}"\n').open()
    (tmp_path / "exploitation").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "exploitation")
    with pytest.raises(SettingsError, match="found 'out'"):
        project(tmp_path, 'lists = "out"\n').open()


def test_lists_of_what_is_not_there_are_refused(tmp_path: Path) -> None:
    pipeline = (
        "from backbone.exploitation.csv_export import CsvExport\n"
        'pipeline = Pipeline("tiny", sources=SOURCES, steps=[], '
        'exports=[CsvExport("none", "folder", "hour", ["x"], ["x"])])\n'
    )
    with pytest.raises(
        PipelineError, match="expected a table of the pipeline and a parameter that is a text"
    ):
        TinyProject(tmp_path, pipeline, {}).open()
