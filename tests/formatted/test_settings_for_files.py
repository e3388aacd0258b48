"""Files of one source that are written in other ways: read under the settings of their section."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backbone.errors import SettingsError
from conftest import Trial

READING = """
    class Reading(Contract):
        "A reading of a device."
        device: str
        read_at: datetime
        kwh: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None
    """
SECTIONS = r"""
    from_path = '^\d+/(?P<device>[a-z]+)'
    null = ["-"]

    [[sources.sale.when]]
    path = "2019/*"
    columns = { read_at = "Time", kwh = "Energy" }
    delimiter = ";"
    decimal_separator = ","
    datetime_format = "%d.%m.%Y %H:%M"
    encoding = "windows-1252"

    [[sources.sale.when]]
    path = "2020/*"
    header = false
    skip = 1
    timezone = "Europe/Lisbon"

    [[sources.sale.when]]
    path = "2021/*"
    column = { read_at = { epoch = "seconds" }, kwh = { null = ["n/a"] } }

    [[sources.sale.when]]
    path = "2022/*.log"
    format = "jsonl"
    """

Reading = tuple[datetime, Decimal | None]


def of_2019(rows: list[Reading]) -> bytes:
    lines = [
        f"{at:%d.%m.%Y %H:%M};{'-' if kwh is None else str(kwh).replace('.', ',')};é" for at, kwh in rows
    ]
    return "\r\n".join(["Time;Energy;Place", *lines]).encode("windows-1252")


def of_2020(rows: list[Reading]) -> bytes:
    # In January and February, Lisbon's time is UTC.
    lines = [f"{at:%Y-%m-%d %H:%M:%S},{'-' if kwh is None else kwh}" for at, kwh in rows]
    return "\n".join(["from the pump", *lines]).encode()


def of_2021(rows: list[Reading]) -> bytes:
    lines = [f"{'n/a' if kwh is None else kwh},{at.timestamp():.0f}" for at, kwh in rows]
    return "\n".join(["kwh,read_at", *lines]).encode()


def of_2022(rows: list[Reading]) -> bytes:
    records = [{"read_at": at.isoformat(), "kwh": "-" if kwh is None else str(kwh)} for at, kwh in rows]
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def of_others(rows: list[Reading]) -> bytes:
    lines = [f"{at.isoformat()},{'-' if kwh is None else kwh}" for at, kwh in rows]
    return "\n".join(["read_at,kwh", *lines]).encode()


LAYOUTS: dict[str, Callable[[list[Reading]], bytes]] = {
    "2018/{}.csv": of_others,
    "2019/{}.csv": of_2019,
    "2020/{}.csv": of_2020,
    "2021/{}.csv": of_2021,
    "2022/{}.log": of_2022,
}


@pytest.fixture
def devices(trial: Trial) -> Trial:
    trial.event_time = "read_at"
    return trial.contract(READING)


@pytest.mark.parametrize("together", [True, False])
def test_five_years_of_devices_are_one_source(devices: Trial, together: bool) -> None:
    devices.settings(SECTIONS)
    dice, expected = random.Random(15), []
    for pattern, written in LAYOUTS.items():
        for device in ("pump", "fan", "oven")[: 3 if together else 1]:
            start = datetime(int(pattern[:4]), 1, 1, tzinfo=UTC)
            rows: list[Reading] = [
                (start + timedelta(hours=n), None if n % 7 == 3 else Decimal(dice.randint(0, 99999)) / 100)
                for n in range(30)
            ]
            devices.drop(written(rows), pattern.format(device))
            expected += [(device, *row) for row in rows]
            if not together:
                devices.run_well()
    devices.run_well()
    assert devices.quarantined() == []
    found = devices.formatted("device, read_at, kwh", order="device, read_at")
    assert found == sorted(expected, key=lambda row: row[:2])
    assert devices.accounted() == (len(expected), len(expected), 0, 0)


def test_the_first_section_that_matches_counts(devices: Trial) -> None:
    devices.settings("""
        delimiter = ";"
        [[sources.sale.when]]
        path = "a*"
        delimiter = "|"
        [[sources.sale.when]]
        path = "*"
        delimiter = ","
        """)
    devices.drop("device|read_at|kwh\nx|2026-01-01|1\n", "a/b.csv")
    devices.drop("device,read_at,kwh\ny,2026-01-01,1\n", "b/a.csv")
    devices.run_well()
    assert devices.formatted("device") == ["x", "y"]


def test_one_form_of_times_takes_the_place_of_another(devices: Trial) -> None:
    devices.settings("""
        datetime_format = "%d/%m/%Y"
        [[sources.sale.when]]
        path = "a*"
        epoch = "seconds"
        [[sources.sale.when]]
        path = "b*"
        column = { read_at = { epoch = "milliseconds" } }
        """)
    for name, time in (("a.csv", "1767571200"), ("b.csv", "1767571200000"), ("c.csv", "05/01/2026")):
        devices.drop(f"device,read_at,kwh\n{name[0]},{time},1\n", name)
    devices.run_well()
    day = datetime(2026, 1, 5, tzinfo=UTC)
    assert devices.formatted("device, read_at") == [("a", day), ("b", day), ("c", day)]


def test_a_changed_section_formats_the_files_again(devices: Trial) -> None:
    devices.settings('[[sources.sale.when]]\npath = "a*"\ndelimiter = ";"')
    devices.drop("device|read_at|kwh\nx|2026-01-01|1\n", "a.csv")
    assert not devices.run().ok
    devices.settings('[[sources.sale.when]]\npath = "a*"\ndelimiter = "|"').run_well()
    assert devices.formatted("device") == ["x"]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ('delimiter = ";"', "when: 1, path: expected the pattern of some files"),
        ('path = "a*"', "when: 1, path: expected a setting beside it"),
        ('path = "a*"\nrefetch = 1', "when: 1, refetch: expected a setting of how files are written"),
        ('path = "a*"\ndelimitter = ";"', "when: 1, delimitter: expected a setting of how files"),
        ('path = "a*"\ndelimiter = "ab"', "when: 1, delimiter: String should have at most 1"),
        ('path = "a*"\nquote = ","', "when: 1, quote: ',' is a usual delimiter"),
        ('path = "a*"\ncolumns = { kwhh = "x" }', "the contract has no field 'kwhh'"),
        ('path = "a*"\nfrom_path = "(?P<devise>.)"', "the contract has no field 'devise'"),
        ('path = "a*"\ncolumn = { kwh = { nil = [] } }', "when: 1, column.kwh.nil: "),
    ],
)
def test_sections_that_can_not_be_meant(devices: Trial, section: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        devices.settings(f"[[sources.sale.when]]\n{section}").open()
    assert problem in str(caught.value)
