"""Rows that count right and mean wrong: those that may be formatted, all others in quarantine."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Trial

NOTED = "id: int, name: str, note: str | None"
NUMBERS = "a: int, b: int, c: int"
CASES: dict[str, tuple[str, str, list[tuple[object, ...]], int]] = {
    "an empty field too many, numbers": (
        "id: int, qty: int | None, note: str | None",
        "id,qty,note\n6,1,\n7,,2,\n8,3,x\n",
        [(6, 1, None), (8, 3, "x")],
        1,
    ),
    "an empty field too many, texts": (
        NOTED,
        "id,name,note\n6,cake,\n7,,tea,\n8,milk,\n",
        [(6, "cake", None), (8, "milk", None)],
        1,
    ),
    "every record ends in a delimiter": (NUMBERS, "a,b,c\n1,2,3,\n4,5,6,\n", [(1, 2, 3), (4, 5, 6)], 0),
    "the header too": (NUMBERS, "a,b,c,\n1,2,3,\n4,5,6,\n", [(1, 2, 3), (4, 5, 6)], 0),
    "a record without the last delimiter": (
        NUMBERS,
        "a,b,c\n1,2,3,\n4,5,6\n7,8,9,\n",
        [(1, 2, 3), (7, 8, 9)],
        1,
    ),
    "a delimiter missing before a quote": (
        "id: int, price: str, item: str, note: str",
        'id,price,item,note\n1,2.50,"cake, small",x\n2,3.50"tea, large",y\n',
        [(1, "2.50", "cake, small", "x")],
        1,
    ),
    "a quote that shifts nothing": (
        "a: str, b: str",
        'a,b\n1,5" pipe\n2,x\n',
        [("1", '5" pipe'), ("2", "x")],
        0,
    ),
    "inches in two columns": ("a: str, b: str, c: str", 'a,b,c\n5",6",x\n1,2,3\n', [("1", "2", "3")], 1),
    "an unnamed column, first": ("item: str, qty: int", ",item,qty\n0,tea,2\n", [("tea", 2)], 0),
    "unnamed columns": ("item: str, qty: int", "item,,qty,\ntea,x,2,\n", [("tea", 2)], 0),
    "names that differ in case": ("item: str, qty: int", "item,Qty,qty\ntea,1,2\n", [("tea", 2)], 0),
    "Excel's first line": ("a: int, b: int", "sep=;\na;b\n1;2\n", [(1, 2)], 0),
    "lines that end in CR": ("a: int, b: int", "a,b\r1,2\r3,4\r", [(1, 2), (3, 4)], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_that_may_be_formatted(case: str, tmp_path: Path) -> None:
    contract, text, rows, quarantined = CASES[case]
    fields = "\n".join(f"    {field}" for field in contract.split(", "))
    names = ", ".join(field.partition(":")[0] for field in contract.split(", "))
    trial = Trial(tmp_path, source="thing", event_time=None)
    trial.contract(f"class Thing(Contract):\n    'A thing.'\n{fields}\n")
    trial.drop(text, "things.csv")
    trial.run_well()
    assert trial.formatted(names) == rows
    assert trial.accounted() == (len(rows) + quarantined, len(rows), quarantined, 0)
    assert all(reasons for *_, reasons in trial.quarantined())


def test_inches_are_exact_where_quotes_mean_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="thing", event_time=None, section='quote = ""')
    trial.contract("class Thing(Contract):\n    'A thing.'\n    a: str\n    b: str\n    c: str\n")
    trial.drop('a,b,c\n5",6",x\n1,2,3\n', "things.csv")
    trial.run_well()
    assert trial.formatted("a, b, c") == [("1", "2", "3"), ('5"', '6"', "x")]
