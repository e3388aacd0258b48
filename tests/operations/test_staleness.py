"""What a run computes again, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from projects import NOW, SHOP_DAY, STEPS, TinyProject, built, receipt_of, run_command

D1, D2, D3, D4, D5 = (f"2026-02-0{n}" for n in range(1, 6))
AMOUNTS = "select s.shop, sum(s.amount) as amount from formatted.sale as s group by s.shop"

CHAIN = """
pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel("later", "later.sql", grain=["shop"]),
        SqlModel("amount", "amount.sql", grain=["shop"], **AMOUNT),
        SqlModel("total", "total.sql", grain=["shop"], windowed=False),
    ],
    parameters={"factor": 1, "unused": 1},
)
"""


def at(day: str, hour: int = 10) -> str:
    return f"{day}T{hour:02}:00:00"


def chain(root: Path, amount: str = "{}", sql: str = AMOUNTS, settings: str = "") -> TinyProject:
    """sale → amount → later, and amount → total, which is one whole."""
    project = TinyProject(
        root,
        f"AMOUNT = dict({amount[1:-1]})\n" + CHAIN,
        {
            "amount.sql": sql,
            "later.sql": "select a.shop, a.amount * $factor as amount from exploitation.amount as a",
            "total.sql": "select a.shop, sum(a.amount) as amount "
            "from exploitation.amount as a group by a.shop",
        },
        settings,
    )
    project.sales("a.csv", (1, "x", 1, at(D1)), (2, "x", 2, at(D2)), (3, "y", 3, at(D3)), (4, "y", 4, at(D4)))
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert built(result, "amount") == [D1, D2, D3, D4]
    assert built(result, "later") == [D1, D2, D3, D4]
    return project


def test_late_data_restates_the_windows_it_touches_and_those_downstream(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)), (10, "z", 10, at(D5)))
    result = project.run()
    assert built(result, "amount") == [D2, D5]
    assert built(result, "later") == [D2, D5]
    total = receipt_of(result, "exploitation.total")
    assert total is not None
    assert total.windows == ()
    assert project.rows("select shop, amount from exploitation.total order by shop") == [
        ("x", 13), ("y", 7), ("z", 10),
    ]  # fmt: skip
    assert not project.run().receipts


def test_a_source_that_a_table_does_not_read_restates_nothing(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.visits("v.csv", ("x", 5, at(D2)))
    assert {r.dataset for r in project.run().receipts} == {"landing.batch", "formatted.visit"}


def test_the_windows_of_replaced_rows_are_restated_too(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("a.csv", (1, "x", 1, at(D1)), (2, "x", 2, at(D2)), (3, "y", 3, at(D5)))
    result = project.run()
    assert {D3, D4, D5} <= {*built(result, "amount")}
    assert project.rows("select window_start::date::text, amount from exploitation.amount order by 1") == [
        (D1, 1), (D2, 2), (D5, 3),
    ]  # fmt: skip


def test_a_row_that_loses_its_key_to_another_day_restates_both(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("b.csv", (2, "x", 7, at(D4)))
    assert built(project.run(), "amount") == [D2, D4]
    # And back: the delivery that won is replaced by one without the row.
    project.sales("b.csv", (20, "x", 7, at(D4)))
    assert built(project.run(), "amount") == [D2, D4]
    assert project.rows(
        "select window_start::date::text, sum(amount) from exploitation.amount group by 1 order by 1"
    ) == [(D1, 1), (D2, 2), (D3, 3), (D4, 11)]


def test_look_back_widens_what_late_data_restates(tmp_path: Path) -> None:
    project = chain(tmp_path, "{lookback=2}")
    assert project.rows("select window_start::date::text, amount from exploitation.amount where shop = 'x' "
                        "order by 1") == [(D1, 1), (D2, 3), (D3, 3), (D4, 2)]  # fmt: skip
    project.sales("late.csv", (9, "x", 10, at(D1)))
    assert built(project.run(), "amount") == [D1, D2, D3]
    assert project.rows("select window_start::date::text, amount from exploitation.amount where shop = 'x' "
                        "order by 1") == [(D1, 11), (D2, 13), (D3, 13), (D4, 2)]  # fmt: skip


def test_an_input_read_whole_restates_all(tmp_path: Path) -> None:
    project = chain(tmp_path, '{read_whole=["formatted.sale"]}')
    project.sales("late.csv", (9, "x", 10, at(D2)))
    assert built(project.run(), "amount") == [D1, D2, D3, D4]


@pytest.mark.parametrize(
    "same",
    [
        f"-- says more\n{AMOUNTS}",
        AMOUNTS.replace(" ", "\n  "),
        AMOUNTS.replace("select", "SELECT").replace(" as ", " AS "),
    ],
    ids=["comment", "whitespace", "case"],
)
def test_the_look_of_sql_is_not_its_code(same: str, tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.write(sql={"amount.sql": same})
    assert project.run().receipts == []


def test_changed_sql_restates_the_table_and_those_downstream(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.write(sql={"amount.sql": AMOUNTS.replace("sum(s.amount)", "sum(s.amount + 1)")})
    result = project.run()
    assert built(result, "amount") == built(result, "later") == [D1, D2, D3, D4]
    assert project.rows("select sum(amount) from exploitation.total") == [(14,)]


def test_a_column_more_is_stored(tmp_path: Path) -> None:
    project = chain(tmp_path)
    more = AMOUNTS.replace(" from", ", count(*) as sales from", 1)
    project.write(sql={"amount.sql": more})
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert built(result, "amount") == [D1, D2, D3, D4]
    assert project.rows("select sum(amount), sum(sales) from exploitation.amount") == [(10, 4)]
    project.sales("late.csv", (9, "x", 10, at(D2)))
    assert built(project.run(), "amount") == [D2]
    assert project.rows("select sum(amount), sum(sales) from exploitation.amount") == [(20, 5)]


def test_a_column_more_in_some_windows_only(tmp_path: Path) -> None:
    """The rows of the other windows have a null there until they are computed again."""
    project = chain(tmp_path)
    project.write(sql={"amount.sql": AMOUNTS.replace(" from", ", count(*) as sales from", 1)})
    day = datetime(2026, 2, 2, tzinfo=UTC)
    result = project.run(start=day, end=day.replace(day=3))
    assert result.ok, [str(e) for e in result.failures.values()]
    assert built(result, "amount") == [D2]
    listed = "select window_start::date::text, amount, sales from exploitation.amount order by 1"
    assert project.rows(listed) == [(D1, 1, None), (D2, 2, 1), (D3, 3, None), (D4, 4, None)]
    assert built(project.run(), "amount") == [D1, D3, D4]
    assert project.rows(listed) == [(D1, 1, 1), (D2, 2, 1), (D3, 3, 1), (D4, 4, 1)]


def test_a_type_that_changes(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.write(sql={"amount.sql": AMOUNTS.replace("sum(s.amount)", "cast(sum(s.amount) as varchar)"),
                       "later.sql": "select a.shop, a.amount from exploitation.amount as a",
                       "total.sql": "select a.shop, min(a.amount) as amount from exploitation.amount as a "
                                    "group by a.shop"})  # fmt: skip
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert project.rows("select amount from exploitation.amount order by 1") == [
        ("1",),
        ("2",),
        ("3",),
        ("4",),
    ]


def test_a_changed_parameter_restates_the_tables_that_name_it(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.write(settings="[pipelines.tiny]\nunused = 3\n")
    assert project.run().receipts == []
    project.write(settings="[pipelines.tiny]\nfactor = 3\n")
    result = project.run()
    assert built(result, "later") == [D1, D2, D3, D4]
    assert receipt_of(result, "exploitation.amount") is None
    assert project.rows("select sum(amount) from exploitation.later") == [(30,)]


def test_force_computes_again_what_is_not_stale(tmp_path: Path) -> None:
    project = chain(tmp_path)
    day = datetime(2026, 2, 2, tzinfo=UTC)
    result = project.run(force=True, start=day, end=day.replace(day=4))
    assert built(result, "amount") == built(result, "later") == [D2, D3]
    assert project.rows("select sum(amount) from exploitation.later") == [(10,)]


def test_a_range_restricts_and_adds_its_empty_windows(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)), (10, "z", 10, at("2026-02-07")))
    day = datetime(2026, 2, 4, tzinfo=UTC)
    chosen: dict[str, Any] = {"start": day, "end": day.replace(day=8)}
    days = [D5, "2026-02-06", "2026-02-07"]
    assert built(project.run(**chosen), "amount") == days
    assert project.run(**chosen).receipts == []  # an empty window counts as run
    assert built(project.run(), "amount") == [D2]
    assert project.run().receipts == []


def test_the_command_line_chooses_windows(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)), (10, "x", 10, at(D3)))
    status, _, errors = run_command(tmp_path, "run", "--window", D3)
    assert (status, errors) == (0, "")
    assert project.rows("select window_start::date::text, amount from exploitation.amount where shop = 'x' "
                        "order by 1") == [(D1, 1), (D2, 2), (D3, 10)]  # fmt: skip
    status, _, errors = run_command(tmp_path, "run", "--from", D1, "--to", D3)
    assert (status, errors) == (0, "")
    assert project.rows("select sum(amount) from exploitation.amount") == [(30,)]
    assert run_command(tmp_path, "run")[1].strip() == "Nothing is stale."
    status, _, errors = run_command(tmp_path, "run", "--from", D3, "--to", D1)
    assert status == 2
    assert D3 in errors


@pytest.mark.parametrize("every", ["hour", "week", "month"])
def test_a_changed_cadence_replaces_the_whole_history_in_one_commit(every: str, tmp_path: Path) -> None:
    project = chain(tmp_path)
    before = project.lake.version("exploitation.amount")
    project.write(settings=f'[pipelines.tiny]\nevery = "{every}"\n')
    day = datetime(2026, 2, 2, tzinfo=UTC)
    result = project.run(start=day, end=day.replace(day=3))  # a range can't keep half of the old history
    assert result.ok, [str(e) for e in result.failures.values()]
    assert project.lake.version("exploitation.amount") == before + 1
    starts = {
        "hour": [at(d) for d in (D1, D2, D3, D4)],
        "week": [at("2026-01-26", 0), at("2026-02-02", 0)],
        "month": [at(D1, 0)],
    }[every]
    found = project.rows(
        "select distinct strftime(window_start, '%Y-%m-%dT%H:%M:%S') from exploitation.amount order by 1"
    )
    assert [row[0] for row in found] == starts
    assert project.rows("select sum(amount) from exploitation.later") == [(10,)]
    assert project.run().receipts == []
    project.write(settings="")
    assert built(project.run(), "amount") == [D1, D2, D3, D4]
    assert project.rows("select sum(amount) from exploitation.later") == [(10,)]


def test_a_window_waits_until_it_has_closed(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("today.csv", (9, "x", 10, at("2026-02-28", 1)), (10, "x", 10, at("2026-03-01", 1)))
    assert built(project.run(), "amount") == ["2026-02-28"]
    assert built(project.run(now=NOW.replace(hour=23)), "amount") == []
    assert built(project.run(now=NOW.replace(day=2)), "amount") == ["2026-03-01"]


def test_events_before_1970_and_far_in_the_past(tmp_path: Path) -> None:
    project = chain(tmp_path)
    project.sales("old.csv", (9, "x", 10, at("1969-12-31", 23)), (10, "x", 10, at("1905-03-01", 1)))
    assert built(project.run(), "amount") == ["1905-03-01", "1969-12-31"]
    assert project.run().receipts == []


STEP = """
def tally(context):
    read = context.read("formatted.visit").read_all()
    rate = context.read("exploitation.rate").read_all()
    return pa.table({"shop": ["all"], "seconds": [read.num_rows * 1], "rate": rate["rate"].to_pylist()[:1]})


