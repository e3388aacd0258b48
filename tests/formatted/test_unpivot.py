"""Columns that become rows: every cell is a row, in quarantine, or passed over and counted."""

from __future__ import annotations

import csv
import io
import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.errors import SettingsError
from backbone.formatted import quarantine, unpivot_sql
from conftest import Trial

READING = """
    class Reading(Contract):
        "The reading of a meter."
        day: date
        meter: str
        kwh: float
        note: str | None = None
    """
UNPIVOT = '[sources.sale.unpivot]\ncolumns = "m*"\nname = "meter"\nvalue = "kwh"'
ENDINGS = ["csv", "jsonl", "parquet"]
Table = dict[str, list[Any]]


@pytest.fixture
def meters(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(READING).settings(UNPIVOT)


def data(ending: str, table: Table) -> bytes:
    """A table of columns as a file; texts stay texts, and None is an empty field, a null or no key."""
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    if ending == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([list(table), *(row.values() for row in rows)])
        return out.getvalue().encode()
    if ending == "jsonl":
        records = ({key: value for key, value in row.items() if value is not None} for row in rows)
        return "".join(json.dumps(record, default=str) + "\n" for record in records).encode()
    packed = io.BytesIO()
    pq.write_table(pa.table(table), packed)
    return packed.getvalue()


WIDE: Table = {
    "day": [date(2026, 1, 1), date(2026, 1, 2)],
    "m1": [1.5, None],
    "m2": [2.5, 20.25],
    "total": [4.0, 20.25],
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_cell_is_a_row(meters: Trial, ending: str) -> None:
    meters.drop(data(ending, WIDE), f"a.{ending}")
    (receipt,) = [receipt for receipt in meters.run_well().receipts if receipt.stage == "format"]
    assert meters.formatted("day, meter, kwh, _row") == [
        (date(2026, 1, 1), "m1", 1.5, 0),
        (date(2026, 1, 1), "m2", 2.5, 1),
        (date(2026, 1, 2), "m2", 20.25, 3),
    ]
    assert meters.accounted() == (3, 3, 0, 0)
    assert set(receipt.notes) >= {
        "ignored column total",
        f"passed over in a.{ending}: 1 empty cell",
        f"a.{ending}: 2 records with 2 columns made 3 rows",
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_cell_is_a_row_where_the_field_may_be_null(meters: Trial, ending: str) -> None:
    meters.contract(READING.replace("kwh: float", "kwh: float | None"))
    meters.drop(data(ending, WIDE), f"a.{ending}")
    meters.run_well()
    assert meters.formatted("meter, kwh") == [("m1", 1.5), ("m1", None), ("m2", 2.5), ("m2", 20.25)]
    assert meters.accounted() == (4, 4, 0, 0)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("together", [True, False])
def test_a_column_that_comes_later_is_taken(meters: Trial, ending: str, together: bool) -> None:
    expected = []
    for number, columns in enumerate([2, 2, 3, 3, 1], 1):
        wide: Table = {"day": [date(2026, 1, number)] * 2}
        wide |= {f"m{m}": [number + m / 4, number - m / 4] for m in range(columns)}
        meters.drop(data(ending, wide), f"{number}.{ending}")
        expected += [(f"m{m}", value) for m in range(columns) for value in wide[f"m{m}"]]
        if not together:
            meters.run_well()
    meters.run_well()
    assert meters.formatted("meter, kwh") == sorted(expected)
    assert meters.accounted() == (22, 22, 0, 0)


@pytest.mark.parametrize("together", [True, False])
def test_a_bad_cell_costs_one_row_and_a_bad_record_all_of_its_rows(meters: Trial, together: bool) -> None:
    text = 'day,m1,m2,m3\n2026-01-01,1,x,3\n2026-01-02,4,5\n\n2026-13-03,y,,6\n"2026-01-04",7,"\n",nan\n'
    names = ["a.csv", "b.csv"][: 1 + together]
    for name in names:
        meters.drop(text, name)
    meters.run_well()
    expected = [
        (2, "2026-01-01,1,x,3", ["kwh: 'x' is not a finite number (column 'm2')"]),
        (3, "2026-01-02,4,5", ["the line has 3 fields, expected 4"]),
        (5, "2026-13-03,y,,6", ["day: '2026-13-03' is not a date"]),
        (6, '"2026-01-04",7,"\n",nan', ["kwh: '\n' is not a finite number (column 'm2')"]),
        (6, '"2026-01-04",7,"\n",nan', ["kwh: 'nan' is not a finite number (column 'm3')"]),
    ]
    assert meters.quarantined() == sorted(expected * len(names))
    good = sorted([("m1", 1, 2), ("m3", 3, 2), ("m1", 7, 6)] * len(names))
    assert meters.formatted("meter, kwh, _line") == good
    assert meters.accounted() == (8 * len(names), 3 * len(names), 5 * len(names), 0)


def test_a_bad_cell_of_json_and_parquet_names_line_and_column(meters: Trial) -> None:
    meters.drop('{"day": "2026-01-01", "m1": 1, "m2": [2]}\n{"day": 5, "m1": 1}\n{"m1": "z"', "a.jsonl")
    wide: Table = {"day": ["2026-01-01", "yesterday"], "m1": ["1", "2"], "m2": ["x", "y"]}
    meters.drop(data("parquet", wide), "b.parquet")
    meters.run_well()
    assert meters.quarantined() == [
        (
            1,
            '{"day": "2026-01-01", "m1": 1, "m2": [2]}',
            ["kwh: '[2]' is not a finite number (column 'm2')"],
        ),
        (2, '{"day": 5, "m1": 1}', ["day: '5' is not a date"]),
        (3, '{"m1": "z"', ["the line is not a JSON object"]),
        (
            None,
            '{"day":"2026-01-01","m2":"x"}',
            ["kwh: 'x' is not a finite number (column 'm2')"],
        ),
        (None, '{"day":"yesterday"}', ["day: 'yesterday' is not a date"]),
    ]
    assert meters.accounted() == (7, 2, 5, 0)


def test_columns_of_several_types_stand_below_each_other_exactly(meters: Trial) -> None:
    meters.contract(
        READING.replace("kwh: float", "kwh: Annotated[Decimal, Field(max_digits=20, decimal_places=2)]")
    )
    meters.settings(f'decimal_separator = ","\n{UNPIVOT}')
    wide = {
        "day": pa.array([date(2026, 1, 1)]),
        "m1": pa.array([2**53 + 1]),
        "m2": pa.array([0.1], pa.float32()),
        "m3": pa.array([Decimal("1.50")]),
        "m4": pa.array(["2,25"]),
        "m5": pa.array([None], pa.null()),
    }
    meters.drop(data("parquet", wide), "a.parquet")
    meters.run_well()
    assert meters.formatted("meter, kwh") == [
        ("m1", Decimal(2**53 + 1)), ("m2", Decimal("0.1")), ("m3", Decimal("1.5")), ("m4", Decimal("2.25"))
    ]  # fmt: skip
    assert meters.accounted() == (4, 4, 0, 0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_settings_of_a_column_hold_for_names_and_values(meters: Trial, ending: str) -> None:
    meters.contract("""
        class Reading(Contract):
            "The reading of an hour."
            meter: str
            hour: int
            kwh: Annotated[Decimal, Field(max_digits=9, decimal_places=3)] | None
            unit: str
        """)
    meters.settings("""
        null = ["-"]
        decimal_separator = ","
        [sources.sale.column]
        hour = { sign = "h" }
        kwh = { null = ["?"], null_in_quotes = true, sign = "kWh" }
        unit = { constant = "kWh" }
        [sources.sale.unpivot]
        columns = ["h0?", "h1?", "h24"]
        name = "hour"
        value = "kwh"
        """)
    wide: Table = {"meter": ["M1", "M2"], "h01": ["1,5 kWh", "?"], "h12": ["?", "2"], "h24": ["-", "0,125"]}
    meters.drop(data(ending, wide), f"a.{ending}")
    meters.run_well()
    assert meters.formatted("meter, hour, kwh, unit") == [
        ("M1", 1, Decimal("1.5"), "kWh"),
        ("M1", 12, None, "kWh"),
        ("M2", 1, None, "kWh"),
        ("M2", 12, Decimal(2), "kWh"),
        ("M2", 24, Decimal("0.125"), "kWh"),
    ]
    ((_, _, reasons),) = meters.quarantined()
    assert reasons == ["kwh: '-' is not a number (column 'h24')"]


def test_dates_as_names_and_instants_as_values(meters: Trial) -> None:
    meters.contract("""
        class Visit(Contract):
            "The last visit of a day."
            day: date
            visited_at: datetime
        """)
    meters.settings("""
        [sources.sale.column]
        day = { date_format = "%d.%m.%Y" }
        visited_at = { epoch = "seconds" }
        [sources.sale.unpivot]
        columns = "*"
        name = "day"
        value = "visited_at"
        """)
    for ending, values in (("csv", ["1767600000"]), ("jsonl", [1767600000]), ("parquet", [1767600000])):
        meters.drop(data(ending, {"05.01.2026": values, "Total": values}), f"a.{ending}")
    meters.run_well()
    assert (
        meters.formatted("day, visited_at") == [(date(2026, 1, 5), datetime(2026, 1, 5, 8, tzinfo=UTC))] * 3
    )
    assert [reasons for *_, reasons in meters.quarantined()] == [
        ["day: 'Total' is not a date written as %d.%m.%Y (column 'Total')"]
    ] * 3


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("columns", "wide", "problem"),
    [
        ("m*", {"day": ["2026-01-01"], "M1": ["1"]}, "columns = 'm*', found none; the file has 'day', 'M1'"),
        ("*", {"day": ["2026-01-01"]}, "expected columns that match"),
        ("m*", {"day": ["2026-01-01"], "meter": ["m1"], "kwh": ["1"]}, "found 'meter', called as a field"),
        ("*", {"day": ["2026-01-01"], "meter": ["m1"], "kwh": ["1"]}, "found 'meter' and 'kwh', called as"),
        (["m1", "m2", "o*"], {"day": ["2026-01-01"], "m2": ["1"], "o1": ["1"]}, "expected the column 'm1'"),
    ],
)  # fmt: skip
def test_a_file_without_such_columns_is_refused(
    meters: Trial, ending: str, columns: str | list[str], wide: Table, problem: str
) -> None:
    meters.settings(UNPIVOT.replace('"m*"', json.dumps(columns)))
    for name in ("a", "b"):
        meters.drop(data(ending, wide), f"{name}.{ending}")
    failed = [str(error) for error in meters.run().failures.values()]
    assert len(failed) >= 1
    assert all(problem in error and "[[sources.sale.when]]" in error for error in failed)
    assert meters.formatted("meter") == []


def test_a_column_that_is_there_twice_is_refused(meters: Trial) -> None:
    meters.drop("day,m1,m1\n2026-01-01,1,2\n", "a.csv")
    (error,) = meters.run().failures.values()
    assert "expected one column called 'm1', found several" in str(error)


def test_a_header_among_the_records_is_one_row_in_quarantine(meters: Trial) -> None:
    meters.contract(READING.replace("day: date", "day: str").replace("kwh: float", "kwh: str"))
    meters.drop("day,m1,m2\nx,a,b\nday,m1,m2\ny,m1,m2\n", "a.csv")
    meters.run_well()
    assert meters.quarantined() == [(3, "day,m1,m2", ["the line repeats the header"])]
    assert meters.formatted("day, meter, kwh") == [
        ("x", "m1", "a"), ("x", "m2", "b"), ("y", "m1", "m1"), ("y", "m2", "m2")
    ]  # fmt: skip


def test_a_json_file_whose_later_records_have_more_keys(meters: Trial) -> None:
    records = [{"day": "2026-01-01", "m0": n} for n in range(20_000)]
    records += [{"day": "2026-01-02", "m0": 1, f"m{n}": n} for n in range(1, 30)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    meters.drop(text, "a.jsonl")
    meters.drop(text.replace("2026-", "2027-"), "b.jsonl")
    meters.run_well()
    assert meters.rows("select count(*), sum(kwh) from formatted.sale") == [
        (2 * (20_029 + 29), 2.0 * (19_999 * 10_000 + 29 + 435))
    ]
    assert meters.quarantined() == []


def test_a_json_file_with_too_many_keys_is_refused(meters: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.formatted.json.file.MOST_COLUMNS", 50)
    records = ({"day": "2026-01-01", f"m{n}": n} for n in range(51))
    meters.drop("".join(json.dumps(record) + "\n" for record in records), "a.jsonl")
    (error,) = meters.run().failures.values()
    assert "expected at most 50 keys that become rows, found 51" in str(error)


def test_an_empty_json_array_is_a_table_without_rows(meters: Trial) -> None:
    meters.drop("[]", "a.json").with_name("b.json").write_text("[]")
    meters.run_well()
    assert meters.formatted("meter") == []


def test_a_key_of_file_record_and_column_stays_when_columns_are_added(meters: Trial) -> None:
    meters.contract(READING.replace("note: str | None = None", "id: Annotated[str, Key]"))
    meters.settings(f"[sources.sale.column.id]\nrow_key = true\n{UNPIVOT}")
    meters.drop("day,m1,m3\n2026-01-01,1,3\n2026-01-02,1,3\n", "a.csv")
    meters.run_well()
    before = meters.formatted("id")
    assert before == ["a.csv#0#m1", "a.csv#0#m3", "a.csv#1#m1", "a.csv#1#m3"]
    meters.drop("day,m1,m2,m3\n2026-01-01,1,2,3\n2026-01-02,1,2,3\n", "a.csv")
    meters.run_well()
    assert set(before) < set(meters.formatted("id"))
    assert meters.accounted() == (6, 6, 0, 0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_delivered_again_without_a_column_is_named(meters: Trial, ending: str) -> None:
    days = [date(2026, 1, 1), date(2026, 1, 2)]
    meters.drop(data(ending, {"day": days, "m1": [1, 2], "m2": [3, None], "m3": [4, 5]}), f"a.{ending}")
    meters.drop(data(ending, {"day": days, "m1": [1, 2], "m7": [3, 4]}), f"b.{ending}")
    meters.run_well()
    meters.drop(data(ending, {"day": days, "m1": [1, 2], "m4": [1, 2]}), f"a.{ending}")
    (receipt,) = [receipt for receipt in meters.run_well().receipts if receipt.stage == "format"]
    assert [warning.partition("delivered again without the column ")[2] for warning in receipt.warnings] == [
        f"'m2' that the version before had: 1 value is gone now (a.{ending} 1)",
        f"'m3' that the version before had: 2 values are gone now (a.{ending} 2)",
    ]
    assert meters.formatted("meter", order="meter") == ["m1", "m1", "m1", "m1", "m4", "m4", "m7", "m7"]


def test_of_two_cells_with_one_key_one_is_a_duplicate(meters: Trial) -> None:
    meters.contract(
        READING.replace("day: date", "day: Annotated[date, Key]").replace(
            "meter: str", "meter: Annotated[str, Key]"
        )
    )
    meters.drop("day,m1,m2\n2026-01-01,1,2\n2026-01-01,3,4\n", "a.csv")
    meters.run_well()
    assert meters.formatted("meter, kwh") == [("m1", 3), ("m2", 4)]
    assert meters.accounted() == (4, 2, 0, 2)


def test_some_files_are_wide_and_others_are_not(meters: Trial) -> None:
    meters.settings("""
        columns = { kwh = "energy", meter = "device" }
        [[sources.sale.when]]
        path = "wide/*"
        unpivot = { columns = "m*", name = "meter", value = "kwh" }
        """)
    meters.drop("day,device,energy\n2026-01-01,m9,9\n", "long/a.csv")
    meters.drop("day,m1\n2026-01-01,1\n", "wide/a.csv")
    meters.run_well()
    assert meters.formatted("meter, kwh") == [("m1", 1), ("m9", 9)]
    meters.settings("""
        [sources.sale.unpivot]
        columns = "m*"
        name = "meter"
        value = "kwh"
        [[sources.sale.when]]
        path = "long/*"
        unpivot = false
        columns = { kwh = "energy", meter = "device" }
        """)
    meters.run_well()
    assert meters.formatted("meter, kwh") == [("m1", 1), ("m9", 9)]


def test_all_columns_that_no_field_reads(meters: Trial) -> None:
    meters.settings('from_path = "^(?P<day>[^.]*)"\n' + UNPIVOT.replace("m*", "*"))
    meters.drop("north;south\n1;2\n", "2026-01-01.csv")
    meters.drop(",note,north\n0,windy,3\n", "2026-01-02.csv")
    meters.run_well()
    assert meters.formatted("day, meter, kwh, note") == [
        (date(2026, 1, 1), "north", 1, None),
        (date(2026, 1, 1), "south", 2, None),
        (date(2026, 1, 2), "north", 3, "windy"),
    ]


def test_many_bad_cells_of_long_records(meters: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "AT_A_TIME", 7)
    names = [f"m{n}" for n in range(300)]
    lines = [",".join(["day", *names])]
    lines += [
        ",".join(["2026-01-01", *["x" if n % (3 + row) else str(n) for n in range(300)]]) for row in range(3)
    ]
    meters.drop("\n".join(lines) + "\n" + "2026-13-01" + ",wrong" * 300 + "\n", "a.csv")
    meters.run_well()
    found = meters.quarantined()
    bad = [(row, name) for row in range(3) for n, name in enumerate(names) if n % (3 + row)]
    texts = [
        (2 + row, lines[1 + row][: unpivot_sql.SHOWN], [f"kwh: 'x' is not a finite number (column '{name}')"])
        for row, name in bad
    ]
    whole = (5, "2026-13-01" + ",wrong" * 300, ["day: '2026-13-01' is not a date"])
    assert found == sorted([*texts, whole])
    assert meters.accounted() == (901, 900 - len(bad), len(bad) + 1, 0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_cell_of_a_large_file_has_its_place(meters: Trial, ending: str) -> None:
    meters.contract(READING.replace("kwh: float", "kwh: int").replace("day: date", "day: str"))
    records, width = 60_000, 24
    wide: Table = {"day": [f"day\n{n}" if n % 1_000 == 7 else f"day {n}" for n in range(records)]}
    wide |= {f"m{m}": [n * width + m for n in range(records)] for m in range(width)}
    meters.drop(data(ending, wide), f"a.{ending}")
    meters.run_well()
    assert meters.accounted() == (records * width, records * width, 0, 0)
    record = f"_row // {width}"
    line = {"csv": f"2 + {record} + ({record} + 992) // 1000", "jsonl": f"1 + {record}", "parquet": "null"}
    wrong = (
        f"kwh <> _row or meter <> 'm' || _row % {width} or _line is distinct from {line[ending]} "
        f"or replace(day, chr(10), ' ') <> 'day ' || {record}"
    )
    assert meters.value(f"select count(*) from formatted.sale where {wrong}") == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_gives_what_a_plain_loop_gives(meters: Trial, ending: str) -> None:
    meters.contract(READING.replace("note: str | None = None", "note: str | None"))
    dice, expected, bad, empty, records = random.Random(15), [], 0, 0, 0
    for number in range(12):
        names = dice.sample([f"m{n}" for n in range(9)], dice.randint(1, 6))
        count = dice.randint(0, 30) if ending != "jsonl" else dice.randint(1, 30)
        wide: Table = {"day": [], "note": [], **{name: [] for name in names}}
        for _ in range(count):
            day = dice.choice(["2026-01-05"] * 9 + ["05/01/2026"])
            cells = {name: dice.choice(["1.25", "-2", "7", "x", None]) for name in names}
            wide["day"].append(day)
            wide["note"].append(dice.choice(["a", None]))
            for name, cell in cells.items():
                wide[name].append(cell)
            records += 1
            if day != "2026-01-05":
                bad += 1
                continue
            empty += sum(cell is None for cell in cells.values())
            bad += sum(cell == "x" for cell in cells.values())
            expected += [(name, float(c)) for name, c in cells.items() if c not in ("x", None)]
        if ending == "jsonl":  # each name is in a record, or it is no column of the file
            wide = {"day": [*wide["day"], "2026-01-05"], "note": [*wide["note"], None]} | {
                name: [*wide[name], "0"] for name in names
            }
            expected += [(name, 0.0) for name in names]
        meters.drop(data(ending, wide), f"{number}.{ending}")
    receipts = [receipt for receipt in meters.run_well().receipts if receipt.stage == "format"]
    assert meters.formatted("meter, kwh") == sorted(expected)
    assert meters.accounted() == (len(expected) + bad, len(expected), bad, 0)
    passed = [note.rpartition(": ")[2].split()[0] for note in receipts[-1].notes if note.startswith("passed")]
    assert sum(map(int, passed)) == empty


ALL = 'name = "meter"\nvalue = "kwh"'


@pytest.mark.parametrize(
    ("section", "where", "problem"),
    [
        (f'columns = ""\n{ALL}', "unpivot.columns", "expected names or patterns"),
        (f"columns = []\n{ALL}", "unpivot.columns", "expected names or patterns"),
        (f'columns = ["a", "a"]\n{ALL}', "unpivot.columns", "expected each name once"),
        ('columns = "m*"\nname = "meter"', "unpivot.value", "Field required"),
        ('columns = "m*"\nname = "kwh"\nvalue = "kwh"', "unpivot", "expected two fields"),
        ('columns = "m*"\nname = "metre"\nvalue = "kwh"', "unpivot] name", "no field 'metre'"),
        ('columns = "m*"\nname = "meter"\nvalue = "kw"', "unpivot] value", "no field 'kw'"),
        (f'columns = "d*"\n{ALL}', "unpivot] columns", "found 'd*', which is also that of the column 'day'"),
        (f'columns = "m*"\n{ALL}\n[sources.sale.columns]\nnote = "memo"', "unpivot] columns", "'memo'"),
        (
            f'columns = "m*"\n{ALL}\n[sources.sale.columns]\nmeter = "x"',
            "column.meter",
            "found in columns and a field of unpivot",
        ),
        (
            f'columns = "m*"\n{ALL}\n[sources.sale.column.kwh]\nconstant = "1"',
            "column.kwh",
            "found a constant and a field of unpivot",
        ),
        (f'columns = "m*"\n{ALL}\nkind = "x"', "unpivot.kind", "is not a setting"),
    ],
)
def test_settings_that_can_not_be_meant(meters: Trial, section: str, where: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        meters.settings(f"[sources.sale.unpivot]\n{section}").open()
    assert where in str(caught.value)
    assert problem in str(caught.value)


def test_without_a_header_no_column_has_a_name(meters: Trial) -> None:
    with pytest.raises(SettingsError, match="unpivot: the settings say that there is no header"):
        meters.settings(f"header = false\n{UNPIVOT}").open()
