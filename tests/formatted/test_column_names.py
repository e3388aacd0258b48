"""Columns that are called otherwise from file to file."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone.errors import SettingsError
from conftest import Trial

HOUSE = """
    class House(Contract):
        "A house for sale."
        house: int
        m2: int
        town: str | None = None
    """
COLUMNS = "house, m2, town"
NAMES = 'columns = { m2 = ["M2", "m2", "area"], town = ["Town", "City"] }'


@pytest.fixture
def houses(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(HOUSE).settings(NAMES)


def parquet(names: list[str], *columns: list[int | str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(c) for c in columns], names=names), out)
    return out.getvalue()


FILES: dict[str, str | bytes] = {
    "a.csv": "house,M2,Town\n1,10,A\n",
    "b.csv": "house,m2,City\n2,20,B\n",
    "c.csv": "house;area\n3;30\n",
    "d.csv": "house,area,City\n4,40,D\n",
    "e.jsonl": '{"house": 5, "M2": 50, "Town": "E"}\n{"house": 6, "M2": 6e1}\n',
    "f.jsonl": '{"house": 7, "area": "70", "City": "G"}\n',
    "g.parquet": parquet(["house", "m2", "City"], [8], [80], ["H"]),
}


def test_each_file_has_one_of_the_names(houses: Trial) -> None:
    for name, data in FILES.items():
        houses.drop(data, name)
    result = houses.run_well()
    assert houses.formatted(COLUMNS) == [
        (1, 10, "A"), (2, 20, "B"), (3, 30, None), (4, 40, "D"), (5, 50, "E"), (7, 70, "G"), (8, 80, "H"),
    ]  # fmt: skip
    assert houses.quarantined() == [
        (2, '{"house": 6, "M2": 6e1}', ["m2: '6e1' is not a whole number"]),
    ]
    (receipt,) = [receipt for receipt in result.receipts if receipt.stage == "format"]
    assert receipt.notes == ("no column Town or City, whose field is null",)


def test_a_file_reads_alike_alone_and_among_others(houses: Trial) -> None:
    for name, data in FILES.items():
        houses.drop(data, name)
        houses.run_well()
    assert houses.formatted("house") == [1, 2, 3, 4, 5, 7, 8]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", "house,m2,M2\n1,10,11\n"),
        ("a.jsonl", '{"house": 1, "M2": 10}\n{"house": 2, "m2": null}\n'),
        ("a.parquet", parquet(["house", "M2", "m2"], [1], [10], [11])),
    ],
)
def test_two_of_the_names_in_one_file(houses: Trial, name: str, data: str | bytes) -> None:
    houses.drop(data, name)
    houses.drop("house,m2\n9,90\n", "good.csv")
    result = houses.run()
    (error,) = result.failures.values()
    assert f"({name})" in str(error)
    assert "found 'M2' and 'm2' for the field m2" in str(error)
    assert "take the wrong name out of columns" in str(error)
    assert houses.formatted("house") == [9]


def test_a_file_with_none_of_them(houses: Trial) -> None:
    houses.drop("house,size\n1,10\n", "a.csv")
    (error,) = houses.run().failures.values()
    assert "expected the column 'M2' or 'm2' or 'area'; the file has 'house', 'size'" in str(error)


def test_a_name_that_only_looks_alike(houses: Trial) -> None:
    houses.drop("house,Area\n1,10\n", "a.csv")
    (error,) = houses.run().failures.values()
    assert "expected the column 'area', found 'Area'" in str(error)
    assert 'm2 = ["M2", "m2", "area", "Area"]' in str(error)


def test_lines_above_the_header_are_named(houses: Trial) -> None:
    houses.drop("Houses for sale\nhouse,area,City\n1,10,A\n", "a.csv")
    (error,) = houses.run().failures.values()
    assert "line 1 seems to be no header, as line 2 has the names" in str(error)


def test_a_csv_file_as_json_is_named(houses: Trial) -> None:
    houses.settings(f'{NAMES}\nformat = "jsonl"').drop("house,area\n1,10\n", "a.csv")
    (error,) = houses.run().failures.values()
    assert "found a table with a header and delimiters" in str(error)


def test_the_record_of_json_is_not_taken_for_what_is_around_records(houses: Trial) -> None:
    record = {"house": 1, "area": 10, "rooms": [{"house": 1, "M2": 5, "Town": "A"}]}
    houses.drop(json.dumps(record), "a.json")
    houses.run_well()
    assert houses.formatted(COLUMNS) == [(1, 10, None)]


def test_a_repeated_header_under_another_name(trial: Trial) -> None:
    trial.event_time = None
    trial.contract('class Pair(Contract):\n    "Two texts."\n    a: str\n    b: str\n')
    trial.settings('columns = { a = ["A", "a"] }')
    for name in "Aa":
        trial.drop(f"{name},b\n1,2\n{name},b\n", f"{name}.csv")
    trial.run_well()
    assert trial.formatted("a, b") == [("1", "2"), ("1", "2")]
    assert [(raw, reasons) for _, raw, reasons in trial.quarantined()] == [
        ("A,b", ["the line repeats the header"]),
        ("a,b", ["the line repeats the header"]),
    ]


def test_names_that_no_file_has(houses: Trial) -> None:
    houses.drop("house,m2\n1,10\n", "a.csv")
    (receipt,) = [receipt for receipt in houses.run_well().receipts if receipt.stage == "format"]
    (warning,) = receipt.warnings
    assert "no file has the column 'Town' or 'City', which [sources.sale] columns gives the field" in warning


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ("{ m2 = [] }", "m2: expected the name of a column, found []"),
        ('{ m2 = ["m2", " "] }', "m2: expected the name of a column"),
        ('{ m2 = ["m2", "m2"] }', "m2: expected each name once"),
    ],
)
def test_names_that_can_not_be_meant(houses: Trial, columns: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=r"sources\.sale\.columns: ") as caught:
        houses.settings(f"columns = {columns}").open()
    assert problem in str(caught.value)
