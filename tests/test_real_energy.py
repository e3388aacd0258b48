"""Energy of buildings, read by settings alone, and held to facts that were computed without Backbone."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

from conftest import Trial

READING = """
    class Reading(Contract):
        "What a building used in an hour."
        building: str
        fuel: str
        read_at: datetime
        energy_kwh: Annotated[Decimal, Field(max_digits=10, decimal_places=4)]
    """


WEATHER = """
    class Weather(Contract):
        "The weather of an hour."
        ob_time: datetime
        air_temperature: float | None
    """


def test_weather_as_it_is_published(shared_data: Path, trial: Trial) -> None:
    """280 lines before the header, `NA` where nothing was measured, and a line `end data`."""
    (path,) = (shared_data / "building_energy" / "weather").glob("midas-*.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines[280:-1]))
    measured = [float(row["air_temperature"]) for row in rows if row["air_temperature"] != "NA"]
    trial.event_time = "ob_time"
    trial.contract(WEATHER).settings(
        f"""
        path = '{path}'
        skip_until = "ob_time,"
        footer = ["end data"]
        null = ["NA"]
        """
    )
    result = trial.run_well()
    assert trial.accounted() == (8409, 8409, 0, 0)
    assert trial.rows(
        "select count(*), count(*) - count(air_temperature), min(_line), max(_line) from formatted.sale"
    ) == [(8409, 5, 282, 8690)]
    assert sorted(trial.formatted("air_temperature", order="air_temperature nulls last")[:-5]) == sorted(
        measured
    )
    (receipt,) = [receipt for receipt in result.receipts if receipt.stage == "format"]
    assert receipt.notes[-1] == f"passed over in {path.name}: 1 footer, 280 lines before the header"
    assert (len(rows), len(measured)) == (8409, 8404)


def test_three_buildings_are_one_source(shared_data: Path, trial: Trial) -> None:
    folder = shared_data / "building_energy"
    expected = {}
    for path in sorted(folder.glob("b*/*/*.csv")):
        with path.open(newline="") as file:
            values = [Decimal(row[1]) for row in list(csv.reader(file))[1:]]
        expected[path.parts[-3], path.parts[-2]] = (len(values), sum(values))
    trial.event_time = "read_at"
    trial.contract(READING).settings(
        f"""
        path = '{folder}/b*/*/*.csv'
        from_path = '^(?P<building>b\\d+)/(?P<fuel>\\w+)/'
        columns = {{ read_at = "datetime", energy_kwh = ["equipment load [kWh]", "heating load [kWh]"] }}
        """
    )
    trial.run_well()
    found = trial.rows(
        "select building, fuel, count(*), sum(energy_kwh) from formatted.sale group by all order by all"
    )
    assert {(building, fuel): (rows, total) for building, fuel, rows, total in found} == expected
    assert len(found) == 6
    assert trial.accounted() == (52704, 52704, 0, 0)
