"""Files at several paths, and in folders that only grow."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backbone.errors import SettingsError
from conftest import GOOD, HEADER, Trial

OTHER = HEADER + "9,bun,1.00,2026-01-05 08:00:00\n"
DAY = 86400


def listed(*paths: object) -> str:
    return f"path = [{', '.join(chr(34) + str(path) + chr(34) for path in paths)}]"


def names(trial: Trial) -> list[str]:
    return sorted(batch.name for batch in trial.batches())


def test_files_at_several_paths_are_one_source(trial: Trial, tmp_path: Path) -> None:
    trial.write(tmp_path / "north" / "a.csv", GOOD)
    trial.write(tmp_path / "south" / "deep" / "b.csv", OTHER)
    trial.settings(listed(tmp_path / "north", tmp_path / "south" / "**" / "*.csv", "mine/c.csv"))
    trial.write(trial.root / "mine" / "c.csv", OTHER.replace("9", "7"))
    trial.run_well()
    assert names(trial) == ["a.csv", "c.csv", "deep/b.csv"]
    assert trial.formatted() == [1, 2, 3, 7, 9]
    assert trial.run_well().receipts == []


def test_a_path_that_is_added_changes_no_name(trial: Trial, tmp_path: Path) -> None:
    trial.write(tmp_path / "north" / "a.csv", GOOD)
    trial.settings(f'path = "{tmp_path}/north/*.csv"').run_well()
    trial.write(tmp_path / "south" / "b.csv", OTHER)
    trial.settings(listed(tmp_path / "north" / "*.csv", tmp_path / "south" / "*.csv")).run_well()
    assert names(trial) == ["a.csv", "b.csv"]


def test_a_file_that_two_paths_find_is_one_file(trial: Trial, tmp_path: Path) -> None:
    trial.write(tmp_path / "north" / "a.csv", GOOD)
    trial.settings(listed(tmp_path / "north" / "*.csv", tmp_path / "*" / "a.csv")).run_well()
    assert names(trial) == ["a.csv"]
    assert trial.formatted() == [1, 2, 3]


def test_two_files_of_one_name_are_refused_and_others_taken(trial: Trial, tmp_path: Path) -> None:
    for place in ("north", "south"):
        trial.write(tmp_path / place / "a.csv", GOOD)
    trial.write(tmp_path / "south" / "b.csv", OTHER)
    trial.settings(listed(tmp_path / "north" / "*.csv", tmp_path / "south" / "*.csv"))
    (error,) = trial.run().failures.values()
    places = f"{tmp_path}/north/a.csv, {tmp_path}/south/a.csv"
    assert f"source sale, a.csv: expected one file of this name at all paths, found {places}" in str(error)
    assert names(trial) == ["b.csv"]
    trial.settings(listed(tmp_path / "*" / "*.csv")).run_well()
    assert names(trial) == ["b.csv", "north/a.csv", "south/a.csv", "south/b.csv"]


def test_a_path_that_leads_nowhere_keeps_no_other_from_landing(trial: Trial, tmp_path: Path) -> None:
    trial.write(tmp_path / "north" / "a.csv", GOOD)
    trial.settings(listed(tmp_path / "nowhere" / "*.csv", tmp_path / "north", tmp_path / "north" / "b.csv"))
    result = trial.run()
    failed = sorted(str(error).partition(". Nothing was taken")[0] for error in result.failures.values())
    assert [text.partition(": expected ")[2] for text in failed] == [
        f"files at {tmp_path}/nowhere/*.csv, found no folder {tmp_path}/nowhere",
        f"the file {tmp_path}/north/b.csv, found none",
    ]
    assert names(trial) == ["a.csv"]
    assert not trial.run().ok
    assert trial.command("status").status == 0


def test_old_files_of_a_folder_that_grows_are_not_looked_at(trial: Trial, tmp_path: Path) -> None:
    old = trial.write(tmp_path / "in" / "old.csv", OTHER, age_s=31 * DAY)
    new = trial.write(tmp_path / "in" / "new.csv", GOOD, age_s=29 * DAY)
    trial.settings(f'path = "{tmp_path}/in/*.csv"\nmodified_within = "30d"')
    result = trial.run_well()
    warned = [w for receipt in result.receipts for w in receipt.warnings]
    assert warned == [
        "source sale: not looked at, as modified_within is '30d', and put there since with an older time: "
        f"{old}; touch what should be taken over"
    ]
    assert names(trial) == ["new.csv"]

    # A file that was taken over grows old: it stays, and nothing is said of it.
    os.utime(old, (trial.started, trial.started))
    trial.run_well()
    os.utime(new, (trial.started - 40 * DAY, trial.started - 40 * DAY))
    trial.settings(f'path = "{tmp_path}/in/*.csv"\nmodified_within = "1h"')
    assert names(trial) == ["new.csv", "old.csv"]
    assert trial.formatted() == [1, 2, 3, 9]
    new.unlink()
    trial.run_well()
    assert trial.formatted() == [1, 2, 3, 9]
    trial.settings(f'path = "{tmp_path}/in/*.csv"').run_well()
    assert trial.formatted() == [1, 2, 3, 9]


def test_a_file_that_is_both_old_and_there_for_long_is_left_out_without_a_word(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.write(tmp_path / "in" / "old.csv", OTHER)
    trial.settings(f'path = "{tmp_path}/in/*.csv"\nmodified_within = "2h"')
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("backbone.landing.files.time.time", lambda: now + 3 * 3600)
        result = trial.run_well()
        assert trial.command("status").status == 0
    assert result.warnings == []
    assert names(trial) == []
    trial.run_well()
    assert names(trial) == ["old.csv"]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("path = []", "path: expected a text that is not blank"),
        ('path = ["a", " "]', "path: expected a text that is not blank"),
        ('path = ["a", "a"]', "path: expected each path once"),
        ('path = ["a"]\nconnection = "c"\nquery = "select 1"', "a source has a path or a query, not both"),
        ('modified_within = "30d"', "modified_within: it is for files at a path, and the source has none"),
        *(
            (f'path = "a"\nmodified_within = "{text}"', "expected a number of hours, days or weeks")
            for text in ("30", "0d", "-1d", "d", "1.5d", "30 d", "1m", "9999999d")
        ),
    ],
)
def test_settings_that_can_not_be_meant(trial: Trial, section: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        trial.settings(section).open()
    assert problem in str(caught.value)
