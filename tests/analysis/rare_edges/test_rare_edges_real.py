"""The detector on real connections: a timetable, and who changes which part of a program."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from made_up_edges import assert_as_reference

from backbone.analysis.rare_edges.detector import RareEdgeDetector
from backbone.analysis.rare_edges.rule import Rule

FLIGHTS = """
select origin as source, dest as destination, cast(time_hour as timestamptz) as hour, count(*) as connections
from read_csv($file) group by all
"""
COMMITS = """
select "user" as source, module as destination, date_trunc('hour', cast(event_time as timestamptz)) as hour,
       cast(sum(n_files) as bigint) as connections
from read_csv($file) group by all
"""


def counted(sql: str, file: Path) -> pa.Table:
    if not file.is_file():
        pytest.skip(f"the real data is not there: {file}")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(sql, params={"file": str(file)}).to_arrow_table()


def test_a_timetable_is_not_rare(shared_data: Path) -> None:
    counts = counted(FLIGHTS, shared_data / "flights" / "flights_1_6.csv.gz")
    busiest = pc.and_(pc.equal(counts["source"], "JFK"), pc.equal(counts["destination"], "LAX"))
    assert counts.num_rows == 140_677
    assert pc.sum(counts.filter(busiest)["connections"]).as_py() == 5_554
    state, alerts = RareEdgeDetector(threads=2).update(None, counts)
    assert (state.num_rows, alerts.num_rows) == (213, 0)
    assert_as_reference(state, alerts, counts, Rule())


@pytest.fixture(scope="module")
def commits(shared_data: Path) -> pa.Table:
    return counted(COMMITS, shared_data / "commit_activity" / "ibis_events.csv")


def test_changes_of_a_program_are_those_of_the_reference(commits: pa.Table) -> None:
    assert commits.num_rows == 10_305
    state, alerts = RareEdgeDetector(threads=2).update(None, commits)
    assert (state.num_rows, alerts.num_rows) == (601, 90)
    assert_as_reference(state, alerts, commits, Rule())


def test_year_by_year_is_the_same_as_all_at_once(commits: pa.Table) -> None:
    detector = RareEdgeDetector(threads=2)
    expected = detector.update(None, commits)
    state, found = None, []
    for year in range(2014, 2027):
        part = commits.filter(pc.equal(pc.year(commits["hour"]), year))
        state, alerts = detector.update(state, part)
        found.append(alerts)
    assert (state, pa.concat_tables(found)) == expected


def test_a_line_is_found_in_real_changes(commits: pa.Table) -> None:
    detector = RareEdgeDetector(threads=2).fit_decay(commits)
    assert detector.n_maxima_ == 212
    assert detector.intercept == pytest.approx(3.09, abs=0.01)
    assert detector.slope == pytest.approx(-0.00099, abs=0.00001)


def test_what_is_found_of_real_changes_is_so(commits: pa.Table) -> None:
    """The numbers of docs/rare-edges.md."""
    detector = RareEdgeDetector(threads=2)
    state, alerts = detector.update(None, commits)
    rows = alerts.to_pylist()
    assert len({(row["source"], row["destination"]) for row in rows}) == 50
    assert len({row["source"] for row in rows}) == 26
    lasted = pc.subtract(state["last_seen"], state["first_seen"])
    assert pc.sum(pc.less(lasted, pa.scalar(timedelta(days=30), lasted.type))).as_py() == 380

    first, second, *_ = sorted(rows, key=lambda row: -row["ratio"])
    names = ("value", "previous_maximum")
    assert [first[name] for name in names] == [336, 5]
    assert [second[name] for name in names] == [92, 1]
    assert (first["hour"] - first["previous_maximum_at"]).days == 32
    assert [round(row["expected"], 1) for row in (first, second)] == [16.2, 4.6]
    assert [round(row["ratio"], 1) for row in (first, second)] == [20.8, 20.0]
    size = sorted(rows, key=lambda row: -row["value"])[:8]
    assert [row["value"] for row in size] == [336, 326, 242, 217, 211, 194, 194, 191]
    others = {row["source"] for row in size[1:]}
    assert len(others - {first["source"]}) == len(others) == 3
    ratios = [round(row["ratio"], 1) for row in size[1:]]
    assert (min(ratios), max(ratios)) == (1.0, 8.8)

    assert sum(row["previous_maximum"] <= 3 for row in rows) == 53
    assert sum(row["value"] <= 10 for row in rows) == 26
    assert sum(row["hour"] - row["previous_maximum_at"] > timedelta(days=81) for row in rows) == 15
    for floor, left in ((0.5, 76), (1.0, 62)):
        assert RareEdgeDetector(floor=floor, threads=2).update(None, commits)[1].num_rows == left
    assert detector.fit_decay(commits).update(None, commits)[1].num_rows == 28
