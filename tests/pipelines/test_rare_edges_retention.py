"""States of `rare_edges` are kept for a stated time; what is late after that gives the same bits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rare_edges_project import (
    COUNTS,
    HEADER,
    HOUR,
    QUICK,
    START,
    Count,
    built,
    contents,
    deliver,
    project,
    project_of,
)

from backbone.lake.table import Lake
from projects import receipt_of

KEEP = QUICK + "state_days = 1\n"
ALL = QUICK + "state_days = 0\n"
LONG: list[Count] = [*COUNTS, *((hour + 60, s, d, n) for hour, s, d, n in COUNTS if hour % 5)]
LONG += [(24, "a", "y", 500)]
DAY = timedelta(days=1)

Contents = dict[str, list[tuple[Any, ...]]]


def first_retained(counts: list[Count]) -> datetime:
    """The start of the day before the last one that has connections."""
    last = START + max(hour for hour, *_ in counts) * HOUR
    return last.replace(hour=0) - DAY


def shortened(everything: Contents, since: datetime) -> Contents:
    """What is left of all rows where the states before an instant are dropped, but for alerts."""
    alerts = {row[:3] for row in everything["rare_edge"]}
    states = [row for row in everything["edge_state"] if row[0] >= since or row[:3] in alerts]
    return everything | {"edge_state": states}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    found = contents(project_of(tmp_path_factory.mktemp("all") / "project", LONG, ALL))
    early = [row for row in found["rare_edge"] if row[0] < first_retained(LONG)]
    assert 2 <= len(early) < len(found["rare_edge"]), "there are alerts among what is dropped, and later"
    return found


def test_one_back_fill_keeps_the_states_of_the_last_days(tmp_path: Path, everything: Contents) -> None:
    trial = project_of(tmp_path / "project", LONG, KEEP)
    assert contents(trial) == shortened(everything, first_retained(LONG))
    assert trial.run_well().receipts == []
    status = trial.command("status").output
    windows = len({hour for hour, *_ in LONG})
    (line,) = [line for line in status.splitlines() if line.startswith("exploitation.edge_state")]
    n_rows = len(contents(trial)["edge_state"])
    assert line.split()[1:3] == [str(n_rows), str(windows)], "windows whose rows are dropped count as run"
    assert line.split()[-1] == "0", "and are not stale"


@pytest.mark.parametrize(
    "hours", [[0, 1, 2, 21, 28, 40, 52, 53, 75, 76, 100], [0, 50, 51, 99], [0, 30], [0, 10, 64]]
)
def test_day_by_day_is_the_same_as_one_back_fill(
    tmp_path: Path, everything: Contents, hours: list[int]
) -> None:
    trial = project(tmp_path, KEEP)
    for begin, end in zip(hours, [*hours[1:], 1000], strict=True):
        deliver(trial, [count for count in LONG if begin <= count[0] < end], f"{begin}.csv")
        trial.run_well()
    assert contents(trial) == shortened(everything, first_retained(LONG))
    trial.run_well(force=True)
    assert contents(trial) == shortened(everything, first_retained(LONG))


LATE: dict[str, list[Count]] = {
    "retained": [(100, "a", "x", 900)],
    "in the first day that is retained": [(78, "a", "x", 900)],
    "in the last that is not": [(74, "a", "x", 900)],
    "long before": [(22, "new", "x", 2), (23, "a", "x", 700)],
    "before all": [(-30, "a", "x", 60)],
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_late_connections_give_what_would_be_had_nothing_been_dropped(
    tmp_path: Path, late: list[Count]
) -> None:
    trial = project_of(tmp_path / "late", LONG, KEEP)
    before = contents(trial)
    deliver(trial, late, "late.csv")
    result = trial.run_well()
    stale = sorted({hour for hour, *_ in [*LONG, *late] if hour >= min(late)[0]})
    assert built(result, "edge_state") == built(result, "rare_edge") == stale
    expected = contents(project_of(tmp_path / "all", [*LONG, *late], ALL))
    assert contents(trial) == shortened(expected, first_retained(LONG)) != before
    assert trial.run_well().receipts == []
    more: list[Count] = [(hour, "bb", "x", 3) for hour in range(121, 150)]
    deliver(trial, more, "more.csv")
    trial.run_well()
    deliver(trial, [(35, "a", "x", 4)], "late again.csv")
    trial.run_well()
    counts: list[Count] = [*LONG, *late, *more, (35, "a", "x", 4)]
    expected = contents(project_of(tmp_path / "more", counts, ALL))
    assert contents(trial) == shortened(expected, first_retained(counts))


def test_a_window_that_is_no_longer_retained_can_be_computed_again(
    tmp_path: Path, everything: Contents
) -> None:
    trial = project_of(tmp_path / "project", LONG, KEEP)
    only = trial.run_well(start=START + 24 * HOUR, end=START + 25 * HOUR, force=True)
    assert built(only, "edge_state") == [24]
    assert contents(trial) == shortened(everything, first_retained(LONG))
    assert built(trial.run_well(), "edge_state")[0] == 25
    assert contents(trial) == shortened(everything, first_retained(LONG))


def test_another_time_makes_nothing_stale(tmp_path: Path, everything: Contents) -> None:
    trial = project_of(tmp_path / "project", LONG, ALL)
    project(trial.root, KEEP)
    assert trial.run_well().receipts == []
    deliver(trial, [(120, "a", "x", 5)], "next.csv")
    result = trial.run_well()
    assert built(result, "edge_state") == [120]
    expected = contents(project_of(tmp_path / "other", [*LONG, (120, "a", "x", 5)], ALL))
    assert contents(trial) == shortened(expected, first_retained(LONG))
    receipt = receipt_of(result, "exploitation.edge_state")
    assert receipt is not None
    assert receipt.kept_from == (first_retained(LONG) - datetime(1970, 1, 1, tzinfo=UTC)) // HOUR
    assert Lake(trial.root).last_receipt("exploitation.edge_state") == receipt

    project(trial.root, ALL)
    deliver(trial, [(20, "a", "x", 5)], "late.csv")
    trial.run_well()
    expected = contents(project_of(tmp_path / "later", [*LONG, (120, "a", "x", 5), (20, "a", "x", 5)], ALL))
    assert contents(trial) == shortened(expected, first_retained(LONG)), "what has been dropped stays so"


@pytest.mark.parametrize("days_late", [1, 2, 40])
def test_a_wrong_late_date_that_is_taken_back_leaves_no_trace(
    tmp_path: Path, everything: Contents, days_late: int
) -> None:
    trial = project(tmp_path / "project", KEEP)
    first, later = ([c for c in LONG if (c[0] < 60) is early] for early in (True, False))
    deliver(trial, first, "first.csv")
    deliver(trial, later, "later.csv")
    wrong = max(hour for hour, *_ in LONG) + 24 * days_late
    deliver(trial, [(wrong, "a", "x", 3)], "wrong.csv")
    trial.run_well()
    assert len(contents(trial)["edge_state"]) < len(shortened(everything, first_retained(LONG))["edge_state"])
    trial.drop(HEADER, "wrong.csv")
    trial.run_well()
    assert contents(trial) == shortened(everything, first_retained(LONG))
    assert trial.run_well().receipts == []
    deliver(trial, [(130, "a", "x", 5)], "next.csv")
    assert built(trial.run_well(), "edge_state") == [130, wrong], "an hour that once had rows counts as one"


def test_computing_all_again_brings_back_what_a_longer_time_retains(
    tmp_path: Path, everything: Contents
) -> None:
    trial = project_of(tmp_path / "project", LONG, KEEP)
    project(trial.root, ALL)
    assert trial.run_well().receipts == []
    trial.run_well(force=True)
    assert contents(trial) == everything


def test_files_of_days_that_are_not_retained_hold_alerts_alone(tmp_path: Path) -> None:
    trial = project_of(tmp_path / "project", LONG, KEEP)
    files = Lake(trial.root).read("exploitation.edge_state").files
    alerts = {f"{row[0]:%Y-%m-%d}" for row in contents(trial)["rare_edge"]}
    early = {file.split("window_date=")[1][:10] for file in files} - {
        f"{first_retained(LONG) + n * DAY:%Y-%m-%d}" for n in range(2)
    }
    assert early <= alerts
