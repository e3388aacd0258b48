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
