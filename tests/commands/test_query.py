"""What `query` prints, in each of its formats."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Trial

# An expression, and its text as a table, as CSV and as JSON.
TIMES = [
    ("timestamptz '2026-01-01 10:00:00+00'", "2026-01-01 10:00:00", "2026-01-01 10:00:00.000000Z",
     "2026-01-01 10:00:00+00"),
    ("timestamptz '2026-01-01 10:00:00.25+00'", "2026-01-01 10:00:00.250000", "2026-01-01 10:00:00.250000Z",
     "2026-01-01 10:00:00.25+00"),
    ("timestamptz '0001-01-01 00:00:00+00'", "0001-01-01 00:00:00", "0001-01-01 00:00:00.000000Z",
     "0001-01-01 00:00:00+00"),
    ("timestamptz '9999-12-31 23:59:59.999999+00'", "9999-12-31 23:59:59.999999",
     "9999-12-31 23:59:59.999999Z", "9999-12-31 23:59:59.999999+00"),
    ("timestamptz 'infinity'", "infinity", '"infinity"', "infinity"),
    ("timestamp '-infinity'", "-infinity", '"-infinity"', "-infinity"),
    ("timestamptz '0001-01-01 00:00:00+00' - interval 1 hour", "0001-12-31 (BC) 23:00:00",
     '"0001-12-31 (BC) 23:00:00.000000Z"', "0001-12-31 (BC) 23:00:00+00"),
    ("timestamp '290000-01-01'", "290000-01-01 00:00:00", '"290000-01-01 00:00:00.000000"',
     "290000-01-01 00:00:00"),
    ("date '2026-01-01'", "2026-01-01", "2026-01-01", "2026-01-01"),
    ("date 'infinity'", "infinity", '"infinity"', "infinity"),
    ("date '10000-01-01'", "10000-01-01", '"10000-01-01"', "10000-01-01"),
    ("date '0044-03-15 (BC)'", "0044-03-15 (BC)", '"0044-03-15 (BC)"', "0044-03-15 (BC)"),
    ("[timestamptz 'infinity']", "infinity", '"[infinity]"', ["infinity"]),
    ("{'at': date 'infinity'}", "{'at': infinity}", "\"{'at': infinity}\"", {"at": "infinity"}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "table", "csv", "expected"), TIMES, ids=[sql for sql, *_ in TIMES])
def test_every_time_is_printed_as_it_is(
    sql: str, table: str, csv: str, expected: object, trial: Trial
) -> None:
    printed = {
        form: trial.command("query", f"select {sql} as x", "--format", form).output.splitlines()
        for form in ("table", "csv", "json")
    }
    assert [line.strip() for line in printed["table"]] == ["x", table]
    assert printed["csv"] == ['"x"', csv]
    assert [json.loads(line)["x"] for line in printed["json"]] == [expected]


def test_far_times_stand_among_others(trial: Trial) -> None:
    sql = (
        "select i, case i when 3 then date 'infinity' when 4 then null "
        "else date '2026-01-01' + cast(i as integer) end as x from range(5) as t(i) order by i"
    )
    done = trial.command("query", sql, "--format", "csv")
    assert (done.status, done.output.splitlines()) == (
        0,
        ['"i","x"', '0,"2026-01-01"', '1,"2026-01-02"', '2,"2026-01-03"', '3,"infinity"', "4,"],
    )


def test_sentinels_in_a_formatted_table_break_no_command(trial: Trial) -> None:
    trial.contract(
        """
        class Sale(Contract):
            'Something sold, with a date until which it can be returned.'
            sale_id: int
            returned_by: date
            until: datetime
            sold_at: datetime
        """
    )
    trial.drop(
        "sale_id,returned_by,until,sold_at\n"
        "1,0001-01-01,0001-01-01 00:00:00,2026-01-01 08:00:00\n"
        "2,9999-12-31,9999-12-31 23:59:59,2026-01-01 09:00:00\n"
    )
    trial.run_well()
    assert trial.run_well().receipts == []
    assert trial.accounted() == (2, 2, 0, 0)
    columns = "sale_id, returned_by, until, sold_at"
    shown = trial.command("query", f"select {columns} from formatted.sale order by sale_id")
    assert [" ".join(line.split()[1:]) for line in shown.output.splitlines()[1:]] == [
        "0001-01-01 0001-01-01 00:00:00 2026-01-01 08:00:00",
        "9999-12-31 9999-12-31 23:59:59 2026-01-01 09:00:00",
    ]
    for form in ("table", "json"):
        assert trial.command("status", "--format", form).status == 0
    for form in ("table", "csv", "json"):
        assert trial.command("history", "formatted.sale", "--format", form).status == 0
        assert trial.command("query", "select * from formatted.sale", "--format", form).status == 0


def test_parquet_holds_what_the_query_gives(trial: Trial, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    from backbone.commands.query_output import print_rows
    from backbone.commands.terminal import console

    with trial.open().database("question") as database:
        print_rows(database, "select timestamptz 'infinity' as x, 1 as n", "parquet", 1, None, console)
    table = pq.read_table(io.BytesIO(capfdbinary.readouterr().out))
    assert table["x"].cast(pa.int64()).to_pylist() == [2**63 - 1]
