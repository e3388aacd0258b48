"""A run says when a look-back reads windows that were never computed, and how to compute them."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects import TinyProject, built, finished

STEPS = """
pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel("amount", "amount.sql", grain=["shop"]),
        SqlModel("recent", "recent.sql", grain=["shop"], lookback=LOOKBACK),
        SqlModel("sold", "sold.sql", grain=["shop"], lookback=2),
    ],
)
"""
SQL = {
    "amount.sql": "select s.shop, sum(s.amount) as amount from formatted.sale as s group by s.shop",
    "recent.sql": "select a.shop, sum(a.amount) as amount from exploitation.amount as a "
    "where a.window_start < $window_end group by a.shop",
    "sold.sql": "select s.shop, count(*) as sales from formatted.sale as s group by s.shop",
}
# There is no sale on the third day.
SALES = [(day, "x", 10**day, f"2026-02-0{day}T10:00:00") for day in (1, 2, 4, 5)]
RECENT = "select amount from exploitation.recent where window_start = '2026-02-05'"


def project(root: Path, lookback: int) -> TinyProject:
    made = TinyProject(root, f"LOOKBACK = {lookback}\n{STEPS}", SQL)
    made.sales("a.csv", *SALES)
    return made


def notes(tiny: TinyProject, table: str) -> tuple[str, ...]:
    receipt = tiny.lake.last_receipt(f"exploitation.{table}")
    assert receipt is not None
    return receipt.notes


@pytest.mark.parametrize(
    ("lookback", "windows", "first"), [(1, "1 window", 4), (3, "2 windows", 2), (9, "3 windows", 1)]
)
def test_a_single_window_names_the_command_that_computes_its_look_back(
    tmp_path: Path, lookback: int, windows: str, first: int
) -> None:
    tiny = project(tmp_path, lookback)
    status, _, errors = finished(tmp_path, "run", "--window", "2026-02-05")
    assert status == 0
    command = "run tiny --to 2026-02-06T00"
    note = (
        f"its look-back holds {windows} of exploitation.amount with events that were never computed and "
        f"count as empty, from 2026-02-0{first} on; next: backbone {command}"
    )
    assert errors == f"Note: exploitation.recent: {note}\n"
    assert notes(tiny, "recent") == (note,)
    assert notes(tiny, "sold") == (), "a source is read as it landed"
    assert tiny.rows(RECENT) == [(10**5,)]

    status, _, errors = finished(tmp_path, *command.split())
    assert (status, errors) == (0, "")
    assert notes(tiny, "recent") == ()
    assert tiny.rows(RECENT) == [(sum(10**day for day in (1, 2, 4, 5) if day >= 5 - lookback),)]


def test_nothing_is_said_where_the_look_back_is_complete(tmp_path: Path) -> None:
    tiny = project(tmp_path, 9)
    first = tiny.run()
    assert built(first, "recent") == [f"2026-02-0{day}" for day in (1, 2, 4, 5)]
    tiny.sales("late.csv", (3, "x", 1_000, "2026-02-03T10:00:00"))
    again = tiny.run(force=True)
    assert [receipt.notes for receipt in [*first.receipts, *again.receipts] if receipt.notes] == []


def test_nothing_is_said_without_a_look_back(tmp_path: Path) -> None:
    project(tmp_path, 0)
    assert finished(tmp_path, "run", "--window", "2026-02-05")[::2] == (0, "")
