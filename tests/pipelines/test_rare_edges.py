"""The pipeline `rare_edges`: what is planted is found, and however it is run the tables are the same."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from rare_edges_project import (
    COUNTS,
    HOUR,
    QUICK,
    START,
    TABLES,
    Count,
    built,
    contents,
    deliver,
    project,
    project_of,
    table,
)

from backbone.analysis.rare_edges.detector import RareEdgeDetector
from backbone.errors import SettingsError, WindowRefused
from backbone.exploitation.build import build
from backbone.pipelines import rare_edges
from backbone.pipelines.rare_edges.sample import Sample, write_sample
from conftest import Trial

NAMED = Path(__file__).with_name("named_edges.csv")


@dataclass(frozen=True)
class Demo:
    trial: Trial
    sample: Sample


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    trial = project(tmp_path_factory.mktemp("demo"), "state_days = 0")
    sample = write_sample(trial.root)
    trial.run_well()
    return Demo(trial, sample)


def test_every_connection_is_accounted_for(demo: Demo) -> None:
    sample = demo.sample
    assert demo.trial.accounted() == (sample.rows + sample.broken, sample.rows, sample.broken, 0)
    assert demo.trial.rows("select sum(connections), count(*) from exploitation.edge_hour") == [
        (sample.connections, sample.edge_hours)
    ]
    assert demo.trial.value("select sum(seen) from exploitation.edge_state") == sample.edge_hours


def test_what_is_planted_is_found(demo: Demo) -> None:
    alerts = {row[:3] for row in demo.trial.rows(
        "select source, destination, window_start from exploitation.rare_edge"
    )}  # fmt: skip
    planted = {(p.source, p.destination, p.hour): p for p in demo.sample.planted}
    missed = [planted[at] for at in planted.keys() - alerts]
    assert all(p.factor < 4.5 for p in missed), missed
    assert len(alerts & planted.keys()) / len(planted) >= 0.8, "recall"
    assert len(alerts & planted.keys()) / len(alerts) >= 0.8, "precision"


def test_the_tables_are_those_of_the_detector(demo: Demo) -> None:
    counts = table(
        demo.trial,
        "select source, destination, window_start as hour, connections from exploitation.edge_hour",
    )
    state, alerts = RareEdgeDetector(threads=2).update(None, counts)
    order = [("hour", "ascending"), ("source", "ascending"), ("destination", "ascending")]
    found = table(demo.trial, "select * from exploitation.rare_edge").drop_columns(["window_date"])
    found = found.rename_columns(["hour", *found.column_names[1:]]).select(alerts.column_names).sort_by(order)
    assert found.cast(alerts.schema).equals(alerts)
    last = state_as_of(demo.trial, START + timedelta(days=400)).select(state.column_names)
    assert last.cast(state.schema).equals(
        state.sort_by([(n, "ascending") for n in ("source", "destination")])
    )


def state_as_of(trial: Trial, instant: datetime) -> pa.Table:
    """The last row of each edge, read from the 24 hours alone that end with the last window that has rows."""
    before = f"window_start < timestamptz '{instant.isoformat()}'"
    last = f"(select max(window_start) from exploitation.edge_state where {before})"
    found = table(
        trial,
        f"select * from exploitation.edge_state where window_start > {last} - interval 24 hours and {before} "
        "qualify row_number() over (partition by source, destination order by window_start desc) = 1",
    )
    return found.sort_by([(name, "ascending") for name in ("source", "destination")])


@pytest.mark.parametrize("hours", [15 * 24 + 5, 33 * 24])
def test_the_state_as_of_any_window_can_be_read(demo: Demo, hours: int) -> None:
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    counts = table(
        demo.trial,
        "select source, destination, window_start as hour, connections from exploitation.edge_hour",
    )
    before = counts.filter(pc.less(counts["hour"], pa.scalar(instant).cast(counts.schema.field("hour").type)))
    expected, _ = RareEdgeDetector(threads=2).update(None, before)
    expected = expected.sort_by([(name, "ascending") for name in ("source", "destination")])
    found = state_as_of(demo.trial, instant).select(expected.column_names)
    assert found.cast(expected.schema).equals(expected)


def test_running_again_changes_nothing(demo: Demo) -> None:
    versions, before = demo.trial.versions(), contents(demo.trial)
    assert demo.trial.run_well().receipts == []
    assert demo.trial.versions() == versions
    demo.trial.run_well(force=True)
    assert contents(demo.trial) == before, "computed anew they are the same, bit for bit"


def test_names_of_your_own(tmp_path: Path) -> None:
    """The pipeline that the README shows names edges by program and service."""
    readme = (Path(rare_edges.__path__[0]) / "README.md").read_text(encoding="utf-8")
    code = readme.partition("```python file=named_edges.py\n")[2].partition("```")[0]
    trial = Trial(tmp_path, source="flow")
    trial.write(tmp_path / "named_edges.py", code)
    trial.write(tmp_path / "backbone.toml", '[project]\npipelines = ["named_edges"]\n')
    with NAMED.open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    given = [name for name in pairs[0] if not name.startswith("expected_")]
    lines = [given, *([pair[name] for name in given] for pair in pairs)]
    trial.drop("".join(",".join(line) + "\n" for line in lines))
    trial.run_well()
    expected = Counter(
        (pair["started_at"][:13], pair["expected_source"], pair["expected_destination"]) for pair in pairs
    )
    found = trial.rows(
        "select strftime(window_start, '%Y-%m-%d %H'), source, destination, connections "
        "from exploitation.edge_hour"
    )
    assert {row[:3]: row[3] for row in found} == expected
    assert len(found) == len(expected) < len(pairs)
    assert trial.value("select sum(seen) from exploitation.edge_state") == len(found)


# --- small projects, whose hours are known one by one ---


@pytest.mark.parametrize("settings", [QUICK, QUICK + "retire_days = 1\nfloor = 0.5\n"])
def test_hour_by_hour_is_the_same_as_one_back_fill(tmp_path: Path, settings: str) -> None:
    counts = [count for count in COUNTS if count[0] < 48 or count[1] == "bb"]
    at_once = project_of(tmp_path / "whole", counts, settings)
    expected = contents(at_once)
    assert len(expected["rare_edge"]) >= 2
    trial = project(tmp_path / "hourly", settings)
    hours = [0, 1, 2, 3, 9, 21, 22, 27, 40, 41, 60]
    for begin, end in zip(hours, [*hours[1:], 1000], strict=True):
        deliver(trial, [count for count in counts if begin <= count[0] < end], f"{begin}.csv")
        result = trial.run_well()
        assert all(begin <= hour < end for hour in built(result, "edge_state"))
    assert contents(trial) == expected
    assert retired(trial) == retired(at_once)


def test_late_connections_restate_their_window_and_all_later_ones(tmp_path: Path) -> None:
    late = [(33, "a", "y", 70), (8, "new", "x", 2)]
    expected = contents(project_of(tmp_path / "whole", [*COUNTS, *late]))
    trial = project_of(tmp_path / "late", COUNTS)
    before = contents(trial)
    for count, name in zip(late, ("one.csv", "two.csv"), strict=True):
        deliver(trial, [count], name)
        result = trial.run_well()
        assert built(result, "edge_hour") == [count[0]]
        windows = built(result, "edge_state")
        assert windows == sorted({hour for hour, *_ in [*COUNTS, count] if hour >= count[0]})
    assert contents(trial) == expected != before
    assert trial.run_well().receipts == []


def test_a_window_is_refused_when_the_one_before_has_not_run(tmp_path: Path) -> None:
    trial = project(tmp_path, QUICK)
    deliver(trial, COUNTS, "all.csv")
    result = trial.run(start=START + 20 * HOUR, end=START + 25 * HOUR)
    refused = result.failures["exploitation.edge_state"]
    assert isinstance(refused, WindowRefused)
    assert str(refused) == (
        "exploitation.edge_state, window 2026-01-02T17: it goes on from the windows before it, and "
        "2026-01-01T21 is stale or has never run. Nothing of it is published; what was there before stays.\n"
        "Next: backbone run --from 2026-01-01T21, or without a range"
    )
    assert result.stopped == {"exploitation.rare_edge": "exploitation.edge_state failed"}
    trial.run_well(start=START, end=START + 25 * HOUR)
    trial.run_well(start=START + 25 * HOUR, end=START + 40 * HOUR)
    trial.run_well()
    assert contents(trial) == contents(project_of(tmp_path / "whole", COUNTS))


def test_windows_after_one_that_is_computed_again_are_stale(tmp_path: Path) -> None:
    trial = project_of(tmp_path / "project", COUNTS)
    expected = contents(trial)
    only = trial.run_well(start=START + 20 * HOUR, end=START + 21 * HOUR, force=True)
    assert built(only, "edge_state") == [20]
    later = trial.run_well()
    assert built(later, "edge_state") == sorted({hour for hour, *_ in COUNTS if hour > 20})
    assert contents(trial) == expected


def test_empty_windows_count_as_run_and_make_nothing_stale(tmp_path: Path) -> None:
    trial = project_of(tmp_path / "project", COUNTS)
    expected = contents(trial)
    result = trial.run_well(start=START, end=START + 70 * HOUR)
    empty = sorted(set(range(70)) - {hour for hour, *_ in COUNTS})
    assert built(result, "edge_state") == empty
    assert contents(trial) == expected
    assert trial.run_well().receipts == []


def test_a_changed_setting_starts_from_the_beginning(tmp_path: Path) -> None:
    trial = project_of(tmp_path / "project", COUNTS)
    project(trial.root, QUICK.replace("cooldown_hours = 3", "cooldown_hours = 0"))
    assert "edge_hour" not in {r.dataset.partition(".")[2] for r in trial.run_well().receipts}
    other = project_of(tmp_path / "other", COUNTS, QUICK.replace("cooldown_hours = 3", "cooldown_hours = 0"))
    assert contents(trial) == contents(other)


def test_an_edge_that_was_away_for_long_starts_again(tmp_path: Path) -> None:
    counts: list[Count] = [(0, "a", "x", 5), (1, "b", "x", 5), *((h, "b", "x", 5) for h in range(2, 80, 3))]
    trial = project_of(tmp_path / "project", [*counts, (75, "a", "x", 9)], QUICK + "retire_days = 1\n")
    rows = trial.rows(
        "select window_start, first_seen, seen from exploitation.edge_state where source = 'a' order by 1"
    )
    hours = [((at - START) // HOUR, (first - START) // HOUR, seen) for at, first, seen in rows]
    assert hours == [(0, 0, 1), (17, 0, 0), (75, 75, 1)], "carried along once, not when it is too long ago"


def retired(trial: Trial) -> int:
    """How many edges the receipts call retired."""
    found = trial.rows("select measures from operations.receipt where dataset = 'exploitation.edge_state'")
    return sum(int(json.loads(measures)["retired"]) for (measures,) in found)


@pytest.mark.parametrize(("every", "at_a_time"), [(1, 20), (19, 1)])
def test_receipts_say_how_many_edges_are_retired(tmp_path: Path, every: int, at_a_time: int) -> None:
    seen = {
        "never again": [0],  # counted when its turn comes, and once
        "in time": [0, 24],
        "too late": [0, 76],  # and then no more
        "often too late": [0, 70, 96, 121],
        "not yet": [120],
    }
    counts: list[Count] = [(hour, source, "x", 5) for source, hours in seen.items() for hour in hours]
    counts += [(hour, "always", "x", 5) for hour in range(0, 134, every)]
    expected = 1 + 1 + 2 + 3
    at_once = project_of(tmp_path / "whole", counts, QUICK + "retire_days = 1\n")
    assert retired(at_once) == expected
    parts = project(tmp_path / "parts", QUICK + "retire_days = 1\n")
    hours = sorted({hour for hour, *_ in counts})[::at_a_time]
    for begin, end in zip(hours, [*hours[1:], 1000], strict=True):
        deliver(parts, [count for count in counts if begin <= count[0] < end], f"{begin}.csv")
        parts.run_well()
    assert retired(parts) == expected
    assert contents(parts) == contents(at_once)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("training_hours = 0", "expected training_hours to be a whole number from 1 to 876000, found 0"),
        ("training_hours = true", "expected training_hours like 720, found True"),
        (
            f"training_hours = {10**20}",
            f"expected training_hours to be a whole number from 1 to 876000, found {10**20}",
        ),
        ("cooldown_hours = -1", "expected cooldown_hours to be a whole number from 0 to 876000, found -1"),
        (
            "retire_days = 1.5",
            "expected retire_days to be a whole number from 0 (0 for never) to 36500, found 1.5",
        ),
        ("retire_days = true", "expected retire_days like 0, found True"),
        (
            "retire_days = 400000000",
            "expected retire_days to be a whole number from 0 (0 for never) to 36500, found 400000000",
        ),
        ("state_days = true", "expected state_days like 7, found True"),
        (
            "state_days = 1000000",
            "expected state_days to be a whole number from 0 (0 for ever) to 36500, found 1000000",
        ),
        ("slope = true", "expected slope like -0.04448, found True"),
        ("slope = nan", "expected slope to be a number from -1e6 to 1e6, found nan"),
        ("intercept = inf", "expected intercept to be a number from -1e6 to 1e6, found inf"),
        ("floor = nan", "expected floor to be a number to 1e6, or -inf for none, found nan"),
        ('every = "day"', "expected every to be hour, found 'day'"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(tmp_path: Path, setting: str, expected: str) -> None:
    trial = project(tmp_path, setting)
    deliver(trial, COUNTS[:3], "some.csv")
    with pytest.raises(SettingsError) as refused:
        trial.run()
    assert refused.value.problem == expected
    assert refused.value.where == "backbone.toml, [pipelines.rare_edges]"


@pytest.mark.parametrize("connections", [10**12 + 1, 2**53 + 2, 2**63 - 1])
def test_a_row_of_too_many_connections_goes_to_quarantine_alone(tmp_path: Path, connections: int) -> None:
    trial = project(tmp_path, QUICK)
    deliver(trial, [*COUNTS, (10, "web", "db", connections), (10, "web", "db", 10**12)], "all.csv")
    trial.run_well()
    assert trial.accounted()[2] == 1
    assert trial.rows("select connections from exploitation.edge_hour where source = 'web'") == [(10**12,)]


def test_too_many_connections_of_an_hour_name_the_delivery(tmp_path: Path) -> None:
    trial = project(tmp_path, QUICK)
    deliver(trial, [(10, "web", "db", 10**12)] * 9008, "too many.csv")
    assert str(trial.run().failures["exploitation.edge_state"]) == (
        "exploitation.edge_state, window 2026-01-02T07: expected at most 2**53 (9,007,199,254,740,992) "
        "connections of an edge in an hour, found 9,008,000,000,000,000 of web > db. Nothing of it is "
        "published; what was there before stays.\n"
        "Next: correct the file that says so, deliver it again under its name, and run again"
    )
    deliver(trial, [(10, "web", "db", 10**12)], "too many.csv")
    trial.run_well()
    assert trial.value("select maximum from exploitation.edge_state") == 10**12


def test_the_longest_times_can_be_gone_by(tmp_path: Path) -> None:
    longest = "training_hours = 876000\ncooldown_hours = 876000\nretire_days = 36500\nstate_days = 36500\n"
    trial = project_of(tmp_path / "project", [*COUNTS, (-24 * 365 * 2000, "a", "x", 1)], longest)
    assert trial.run_well().receipts == []


def test_a_run_that_dies_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each of the three tables: what is published stays, and the rest follows."""
    expected = contents(project_of(tmp_path / "whole", COUNTS))
    for number, last in enumerate(TABLES):
        trial = project(tmp_path / f"dies-{number}", QUICK)
        deliver(trial, COUNTS, "all.csv")

        def dying(*arguments: Any, last: str = last, **options: Any) -> Any:
            for receipt in build(*arguments, **options):
                if receipt.dataset == f"exploitation.{last}":
                    raise KeyboardInterrupt
                yield receipt

        monkeypatch.setattr("backbone.perform.build", dying)
        with pytest.raises(KeyboardInterrupt):
            trial.run()
        monkeypatch.undo()
        trial.run_well()
        assert contents(trial) == expected
        shutil.rmtree(trial.root)
