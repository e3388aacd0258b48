"""Rows in windows that have not closed are counted: by the run that formats them, and by `status`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from projects import NOW, SHOP_DAY, STEPS, TinyProject, built, finished

WITHOUT_WINDOWS = """
pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[SqlModel("total", "total.sql", grain=["shop"], windowed=False)],
)
"""


def test_rows_of_today_and_of_the_future_are_distinguished(tmp_path: Path) -> None:
    """At noon of the first of March: of five rows one is past, two were today, two lie in the future."""
    project = TinyProject(tmp_path)
    noon = NOW + timedelta(hours=12)
    project.sales(
        "a.csv",
        (1, "x", 1, "2026-02-28T23:59:59"),
        (2, "x", 1, "2026-03-01T00:00:00"),
        (3, "x", 1, "2026-03-01T11:00:00"),
        (4, "x", 1, "2026-03-01T13:00:00"),
        (5, "x", 1, "2027-03-01T12:00:00"),
    )
    result = project.run(now=noon)
    assert result.ok
    assert built(result, "shop_day") == ["2026-02-28"]
    assert [str(rows) for rows in result.open_rows] == [
        "4 rows of formatted.sale lie in windows that have not closed (2 of them in the future, the latest "
        "at 2027-03-01 12:00 UTC); they are computed when their windows close"
    ]
    # The next run has nothing to format, and says nothing.
    assert project.run(now=noon).open_rows == []
    # When the day is over, its rows are computed, and one is left.
    later = project.run(now=NOW + timedelta(days=1))
    assert built(later, "shop_day") == ["2026-03-01"]
    assert later.open_rows == []
    project.sales("b.csv", (6, "x", 1, "2026-02-01T10:00:00"))
    (rows,) = project.run(now=NOW + timedelta(days=1)).open_rows
    assert (rows.dataset, rows.rows, rows.future) == ("formatted.sale", 1, 1)
    assert rows.latest == datetime(2027, 3, 1, 12, tzinfo=UTC)
    assert str(rows) == (
        "1 row of formatted.sale lies in a window that has not closed (in the future, at 2027-03-01 12:00 "
        "UTC); it is computed when its window closes"
    )


@pytest.mark.parametrize(
    ("every", "open_from"), [("hour", "2026-03-04T10"), ("day", "2026-03-04T00"), ("week", "2026-03-02T00"),
                             ("month", "2026-03-01T00")],
)  # fmt: skip
def test_the_cadence_says_which_window_is_open(every: str, open_from: str, tmp_path: Path) -> None:
    project = TinyProject(tmp_path, STEPS.replace('"day"', f'"{every}"'))
    start = datetime.fromisoformat(open_from)
    events = [start - timedelta(seconds=1), start, start + timedelta(minutes=5)]
    project.sales("a.csv", *((n, "x", 1, f"{at:%Y-%m-%dT%H:%M:%S}") for n, at in enumerate(events)))
    result = project.run(now=datetime(2026, 3, 4, 10, 30, tzinfo=UTC))
    assert [(rows.rows, rows.future) for rows in result.open_rows] == [(2, 0)]
    assert len(built(result, "shop_day")) == 1


def test_a_table_that_no_windowed_model_reads_has_no_open_rows(tmp_path: Path) -> None:
    total = "select s.shop, count(*) as sales from formatted.sale as s group by s.shop"
    project = TinyProject(tmp_path, WITHOUT_WINDOWS, {"total.sql": total})
    project.sales("a.csv", (1, "x", 1, "2027-03-01T12:00:00"))
    project.visits("a.csv", ("x", 1, "2027-03-01T12:00:00"))
    result = project.run()
    assert (result.ok, result.open_rows) == (True, [])
    assert project.rows("select sales from exploitation.total") == [(1,)]


def test_the_command_line_says_it_once_and_status_always(tmp_path: Path) -> None:
    project = TinyProject(tmp_path, STEPS, {"shop_day.sql": SHOP_DAY})
    now = datetime.now(UTC)
    project.sales("a.csv", (1, "x", 1, "2998-01-01T10:00:00"), (2, "x", 1, "2999-03-01T12:00:00"))
    project.visits("a.csv", ("x", 1, f"{now:%Y-%m-%dT%H:%M:%S}"))
    sales = (
        "2 rows of formatted.sale lie in windows that have not closed (all of them in the future, the latest "
        "at 2999-03-01 12:00 UTC); they are computed when their windows close"
    )
    visits = (
        f"1 row of formatted.visit lies in a window that has not closed (at {now:%Y-%m-%d %H:%M} UTC); "
        "it is computed when its window closes"
    )
    status, _, errors = finished(tmp_path, "run")
    assert (status, errors) == (0, f"Warning: {sales}\nNote: {visits}\n")
    assert finished(tmp_path, "run") == (0, "Nothing is stale.\n", "")
    status, output, errors = finished(tmp_path, "status")
    assert (status, errors) == (0, "")
    assert output.endswith(f"\n\n{sales}.\n{visits}.\n")
    found = json.loads(finished(tmp_path, "status", "--format", "json")[1])
    assert [(rows["dataset"], rows["rows"], rows["future"]) for rows in found["open_rows"]] == [
        ("formatted.sale", 2, 2),
        ("formatted.visit", 1, 0),
    ]
    assert found["open_rows"][0]["latest"] == "2999-03-01 12:00:00+00:00"


def test_status_ends_with_the_tables_where_every_window_has_closed(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    project.sales("a.csv", (1, "x", 1, "2026-02-01T10:00:00"))
    assert finished(tmp_path, "run")[2] == ""
    assert finished(tmp_path, "status")[1].splitlines()[-1].startswith("exploitation.shop_day")
