"""Headers of several rows, blanks around fields, and signs beside numbers."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from backbone.errors import SettingsError
from conftest import Trial

METER = """
    class Meter(Contract):
        "What a meter shows."
        meter: str
        power: Annotated[Decimal, Field(max_digits=8, decimal_places=2)] | None
        state: Literal["on", "off"] | None = None
    """
COLUMNS = "meter, power, state"


@pytest.fixture
def meters(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(METER.replace("    class", "    from typing import Literal\n\n    class", 1))


def read(trial: Trial, data: str, name: str = "a.csv") -> list[tuple[object, ...]]:
    trial.drop(data, name)
    trial.run_well()
    return trial.formatted(COLUMNS, order="_row")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_header_of_three_rows(meters: Trial, newline: str) -> None:
    meters.settings('header_rows = 3\ncolumns = { meter = "Meter", power = "Power mean kW" }')
    lines = ["Meter,Power,Power", '"",mean,max', "", " ,kW,kW", "a,1.5,2", "", "b,2.5,3"]
    data = newline.join([*lines, ""])
    assert read(meters, data) == [("a", Decimal("1.50"), None), ("b", Decimal("2.50"), None)]
    assert meters.formatted("_line", order="_row") == [5, 7]
    (receipt,) = meters.rows("select notes from operations.receipt where dataset = 'formatted.sale'")
    assert "ignored column Power max kW" in receipt[0]


def test_rows_of_a_header_with_other_numbers_of_names(meters: Trial) -> None:
    meters.settings('header_rows = 2\ncolumns = { power = "power kW" }')
    assert read(meters, "meter,power\n,kW,max\na,1,2\n") == [("a", Decimal("1.00"), None)]


def test_a_header_of_several_rows_among_the_records(trial: Trial) -> None:
    trial.event_time = None
    trial.contract('class Pair(Contract):\n    "Texts."\n    a: str | None\n    b: str | None\n')
    trial.settings('header_rows = 2\ncolumns = { a = "a x", b = "b" }')
    trial.drop("a,b\nx,\n1,2\na,b\nx,\n3,4\n", "a.csv")
    trial.run_well()
    assert trial.formatted("a, b", order="_row") == [("1", "2"), ("3", "4")]
    assert [raw for _, raw, _ in trial.quarantined()] == ["a,b", "x,"]


def test_a_quote_inside_a_name_of_a_later_row_is_refused(meters: Trial) -> None:
    meters.settings("header_rows = 2").drop('meter,power\n5" pipe,6" pipe\na,1\n', "a.csv")
    (error,) = meters.run().failures.values()
    assert "a name has a quote inside" in str(error)


def test_blanks_around_fields(meters: Trial) -> None:
    meters.settings('trim = true\nnull = ["-"]')
    data = 'meter ,power, state\n a b ,1, on\n\tc, -,\u00a0\n" d "," 2","off "\ne,3,o n\n'
    assert read(meters, data) == [
        ("a b", Decimal("1.00"), "on"), ("c", None, None), ("d", Decimal("2.00"), "off")
    ]  # fmt: skip
    assert [reasons for _, _, reasons in meters.quarantined()] == [
        ["state: 'o n' breaks state in ('on', 'off')"]
    ]


def test_without_the_setting_blanks_are_text(meters: Trial) -> None:
    assert read(meters, "meter,power,state\n a ,1,on\nb,2, on\n") == [(" a ", Decimal("1.00"), "on")]


def test_a_repeated_header_with_blanks(trial: Trial) -> None:
    trial.event_time = None
    trial.contract('class Pair(Contract):\n    "Texts."\n    a: str\n    b: str\n').settings("trim = true")
    trial.drop("a, b\n1, 2\na, b\n a,b\n", "a.csv")
    trial.run_well()
    assert trial.formatted("a, b") == [("1", "2")]
    assert len(trial.quarantined()) == 2


@pytest.mark.parametrize("sign", ["%", "€", "kWh", "$", "US $", "(net)"])
def test_a_sign_beside_a_number(meters: Trial, sign: str) -> None:
    meters.settings(f'[sources.sale.column.power]\nsign = "{sign}"')
    good = {f"12.5{sign}": "12.5", f"12.5 {sign} ": "12.5", f"{sign}3": "3", f"-{sign} 3": "-3", "7": "7"}
    bad = [f"{sign}5{sign}", f"5 {sign}{sign}", sign, f"5 {sign}x", "5 £", f"1{sign}2"]
    rows = [(text, Decimal(number)) for text, number in good.items()]
    lines = "".join(f'"{text}","{text}"\n' for text in [*good, *bad])
    assert [row[:2] for row in read(meters, f"meter,power\n{lines}")] == rows
    assert len(meters.quarantined()) == len(bad)
    records = [{"meter": text, "power": text} for text in [*good, *bad]] + [{"meter": "n", "power": 12.5}]
    meters.drop("".join(json.dumps(record) + "\n" for record in records), "b.jsonl")
    meters.run_well()
    assert len(meters.formatted("meter")) == 2 * len(good) + 1
    assert len(meters.quarantined()) == 2 * len(bad)


def test_a_sign_beside_a_decimal_comma_and_a_null(meters: Trial) -> None:
    meters.settings(
        'decimal_separator = ","\nnull = ["n/a"]\ndelimiter = ";"\n[sources.sale.column.power]\nsign = "€"'
    )
    assert read(meters, "meter;power\na;1,5 €\nb;n/a\nc;1.5 €\n") == [
        ("a", Decimal("1.50"), None), ("b", None, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("header_rows = 2\nheader = false", "sources.sale.header_rows: the settings say that there is no"),
        ("header_rows = 0", "sources.sale.header_rows: "),
        ('[sources.sale.column.power]\nsign = "-"', "sources.sale.column.power.sign: expected a text such"),
        ('[sources.sale.column.power]\nsign = " "', "sources.sale.column.power.sign: expected a text such"),
        ('[sources.sale.column.meter]\nsign = "%"', "[sources.sale.column.meter] sign"),
    ],
)
def test_shapes_that_can_not_be_meant(meters: Trial, section: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        meters.settings(section).open()
    assert problem in str(caught.value)