class Tally(Contract):
    '''Visits of a window.'''
    shop: str
    seconds: int
    rate: int


pipeline = Pipeline(
    "tiny",
    sources=SOURCES,
    steps=[
        SqlModel("rate", "rate.sql", grain=["rate"], windowed=False),
        Step("tally", tally, reads=["formatted.visit"], pins=["exploitation.rate"], grain=["shop"],
             schema=Tally),
    ],
)
"""


def test_what_a_step_uses_does_not_restate_it_and_its_code_does(tmp_path: Path) -> None:
    project = TinyProject(
        tmp_path, STEP, {"rate.sql": "select cast(count(*) as bigint) as rate from formatted.sale"}
    )
    project.sales("a.csv", (1, "x", 1, at(D1)))
    project.visits("a.csv", ("x", 1, at(D1)), ("x", 1, at(D2)))
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert built(result, "tally") == [D1, D2]
    project.sales("b.csv", (2, "x", 1, at(D1)))
    result = project.run()
    assert receipt_of(result, "exploitation.rate") is not None
    assert receipt_of(result, "exploitation.tally") is None
    project.visits("b.csv", ("x", 1, at(D2)))
    assert built(project.run(), "tally") == [D2]
    assert project.rows("select rate from exploitation.tally order by window_start") == [(1,), (2,)]
    project.write(STEP.replace("num_rows * 1", "num_rows * 2"))
    assert built(project.run(), "tally") == [D1, D2]
    assert project.rows("select seconds, rate from exploitation.tally order by window_start") == [
        (2, 2), (4, 2),
    ]  # fmt: skip


UNWINDOWED = """
pipeline = Pipeline(
    "tiny",
    sources=[Source("shop", Shop), *SOURCES],
    steps=[
        SqlModel("town", "town.sql", grain=["town"], windowed=False),
        SqlModel("town_day", "town_day.sql", grain=["town"]),
    ],
)
"""
TOWNS = {
    "town.sql": "select s.town, count(*) as shops from formatted.shop as s group by s.town",
    "town_day.sql": "select p.town, sum(s.amount) as amount from formatted.sale as s "
    "join formatted.shop as p on p.shop = s.shop group by p.town",
}


def test_an_unwindowed_source_restates_all_that_reads_it(tmp_path: Path) -> None:
    project = TinyProject(tmp_path, UNWINDOWED, TOWNS)
    project.drop("shop", "shops.csv", ["shop,town", "x,Riga", "y,Riga"])
    project.sales("a.csv", (1, "x", 1, at(D1)), (2, "y", 2, at(D2)), (3, "z", 4, at(D2)))
    result = project.run()
    assert built(result, "town_day") == [D1, D2]
    assert project.rows("select shops from exploitation.town") == [(2,)]
    project.drop("shop", "more.csv", ["shop,town", "z,Oslo"])
    result = project.run()
    assert built(result, "town_day") == [D1, D2]
    assert project.rows("select town, sum(amount) from exploitation.town_day group by 1 order by 1") == [
        ("Oslo", 4), ("Riga", 3),
    ]  # fmt: skip
    assert project.rows("select town, shops from exploitation.town order by 1") == [("Oslo", 1), ("Riga", 2)]
    project.sales("b.csv", (9, "x", 5, at(D1)))
    result = project.run()
    assert built(result, "town_day") == [D1]
    assert receipt_of(result, "exploitation.town") is None


@pytest.mark.parametrize("first", [True, False])
def test_a_table_that_gets_or_loses_its_windows(first: bool, tmp_path: Path) -> None:
    code = {True: CHAIN, False: CHAIN.replace("**AMOUNT", "windowed=False")}
    project = TinyProject(
        tmp_path,
        "AMOUNT = {}\n" + code[first],
        {
            "amount.sql": AMOUNTS,
            "later.sql": "select s.shop, $factor as n from formatted.sale as s group by s.shop",
            "total.sql": AMOUNTS,
        },
    )
    project.sales("a.csv", (1, "x", 1, at(D1)), (2, "x", 2, at(D2)))
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    project.write("AMOUNT = {}\n" + code[not first])
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    windowed = [("x", 1, datetime(2026, 2, 1, tzinfo=UTC)), ("x", 2, datetime(2026, 2, 2, tzinfo=UTC))]
    if first:
        assert project.rows("select * from exploitation.amount") == [("x", 3)]
    else:
        assert (
            project.rows("select shop, amount, window_start from exploitation.amount order by 2") == windowed
        )
    assert project.run().receipts == []


def test_an_event_time_that_is_renamed_keeps_its_windows(tmp_path: Path) -> None:
    """All of the table changes, and what had windows has them still."""
    project = TinyProject(tmp_path, STEPS, {"shop_day.sql": SHOP_DAY})
    project.sales("a.csv", (1, "x", 1, at(D1)))
    project.run()
    code = (tmp_path / f"{project.module}.py").read_text(encoding="utf-8").replace("sold_at", "bought_at")
    (tmp_path / f"{project.module}.py").write_text(code, encoding="utf-8")
    project.write(
        sql={"shop_day.sql": SHOP_DAY.replace("sold_at", "bought_at")},
        settings='[sources.sale]\ncolumns = { bought_at = "sold_at" }\n',
    )
    project.sales("b.csv", (2, "y", 2, at(D5)))
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert built(result, "shop_day") == [D1, D5]
