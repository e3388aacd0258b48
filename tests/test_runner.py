"""What a run does when a part of it fails, and what it refuses to start."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backbone import open_project, run
from backbone.errors import CheckFailed, PipelineError, StepFailed
from projects import TinyProject, finished, receipt_of

D1, D2 = "2026-02-01T10:00:00", "2026-02-02T10:00:00"

FAILING = """
class Row(Contract):
    '''A row.'''
    shop: str
    n: int


def broken(context):
    raise RuntimeError("no such luck")


def wrong_columns(context):
    return pa.table({"shop": ["x"], "m": [1]})


def wrong_values(context):
    return pa.table({"shop": ["x"], "n": ["many"]})


def nothing(context):
    return None


def fine(context):
    return pa.table({"shop": ["x"], "n": [1]})


pipeline = Pipeline(
    "tiny",
    sources=SOURCES,
    steps=[
        Step("bad", BAD, reads=["formatted.sale"], grain=["shop"], schema=Row),
        SqlModel("below", "below.sql", grain=["shop"]),
        SqlModel("further", "further.sql", grain=["shop"], windowed=False),
        Step("beside", fine, reads=["formatted.visit"], grain=["shop"], schema=Row),
    ],
)
"""
BELOW = {
    "below.sql": "select b.shop, b.n from exploitation.bad as b",
    "further.sql": "select b.shop, sum(b.n) as n from exploitation.below as b group by b.shop",
}


def _fed(project: TinyProject) -> TinyProject:
    project.sales("a.csv", (1, "x", 1, D1), (2, "y", 2, D2))
    project.visits("a.csv", ("x", 1, D1))
    return project


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("broken", "RuntimeError: no such luck"),
        ("wrong_columns", "expected the columns shop, n, found m, shop"),
        ("wrong_values", "many"),
        ("nothing", "None"),
    ],
)
def test_a_failing_step_stops_what_depends_on_it_and_nothing_else(
    function: str, expected: str, tmp_path: Path
) -> None:
    project = _fed(TinyProject(tmp_path, FAILING.replace("BAD", function), BELOW))
    result = project.run()
    assert not result.ok
    assert {*result.failures} == {"exploitation.bad"}
    assert isinstance(result.failures["exploitation.bad"], StepFailed)
    assert expected in str(result.failures["exploitation.bad"])
    assert {*result.stopped} == {"exploitation.below", "exploitation.further"}
    assert receipt_of(result, "exploitation.beside") is not None
    assert not project.lake.exists("exploitation.bad")
    assert not project.lake.exists("exploitation.below")
    project.write(FAILING.replace("BAD", "fine"))
    result = project.run()
    assert result.ok
    assert [r.dataset for r in result.receipts if r.dataset.startswith("exploitation.")][:3] == [
        "exploitation.bad", "exploitation.below", "exploitation.further",
    ]  # fmt: skip


def test_the_command_line_says_what_failed_and_what_was_not_run(tmp_path: Path) -> None:
    _fed(TinyProject(tmp_path, FAILING.replace("BAD", "broken"), BELOW))
    status, out, errors = finished(tmp_path, "run")
    assert status == 1
    assert "exploitation.beside" in out
    assert "StepFailed: exploitation.bad" in errors
    assert "no such luck" in errors
    assert "Not run: exploitation.below" in errors
    assert "Traceback" not in errors
    status, out, errors = finished(tmp_path, "run")
    assert status == 1
    assert "no such luck" in errors


ONE = """
pipeline = Pipeline(
    "tiny",
    sources=SOURCES,
    steps=[
        SqlModel("m", "m.sql", grain=["shop"], **MORE),
        SqlModel("beside", "beside.sql", grain=["shop"]),
    ],
)
"""
GOOD = "select 'a' as shop, sum(s.amount) as n from formatted.sale as s"
BESIDE = "select v.shop, count(*) as n from formatted.visit as v group by v.shop"


@pytest.mark.parametrize(
    ("sql", "more"),
    [
        ("select s.shop, s.nothing as n from formatted.sale as s", ""),
        ("select s.shop, cast(s.shop as bigint) as n from formatted.sale as s", ""),
        ("select s.shop, sum(s.amount) as n from formatted.sale as s", ""),
        ("select s.shop, s.amount * 4611686018427387904 * 8 as n from formatted.sale as s", ""),
        (GOOD, 'conserves={"no": "count(*) from formatted.sale"}'),
        (GOOD, 'conserves={"n": "sum(no) from formatted.sale"}'),
        (GOOD, 'measures={"no": "sum(no) from formatted.sale"}'),
        (GOOD, 'checks=[NotNull("no")]'),
        ("select sum(s.amount) as n from formatted.sale as s", ""),
    ],
    ids=["unknown column", "bad cast", "not grouped", "overflow", "conserves: unknown column",
         "conserves: unknown source column", "measures: unknown column", "check: unknown column",
         "grain: unknown column"],
)  # fmt: skip
def test_sql_that_fails_only_when_it_runs_stops_nothing_else(sql: str, more: str, tmp_path: Path) -> None:
    project = _fed(TinyProject(tmp_path, f"MORE = dict({more})\n{ONE}", {"m.sql": sql, "beside.sql": BESIDE}))
    result = project.run()
    assert {*result.failures} == {"exploitation.m"}
    assert result.failures["exploitation.m"].where.startswith("exploitation.m")
    assert receipt_of(result, "exploitation.beside") is not None


FANNING = """
pipeline = Pipeline(
    "tiny",
    sources=SOURCES,
    steps=[
        SqlModel("m", "m.sql", grain=["shop"], **MORE),
        SqlModel("below", "below.sql", grain=["shop"]),
    ],
)
"""
PLAIN = (
    "select s.shop, sum(s.amount) as amount, count(*) as sales, max(s.amount) as most "
    "from formatted.sale as s group by s.shop"
)


def _checked(root: Path, sql: str, more: str) -> tuple[TinyProject, dict[str, Any]]:
    """Publish a good version first, then one with the fault, over the same and further data."""
    project = TinyProject(
        root,
        f"MORE = dict({more})\n{FANNING}",
        {"m.sql": PLAIN, "below.sql": "select m.shop, m.amount from exploitation.m as m"},
    )
    for day in range(1, 11):
        at = f"2026-01-{day:02}T10:00:00"
        project.sales(f"{day}.csv", (3 * day, "x", 5 + day % 2, at), (3 * day + 1, "y", 5, at))
    project.visits("a.csv", ("x", 1, "2026-01-01T10:00:00"))
    assert project.run().ok
    before = {name: project.lake.version(name) for name in ("exploitation.m", "exploitation.below")}
    if sql:
        project.write(sql={"m.sql": sql})
    return project, before


# As the query of a known pipeline does it: the rows of two tables are joined before they are summed.
FAN_OUT = """
select s.shop, sum(s.amount) as amount, count(*) as sales, max(s.amount) as most
from formatted.sale as s
join formatted.visit as v on v.shop = s.shop
group by s.shop
"""
UNGROUPED = """
select s.shop, s.amount as amount, 1 as sales, s.amount as most
from formatted.sale as s
left join formatted.visit as v on v.shop = s.shop
"""


@pytest.mark.parametrize(
    ("more", "sql", "expected"),
    [
        ('conserves={"amount": "sum(amount) from formatted.sale"}', FAN_OUT,
         "`amount` is not conserved in 2026-01-01"),
        ("", UNGROUPED, "has 2; a join that fans out does this"),
        ("", PLAIN.replace("s.shop,", "nullif(s.shop, 'y') as shop,", 1), "10 rows have a null in the grain"),
        ('checks=[NotNull("most")]', PLAIN.replace("max(s.amount)", "max(nullif(s.amount, 5))"),
         "`most` is null"),
        ('checks=[InRange("most", least=0, greatest=6)]', PLAIN.replace("max(s.amount)", "max(s.amount) + 1"),
         "`most` is above 6 (such as 7)"),
        ('checks=[InRange("most", least=0, greatest=6)]', PLAIN.replace("max(s.amount)", "max(s.amount) - 6"),
         "`most` is below 0 (such as -1)"),
        ('checks=[AcceptedValues("most", [5, 6])]', PLAIN.replace("max(s.amount)", "max(s.amount) + 1"),
         "`most` is none of 5, 6 (such as 7)"),
        ('checks=[Unique(["shop", "sales"])]', UNGROUPED, "`shop, sales` is not unique"),
        ('checks=[RowCount(2, 2)]', f"{PLAIN} having count(*) > 1",
         "expected from 2 to 2 rows, found 0 in 2026-01-02"),
        ('checks=[RowCount(0, 2)]', UNGROUPED, "expected from 0 to 2 rows, found 5 in 2026-01-01"),
        ('conserves={"*": "count(*) from formatted.sale"}', PLAIN + " having min(s.shop) = 'x'",
         "the rows are not conserved in 2026-01-01"),
    ],
)  # fmt: skip
def test_a_failed_check_publishes_nothing_and_says_what_it_found(
    more: str, sql: str, expected: str, tmp_path: Path
) -> None:
    project, before = _checked(tmp_path, sql, more)
    project.sales("late.csv", (900, "x", 5, "2026-01-01T09:00:00"), (901, "y", 5, "2026-01-01T09:00:00"),
                  (902, "x", 5, "2026-01-01T09:00:00"))  # fmt: skip
    rows = project.rows("select * from exploitation.m order by all")
    result = project.run()
    failure = result.failures["exploitation.m"]
    assert isinstance(failure, CheckFailed)
    assert expected in str(failure)
    assert "Nothing of it is published" in failure.state
    assert {*result.stopped} == {"exploitation.below"}
    assert {name: project.lake.version(name) for name in before} == before
    assert project.rows("select * from exploitation.m order by all") == rows
    project.write(sql={"m.sql": PLAIN})
    assert project.run().ok or '"*"' in more  # which the late rows break by themselves


@pytest.mark.parametrize(
    ("statistic", "rows", "expected"),
    [
        ("mean", [(300, "x", 500), (301, "y", 500)], "the mean of `amount` is 500 in 2026-01-11"),
        ("stddev", [(300, "x", 0), (301, "y", 900)], "the stddev of `amount` is 450 in 2026-01-11"),
        ("rows", [(300 + n, f"s{n}", 5) for n in range(40)], "the number of rows is 40 in 2026-01-11"),
        ("rows", [], "the number of rows is 0 in 2026-01-11"),
    ],
)
def test_a_window_unlike_the_recent_ones_is_not_published(
    statistic: str, rows: list[tuple[int, str, int]], expected: str, tmp_path: Path
) -> None:
    column = "" if statistic == "rows" else '"amount", '
    project, before = _checked(
        tmp_path, "", f"checks=[NearRecent({column}statistic={statistic!r}, floor=0.3, tolerance=3.0)]"
    )
    project.sales("new.csv", *((*row, "2026-01-11T10:00:00") for row in rows))
    if not rows:
        project.visits("new.csv", ("x", 1, "2026-01-11T10:00:00"))
    day = datetime(2026, 1, 11, tzinfo=UTC)
    result = project.run(start=day, end=day.replace(day=12))
    assert expected in str(result.failures["exploitation.m"])
    assert project.lake.version("exploitation.m") == before["exploitation.m"]


@pytest.mark.parametrize(
    ("code", "sql", "expected"),
    [
        ("", {"m.sql": "select * from exploitation.below", "below.sql": "select * from exploitation.m"}, "→"),
        ("", {"m.sql": "select s.shop\nfrom formatted.sole as s"}, "formatted.sole"),
        ("", {"m.sql": "select s.shop, 1 as n\nfrom formatted.sale as s\n  asof join formatted.visit as v "
                       "on v.shop = s.shop"}, "m.sql"),
        ("", {"m.sql": "select s.shop from from formatted.sale as s"}, "m.sql"),
        ('conserves={"amount": "sum(amount) from formatted.visit"}', {}, "formatted.visit"),
    ],
    ids=["cycle", "unknown table", "unportable", "syntax", "conserves of what is not read"],
)  # fmt: skip
def test_what_can_not_run_is_refused_when_it_is_loaded(
    code: str, sql: dict[str, str], expected: str, tmp_path: Path
) -> None:
    good = {"m.sql": PLAIN, "below.sql": "select m.shop, m.amount from exploitation.m as m"}
    project = _fed(TinyProject(tmp_path, f"MORE = dict({code})\n{FANNING}", good | sql))
    with pytest.raises(PipelineError) as raised:
        project.open()
    assert expected in str(raised.value)
    status, out, errors = finished(tmp_path, "run")
    assert (status, out) == (2, "")
    assert expected in errors
    assert "Traceback" not in errors
    assert project.lake.datasets() == []


def test_unportable_sql_is_refused_with_its_place(tmp_path: Path) -> None:
    text = (
        "select s.shop, 1 as n\nfrom formatted.sale as s\n  asof join formatted.visit as v on v.shop = s.shop"
    )
    project = TinyProject(tmp_path, f"MORE = dict()\n{FANNING}", {"m.sql": text, "below.sql": PLAIN})
    with pytest.raises(PipelineError, match=r"m\.sql, line 3, column \d+") as raised:
        project.open()
    assert "asof" in str(raised.value).lower()


def test_a_new_project_without_data_has_its_tables(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert {"formatted.sale", "formatted.visit", "exploitation.shop_day"} <= {*project.lake.datasets()}
    assert project.rows("select count(*) from exploitation.shop_day") == [(0,)]
    assert project.run().receipts == []


def test_only_the_named_pipelines_run_and_others_names_are_refused(tmp_path: Path) -> None:
    project = _fed(TinyProject(tmp_path))
    with pytest.raises(PipelineError, match="no pipeline or table of this name; its pipelines are tiny"):
        project.run(["tidy"])
    assert project.run(["tiny"]).ok
    assert finished(tmp_path, "run", "tidy")[0] == 2


def test_a_table_of_another_pipeline_can_be_read(tmp_path: Path) -> None:
    """In whatever order the two are listed, and with the windows of the sources above it."""
    project = _fed(TinyProject(tmp_path))
    (tmp_path / "second_tiny.py").write_text(
        "from backbone.exploitation.model import SqlModel\nfrom backbone.pipeline import Pipeline\n"
        'pipeline = Pipeline("second", sources=[], steps=[SqlModel("copy", "copy.sql", grain=["shop"])])\n'
    )
    (tmp_path / "copy.sql").write_text("select d.shop, d.amount from exploitation.shop_day as d")
    (tmp_path / "backbone.toml").write_text(f'[project]\npipelines = ["second_tiny", "{project.module}"]\n')
    result = project.run()
    assert result.ok, [str(e) for e in result.failures.values()]
    assert project.rows("select sum(amount) from exploitation.copy") == [(3,)]


def test_a_table_none_of_whose_inputs_has_windows_has_none(tmp_path: Path) -> None:
    (tmp_path / "shops.py").write_text(
        "from backbone import Contract, Pipeline, Source, SqlModel\n"
        "class Shop(Contract):\n"
        "    shop: str\n"
        "pipeline = Pipeline('shops', sources=[Source('shop', Shop)], steps=["
        "SqlModel('one', 'one.sql', grain=['shop']), SqlModel('two', 'two.sql', grain=['shop'])])\n"
    )
    (tmp_path / "one.sql").write_text("select shop from formatted.shop")
    (tmp_path / "two.sql").write_text("select shop from exploitation.one")
    (tmp_path / "backbone.toml").write_text('[project]\npipelines = ["shops"]\n')
    dropped = tmp_path / "landing" / "temporal" / "shop" / "shops.csv"
    dropped.parent.mkdir(parents=True)
    dropped.write_text("shop\nnorth\nsouth\n")
    os.utime(dropped, (1, 1))
    result = run(open_project(tmp_path))
    assert result.ok
    assert {r.dataset: (r.every, r.rows_written) for r in result.receipts if r.stage == "build"} == {
        "exploitation.one": (None, 2),
        "exploitation.two": (None, 2),
    }


def test_an_argument_that_has_been_renamed_is_named(tmp_path: Path) -> None:
    steps = 'steps=[SqlModel("a", "a.sql", grain=[], together=True)]'
    (tmp_path / "older.py").write_text(
        f"from backbone import Pipeline, SqlModel\npipeline = Pipeline('older', sources=[], {steps})\n"
    )
    (tmp_path / "backbone.toml").write_text('[project]\npipelines = ["older"]\n')
    with pytest.raises(PipelineError, match="`together` is called `all_windows_at_once`"):
        open_project(tmp_path)
