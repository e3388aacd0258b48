"""Fields that no column has: parts of the path, constants, keys made of file and record."""

from __future__ import annotations

import io
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.errors import SettingsError
from conftest import Trial

READING = """
    class Reading(Contract):
        "A reading of a device."
        device: str
        day: date
        kwh: int
        unit: str | None
    """
COLUMNS = "device, day, kwh, unit"
PATH = """
    from_path = "dev_(?P<device>[a-z]+)_(?P<day>\\\\d{8})"
    [sources.sale.column.day]
    date_format = "%Y%m%d"
    [sources.sale.column.unit]
    constant = "kWh"
    """


@pytest.fixture
def devices(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(READING).settings(PATH)


def data(name: str, kwh: list[int]) -> bytes:
    if name.endswith(".csv"):
        return ("kwh,note\n" + "".join(f"{n},x\n" for n in kwh)).encode()
    if name.endswith(".jsonl"):
        return "".join(json.dumps({"kwh": n}) + "\n" for n in kwh).encode()
    out = io.BytesIO()
    pq.write_table(pa.table({"kwh": pa.array(kwh)}), out)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("together", [True, False])
def test_every_row_has_the_parts_of_its_path(devices: Trial, ending: str, together: bool) -> None:
    expected = []
    for number, device in enumerate(["a", "b", "c", "b"]):
        name = f"site {number}/dev_{device}_2026010{number + 1}.{ending}"
        devices.drop(data(name, [number, 10 + number]), name)
        expected += [(device, date(2026, 1, number + 1), kwh, "kWh") for kwh in (number, 10 + number)]
        if not together:
            devices.run_well()
    devices.run_well()
    assert devices.formatted(COLUMNS, order="kwh") == sorted(expected, key=lambda row: row[2])
    assert devices.accounted() == (8, 8, 0, 0)


def test_a_file_whose_path_does_not_match_is_refused(devices: Trial) -> None:
    for name in ("dev_a_20260101.csv", "dev_A_20260101.csv", "dev_b_20260101.csv"):
        devices.drop(data(name, [1]), name)
    (error,) = devices.run().failures.values()
    assert "(dev_A_20260101.csv): expected a path that matches from_path" in str(error)
    assert "found 'dev_A_20260101.csv'" in str(error)
    assert devices.formatted("device") == ["a", "b"]


def test_a_part_that_breaks_the_contract_is_a_reason_for_each_row(devices: Trial) -> None:
    for name in ("dev_a_20261301.csv", "dev_b_20260101.csv"):
        devices.drop(data(name, [1, 2]), name)
    devices.run_well()
    reason = "day: '20261301' is not a date written as %Y%m%d"
    assert devices.quarantined() == [(2, "1,x", [reason]), (3, "2,x", [reason])]
    assert devices.accounted() == (4, 2, 2, 0)


def test_a_part_that_is_not_there_is_null(devices: Trial) -> None:
    devices.settings("""
        from_path = "(?P<device>[a-z]+)(?:_(?P<unit>[A-Z]+))?"
        [sources.sale.column.day]
        constant = "2026-01-01"
        """)
    for name in ("a_K.csv", "b.csv"):
        devices.drop(data(name, [1]), name)
    devices.run_well()
    assert devices.formatted("device, unit, day") == [
        ("a", "K", date(2026, 1, 1)), ("b", None, date(2026, 1, 1))
    ]  # fmt: skip


def test_a_quote_in_a_path_is_text(devices: Trial) -> None:
    devices.settings(PATH.replace("[a-z]+", ".+"))
    name = 'dev_O\'Neil "x"; --_20260101.csv'
    devices.drop(data(name, [1]), name)
    devices.drop(data(name, [2]), name.replace("x", "y"))
    devices.run_well()
    assert devices.formatted("device") == ['O\'Neil "x"; --', 'O\'Neil "y"; --']


def test_a_column_of_the_same_name_is_ignored_and_named(devices: Trial) -> None:
    devices.drop("device,kwh\nz,1\n", "dev_a_20260101.csv")
    (receipt,) = [receipt for receipt in devices.run_well().receipts if receipt.stage == "format"]
    assert devices.formatted("device") == ["a"]
    assert receipt.notes == ("ignored column device",)


def test_without_a_header_the_columns_are_the_fields_that_are_left(devices: Trial) -> None:
    devices.settings(f"header = false\n{PATH}").drop("7\n8\n", "dev_a_20260101.csv")
    devices.run_well()
    assert devices.formatted("device, kwh") == [("a", 7), ("a", 8)]


def test_an_event_time_can_stand_in_the_path(trial: Trial) -> None:
    trial.settings(
        'from_path = "(?P<sold_at>\\\\d{8})"\n[sources.sale.column.sold_at]\ndatetime_format = "%Y%m%d"'
    )
    for day in (1, 2):
        trial.drop("sale_id,item,price\n1,tea,2.50\n", f"2026010{day}.csv")
    trial.run_well()
    assert [at.day for at in trial.formatted("sold_at")] == [1, 2]


KEYED = """
    class Reading(Contract):
        "A reading with a key of its own."
        id: Annotated[str, Key]
        kwh: int
    """


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_key_made_of_file_and_record(trial: Trial, ending: str) -> None:
    trial.event_time = None
    trial.contract(KEYED).settings("[sources.sale.column.id]\nrow_key = true")
    for name in (f"a/x.{ending}", f"b/x.{ending}"):
        trial.drop(data(name, [5, 5]), name)
    trial.run_well()
    trial.drop(data(f"c.{ending}", [7]), f"c.{ending}")
    trial.run_well()
    keys = [f"a/x.{ending}#0", f"a/x.{ending}#1", f"b/x.{ending}#0", f"b/x.{ending}#1", f"c.{ending}#0"]
    assert trial.formatted("id") == keys
    assert trial.accounted() == (5, 5, 0, 0)
    trial.drop(data(f"c.{ending}", [8]), f"c.{ending}")
    trial.run_well()
    assert trial.formatted("id, kwh")[-1] == (f"c.{ending}#0", 8)
    assert trial.accounted() == (5, 5, 0, 0)


def test_versions_that_add_to_each_other_have_keys_of_their_own(trial: Trial) -> None:
    trial.event_time = None
    trial.contract(KEYED).settings('redelivery = "append"\n[sources.sale.column.id]\nrow_key = true')
    for kwh in (1, 2):
        trial.drop(data("a.csv", [kwh]), "a.csv")
        trial.run_well()
    assert sorted(trial.formatted("kwh")) == [1, 2]
    assert trial.formatted("id") == sorted(f"a.csv@{batch.batch}#0" for batch in trial.batches())


def test_a_record_in_quarantine_keeps_its_number(trial: Trial) -> None:
    trial.event_time = None
    trial.contract(KEYED).settings("[sources.sale.column.id]\nrow_key = true")
    trial.drop("kwh\n1\nx\n3\n", "a.csv")
    trial.run_well()
    assert trial.formatted("id, kwh") == [("a.csv#0", 1), ("a.csv#2", 3)]


@pytest.mark.parametrize(
    ("section", "where", "problem"),
    [
        ('from_path = "("', "from_path", "expected a regular expression of Python"),
        ('from_path = "a"', "from_path", "expected parts with the names of fields"),
        ('from_path = "(?P<devise>a)"', "from_path", "the contract has no field 'devise'"),
        (
            'from_path = "(?P<kwh>a)"\ncolumns = { kwh = "KWH" }',
            "column.kwh",
            "expected one origin of the field, found a part of from_path and in columns",
        ),
        (
            'from_path = "(?P<unit>a)"\n[sources.sale.column.unit]\nconstant = "x"',
            "column.unit",
            "found a part of from_path and a constant",
        ),
        ('[sources.sale.column.unit]\nconstant = "x"\nrow_key = true', "column.unit", "not both"),
        ("[sources.sale.column.kwh]\nrow_key = true", "column.kwh", "expected a field of type str"),
        ('from_path = "(?P<device>.)(?P<day>.)(?P<kwh>.)(?P<unit>.)"', "sale", "no field is left"),
        ('[sources.sale.column.day]\ndate_format = "%Y"', "column.day.date_format", "a full date"),
    ],
)
def test_origins_that_can_not_be_meant(devices: Trial, section: str, where: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        devices.settings(section).open()
    assert where in str(caught.value)
    assert problem in str(caught.value)
