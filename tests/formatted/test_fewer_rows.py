"""A changed contract or setting that takes rows out of a table is not silent."""

from __future__ import annotations

from datetime import date

import pytest

from conftest import GOOD, HEADER, KEYED_SALE, SALE, Trial

DAY = """
class Visit(Contract):
    'A visit on a day.'
    id: int
    day: date
"""


@pytest.fixture
def visits(trial: Trial) -> Trial:
    trial.event_time = None
    return trial.contract(DAY).settings('date_format = "%d/%m/%Y"')


def warnings(trial: Trial) -> list[str]:
    """What a run warns of; the receipt and `status` have the same."""
    ended = trial.command("run")
    assert ended.status == 0
    head = f"Warning: formatted.{trial.source}: "
    found = [line.removeprefix(head) for line in ended.errors.splitlines() if line.startswith(head)]
    receipt = trial.open().lake.last_receipt(f"formatted.{trial.source}")
    assert receipt is not None
    assert list(receipt.warnings) == found
    shown = trial.command("status").output
    assert all(f"{head}{text}" in shown for text in found)
    return found


def test_rows_that_go_to_quarantine_are_counted_by_file(visits: Trial) -> None:
    visits.drop("id,day\n1,03/04/2026\n2,31/01/2026\n3,31/12/2026\n4,never\n", "a.csv")
    visits.drop("id,day\n5,01/02/2026\n", "b.csv")
    visits.drop("id,day\n6,13/02/2026\n", "c.csv")
    assert warnings(visits) == []
    visits.settings('date_format = "%m/%d/%Y"')
    assert warnings(visits) == [
        "formatted again under the present contract and settings, 3 rows that the table had are now in "
        "quarantine (a.csv 2, c.csv 1), and the table is published without them: backbone quarantine sale"
    ]
    assert visits.formatted("id, day")[0] == (1, date(2026, 3, 4))
    assert visits.accounted() == (6, 2, 4, 0)
    visits.drop("id,day\n7,13/02/2026\n", "d.csv")
    assert warnings(visits) == [], "it never was in the table"
    visits.settings('date_format = "%d/%m/%Y"')
    assert warnings(visits) == [], "rows come back"
    assert visits.accounted() == (7, 6, 1, 0)


def test_a_rule_of_the_contract_takes_rows_out(trial: Trial) -> None:
    trial.drop(GOOD)
    trial.run_well()
    trial.contract(SALE.replace("ge=0", "ge=3"))
    (text,) = warnings(trial)
    assert "2 rows that the table had are now in quarantine (sales.csv 2)" in text


def test_rows_that_are_not_read_any_more_are_counted(trial: Trial) -> None:
    trial.drop(GOOD.removeprefix(HEADER), "a.csv")
    trial.settings("header = false").run_well()
    assert trial.formatted() == [1, 2, 3]
    trial.settings("header = false\nskip = 1")
    (text,) = warnings(trial)
    assert "1 row that the table had is gone (a.csv 1): 0 to quarantine, and the others" in text
    assert text.endswith(", and the table is published without it: backbone quarantine sale")


def test_duplicates_are_no_loss(trial: Trial) -> None:
    trial.drop(GOOD, "a.csv")
    trial.drop(GOOD.replace("2.50", "9"), "b.csv")
    trial.run_well()
    trial.contract(KEYED_SALE)
    assert warnings(trial) == []
    assert trial.accounted() == (6, 3, 0, 3)
    trial.contract(KEYED_SALE.replace("ge=0", "ge=3"))
    (text,) = warnings(trial)
    assert "2 rows that the table had are now in quarantine (a.csv 2)" in text


def test_many_files_are_not_all_named(visits: Trial) -> None:
    for number in range(7):
        visits.drop(f"id,day\n{number},31/01/2026\n", f"{number}.csv")
    visits.run_well()
    visits.settings('date_format = "%m/%d/%Y"')
    (text,) = warnings(visits)
    assert "7 rows that the table had are now in quarantine (0.csv 1, 1.csv 1, 2.csv 1, 3.csv 1" in text
    assert "4.csv 1 and 2 more files)" in text


def test_a_new_version_with_fewer_rows_is_what_was_delivered(trial: Trial) -> None:
    trial.drop(GOOD, "a.csv")
    trial.run_well()
    trial.drop(HEADER, "a.csv", age_s=30)
    assert warnings(trial) == []
