"""Dates and instants on their way from a file to a published table: as written, or in quarantine."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from projects import TinyProject, run_command

MEMBERS = """
    from datetime import date


    class Member(Contract):
        "A member, and from when to when."
        id: int
        joined_at: datetime
        until: datetime | None
        born: date | None

    pipeline = Pipeline(
        "tiny",
        every={every},
        sources=[Source("member", Member, event_time="joined_at")],
        steps=[SqlModel("span", "span.sql", grain=["id"])],
    )
    """
SPAN = {
    "span.sql": "select id, until, timestamptz 'infinity' as never, -1 * (date '2026-01-01' - born) as days,"
    " date '-infinity' as long_ago from formatted.member"
}
SENTINELS = [
    "id,joined_at,until,born",
    "1,2026-01-05 08:00:00,2026-02-01 00:00:00,1990-05-06",
    "2,2026-01-05 09:00:00,9999-12-31 23:59:59,0001-01-01",
    "3,2026-01-06 09:00:00,0001-01-01,9999-12-31",
]


def members(tmp_path: Path, settings: str = "", every: str = '"day"') -> TinyProject:
    return TinyProject(tmp_path, MEMBERS.format(every=every), SPAN, f"[sources.member]\n{settings}")


def reasons(project: TinyProject) -> list[str]:
    return [reason for (found,) in project.rows("select reasons from quarantine.member order by _row")
            for reason in found]  # fmt: skip


def test_a_year_of_two_digits_is_not_one_of_four(tmp_path: Path) -> None:
    settings = 'date_format = "%d/%m/%Y"\ndatetime_format = "%d/%m/%Y %H:%M"'
    project = members(tmp_path, settings)
    project.drop("member", "a.csv", [
        "id,joined_at,until,born",
        "1,05/01/2026 08:00,,05/01/1990",
        "2,05/01/26 08:00,,05/01/26",
        "3,5/1/2026 8:05,,5/1/1990",
    ])  # fmt: skip
    assert project.run().ok
    assert project.rows("select id, joined_at, born from formatted.member order by id") == [
        (1, datetime(2026, 1, 5, 8, tzinfo=UTC), date(1990, 1, 5)),
        (3, datetime(2026, 1, 5, 8, 5, tzinfo=UTC), date(1990, 1, 5)),
    ]
    assert reasons(project) == [
        "joined_at: '05/01/26 08:00' is not a date and time written as %d/%m/%Y %H:%M",
        "born: '05/01/26' is not a date written as %d/%m/%Y",
    ]


def test_sentinels_are_published(tmp_path: Path) -> None:
    project = members(tmp_path)
    project.drop("member", "a.csv", SENTINELS)
    assert project.run().ok
    assert project.rows("select id, until, born from formatted.member order by id")[1:] == [
        (2, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), date(1, 1, 1)),
        (3, datetime(1, 1, 1, tzinfo=UTC), date(9999, 12, 31)),
    ]
    for n in range(12):  # past a checkpoint of the table's log
        row = f"{n + 4},2026-01-07 0{n % 10}:00:00,9999-12-31 23:59:59,0001-01-01"
        project.drop("member", f"more{n}.csv", [SENTINELS[0], row])
        assert project.run().ok
    late = "select count(*) from formatted.member where until > '9999-12-31' and born < '0001-01-02'"
    assert project.rows(late) == [(13,)]
    assert project.rows("select count(*) from exploitation.span") == [(15,)]


@pytest.mark.parametrize(
    ("zone", "quarantined", "value"),
    [("America/New_York", 2, "9999-12-31 23:59:59"), ("Asia/Tokyo", 3, "0001-01-01")],
)
def test_a_sentinel_beyond_the_years_1_to_9999_in_utc_is_quarantined_with_the_zone(
    tmp_path: Path, zone: str, quarantined: int, value: str
) -> None:
    project = members(tmp_path, f'timezone = "{zone}"')
    project.drop("member", "a.csv", SENTINELS)
    assert project.run().ok
    ids = [row[0] for row in project.rows("select id from formatted.member")]
    assert sorted(ids) == sorted({1, 2, 3} - {quarantined})
    assert reasons(project) == [
        f"until: '{value}' is not in the years 1 to 9999 in UTC (the source's time zone: {zone})"
    ]


def test_infinite_values_of_a_parquet_file_are_quarantined(tmp_path: Path) -> None:
    project = members(tmp_path)
    most = 2**63 - 1
    instants = pa.timestamp("us", "UTC")
    joined = pa.array([1767600000000000] * 5, pa.int64()).cast(instants)
    until = pa.array([most, -most, 253402300800000000, 253402300799999999, None], pa.int64()).cast(instants)
    born = pa.array([0, None, None, -719162, 2**31 - 1], pa.int32()).cast(pa.date32())
    table = pa.table({"id": [1, 2, 3, 4, 5], "joined_at": joined, "until": until, "born": born})
    folder = tmp_path / "landing" / "temporal" / "member"
    project.drop("member", "a.parquet", [])
    pq.write_table(table, folder / "a.parquet")
    assert project.run().ok
    assert project.rows("select id, until, born from formatted.member") == [
        (4, datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), date(1, 1, 1))
    ]
    assert [reason.partition(" is not ")[0] for reason in reasons(project)] == [
        "until: 'infinity'", "until: '-infinity'", "until: '10000-01-01 00:00:00+00'", "born: 'infinity'",
    ]  # fmt: skip


def test_infinite_values_of_a_model_are_published_and_shown(tmp_path: Path) -> None:
    project = members(tmp_path)
    project.drop("member", "a.csv", SENTINELS)
    for every in ('"day"', "None", '"day"'):  # partitioned, whole, partitioned
        project.write(pipeline=MEMBERS.format(every=every))
        assert project.run().ok
    sql = "select id, never, long_ago, until from exploitation.span order by id"
    shown = {form: run_command(tmp_path, "query", sql, "--format", form) for form in ("table", "csv", "json")}
    assert {status for status, *_ in shown.values()} == {0}
    cells = [line.split() for line in shown["table"][1].splitlines()[1:]]
    assert [row[:3] for row in cells] == [[str(n), "infinity", "-infinity"] for n in (1, 2, 3)]
    assert [" ".join(row[3:]) for row in cells] == [
        "2026-02-01 00:00:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00",
    ]  # fmt: skip
    rows = list(csv.reader(shown["csv"][1].splitlines()))
    assert [row[:3] for row in rows[1:]] == [[str(n), "infinity", "-infinity"] for n in (1, 2, 3)]
    assert rows[3][3] == "0001-01-01 00:00:00.000000Z"
    lines = [json.loads(line) for line in shown["json"][1].splitlines()]
    assert [(row["never"], row["long_ago"]) for row in lines] == [("infinity", "-infinity")] * 3
