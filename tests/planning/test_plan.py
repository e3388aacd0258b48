"""A plan says what a run then does, and why; its tasks can be done one by one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backbone.commands.show_plan import show_plan
from backbone.dataset import Receipt
from backbone.errors import BackboneError, PipelineError, SettingsError
from backbone.lake.barrier import Barrier
from backbone.lake.checkpoint import write_checkpoint
from backbone.lake.log import LOG, commit_name
from backbone.ledger.index import Index
from backbone.overview import overview
from backbone.perform import execute
from backbone.planning.plan import plan
from backbone.planning.task import Plan
from conftest import Trial
from projects import NOW, TinyProject, contents, finished

D1, D2, D3, D4, D5 = (f"2026-02-0{n}" for n in range(1, 6))
LANDED = ("formatted.sale", "formatted.visit")

CHAIN = """
def add(context):
    new = context.read("exploitation.amount", ["window_start", "amount"]).read_all().to_pylist()
    total = 0 if context.previous is None else max(r["total"] for r in context.previous.table().to_pylist())
    rows = []
    for day in sorted({row["window_start"] for row in new}):
        total += sum(row["amount"] for row in new if row["window_start"] == day)
        rows.append({"window_start": day, "total": total})
    return pa.Table.from_pylist(rows, pa.schema(
        [("window_start", pa.timestamp("us", "UTC")), ("total", pa.int64())]))


def both(context):
    rows = context.read("exploitation.amount", ["shop", "amount"]).read_all().to_pylist()
    return {
        "least": pa.table({"n": pa.array([min((r["amount"] for r in rows), default=0)], pa.int64())}),
        "most": pa.table({"n": pa.array([max((r["amount"] for r in rows), default=0)], pa.int64())}),
    }


def shared(name):
    return Step(name, both, reads=["exploitation.amount"], grain=[], one_fit=True)


pipeline = Pipeline(
    "tiny",
    every="day",
    sources=SOURCES,
    steps=[
        SqlModel("amount", "amount.sql", grain=["shop"]),
        SqlModel("recent", "recent.sql", grain=["shop"], lookback=2),
        SqlModel("beside", "beside.sql", grain=["shop"], read_whole=["exploitation.whole"]),
        SqlModel("whole", "whole.sql", grain=["n"], windowed=False),
        Step("running", add, reads=["exploitation.amount"], grain=[], previous=True),
        shared("least"),
        shared("most"),
    ],
    parameters={"factor": 1},
)
"""
AMOUNT = "select s.shop, sum(s.amount) as amount from formatted.sale as s group by s.shop"
SQL = {
    "amount.sql": AMOUNT,
    "recent.sql": "select a.shop, sum(a.amount) * $factor as amount from exploitation.amount as a "
    "where a.window_start < $window_end group by a.shop",
    "beside.sql": "select v.shop, count(*) + max(w.n) as n from formatted.visit as v, "
    "exploitation.whole as w group by v.shop",
    "whole.sql": "select cast(count(*) as bigint) as n from formatted.visit as v",
}
Done = list[tuple[str, list[tuple[int, int]], dict[str, int]]]


def at(day: str, hour: int = 10) -> str:
    return f"{day}T{hour:02}:00:00"


def chain(root: Path, settings: str = "") -> TinyProject:
    project = TinyProject(root, CHAIN, SQL, settings)
    project.sales("a.csv", (1, "x", 1, at(D1)), (2, "x", 2, at(D2)), (3, "y", 3, at(D3)))
    project.visits("a.csv", ("x", 5, at(D2)))
    return project


def ready(root: Path) -> TinyProject:
    """The same, computed."""
    project = chain(root)
    result = project.run()
    assert result.ok, [str(error) for error in result.failures.values()]
    return project


def planned(project: TinyProject, names: Sequence[str] = (), **options: Any) -> Plan:
    before = project.versions()
    made = plan(project.open(), names, **{"now": NOW} | options)
    assert project.versions() == before, "a plan changes nothing"
    assert not list((project.root / ".backbone" / "scratch").glob("*"))
    return made


def why(made: Plan) -> dict[str, list[str]]:
    """By table, the reasons of those that are to be computed."""
    return {
        part.dataset.removeprefix("exploitation."): [str(reason) for reason in part.why]
        for task in made.tasks
        for part in task.parts
        if part.why
    }


def tasks_of(made: Plan) -> Done:
    return [
        (part.dataset, [window.hours for window in part.windows], dict(task.inputs))
        for task in made.tasks
        for part in task.parts
    ]


def done_by(receipts: Sequence[Receipt]) -> Done:
    return [(r.dataset, list(r.windows), dict(r.inputs)) for r in receipts]


@pytest.mark.parametrize("seed", range(4))
def test_a_run_does_what_was_planned(seed: int, tmp_path: Path) -> None:
    """Random histories: files late, delivered again and replaced; code and parameters that change."""
    chance = random.Random(seed)
    project = chain(tmp_path)
    days = [f"2026-02-{day:02}" for day in range(1, 9)]
    numbers = iter(range(100, 10_000))
    for turn in range(6):
        for _ in range(chance.randrange(3)):
            rows = [
                (next(numbers), chance.choice("xyz"), chance.randrange(9), at(day))
                for day in chance.sample(days, 2)
            ]
            project.sales(f"{chance.choice('abc')}.csv", *rows)
        if chance.random() < 0.3:
            project.visits("v.csv", ("x", turn, at(chance.choice(days))))
        if chance.random() < 0.3:
            project.write(settings=f"[pipelines.tiny]\nfactor = {chance.randrange(3)}\n")
        if chance.random() < 0.3:
            project.write(sql={"amount.sql": AMOUNT.replace("(s.amount)", f"(s.amount + {turn})")})
        assert project.run(LANDED).ok
        options: dict[str, Any] = {"force": chance.random() < 0.2}
        if chance.random() < 0.4:
            first = datetime(2026, 2, chance.randrange(1, 8), tzinfo=UTC)
            options |= {"start": first, "end": first.replace(day=first.day + chance.randrange(1, 4))}
        made = planned(project, **options)
        assert made.is_certain
        result = project.run(**options)
        assert tasks_of(made) == done_by(result.receipts)
        assert {*made.refused} == {*result.failures}
        assert made.stopped == result.stopped
    assert planned(project).is_certain
    assert project.run().ok
    assert planned(project) == Plan()


def test_tasks_done_one_by_one_give_what_a_run_gives(tmp_path: Path) -> None:
    expected, project = ready(tmp_path / "run"), chain(tmp_path / "tasks")
    opened = project.open()
    for _ in range(3):  # landing, then formatting, then the tables become known
        made = planned(project)
        for task in made.tasks:
            if not task.awaits:
                receipts = execute(opened, task)
                assert [r.dataset for r in receipts] == list(task.datasets)
    assert contents(project.root) == contents(expected.root)
    assert planned(project) == Plan()
    assert project.run().receipts == []
    assert {row[0] for row in project.rows("select status from operations.run")} == {"done"}


def test_what_new_files_hold_is_known_when_they_are_formatted(tmp_path: Path) -> None:
    project = ready(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)))
    made = planned(project)
    assert not made.is_certain
    land, formatted, amount = made.tasks[:3]
    assert [(p.source, p.files, p.bytes, str(p.why[0])) for p in land.parts] == [("sale", 1, 55, "new (1)")]
    assert (formatted.datasets, formatted.awaits) == (("formatted.sale",), ("landing.batch",))
    assert (amount.datasets, amount.awaits) == (("exploitation.amount",), ("formatted.sale",))
    assert why(made) == {"landing.batch": ["new (1)"], "formatted.sale": ["new (1)"]}
    assert {"exploitation.beside", "exploitation.whole"}.isdisjoint(d for t in made.tasks for d in t.datasets)
    assert (tmp_path / "landing" / "temporal" / "sale" / "late.csv").exists()
    assert project.run(land_only=["sale"]).ok
    (formatted, *_) = planned(project).tasks
    assert (formatted.kind, formatted.awaits, formatted.parts[0].files) == ("format", (), 1)
    assert project.run(LANDED).ok
    assert why(planned(project)) == {
        "amount": ["late data of formatted.sale (1)"],
        "recent": ["upstream of exploitation.amount (2)"],
        "running": ["upstream of exploitation.amount (1)", "upstream of exploitation.running (1)"],
        "least": ["upstream of exploitation.amount (1)"],
        "most": ["upstream of exploitation.amount (1)"],
    }


def test_why_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = chain(tmp_path)
    assert project.run(LANDED).ok
    assert why(planned(project))["amount"] == ["new (3)"]
    assert why(planned(project))["whole"] == ["new"]
    assert project.run().ok

    project.sales("b.csv", (4, "x", 1, at(D1, 11)), (5, "x", 1, at(D5)))
    assert project.run(LANDED).ok
    assert why(planned(project))["amount"] == ["new (1)", "late data of formatted.sale (1)"]
    assert project.run().ok

    project.write(settings="[pipelines.tiny]\nfactor = 3\n")
    assert why(planned(project)) == {"recent": ["parameter factor (4)"]}
    project.write(settings='[pipelines.tiny]\nevery = "week"\n')
    assert why(planned(project))["amount"] == ["parameter every (2)"]
    project.write(settings="", sql={"recent.sql": SQL["recent.sql"].replace("sum(a", "2 * sum(a")})
    assert why(planned(project)) == {"recent": ["code (4)"]}
    project.write(settings="[pipelines.tiny]\nfactor = 3\n")
    assert why(planned(project)) == {"recent": ["code and parameter factor (4)"]}
    with monkeypatch.context() as before:  # receipts from before have no parts
        before.setattr(Index, "parts", lambda *_: {})
        assert why(planned(project)) == {"recent": ["code or parameters (4)"]}
    project.write(settings="", sql=SQL)
    assert planned(project) == Plan()

    assert why(planned(project, ["exploitation.amount"], force=True)) == {"amount": ["forced (4)"]}
    day = datetime(2026, 2, 2, tzinfo=UTC)
    made = planned(project, start=day, end=day.replace(day=3), force=True)
    assert why(made)["beside"] == ["forced (1)"]
    assert "whole" not in why(made)


def test_a_changed_contract_is_another_reason_than_late_data(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    project.sales("a.csv", (1, "x", 1, at(D1)), (2, "x", 2, at(D2)))
    assert project.run().ok
    module = tmp_path / f"{project.module}.py"
    module.write_text(module.read_text(encoding="utf-8").replace("ge=0", "ge=2", 1), encoding="utf-8")
    made = planned(project)
    assert why(made) == {"formatted.sale": ["contract or settings (1)"]}
    assert [task.awaits for task in made.tasks] == [(), ("formatted.sale",)]
    assert project.run(LANDED).ok
    assert why(planned(project)) == {"shop_day": ["contract of formatted.sale (2)"]}


def test_a_step_that_may_need_dropped_rows_again_is_planned_when_its_inputs_are_made(tmp_path: Path) -> None:
    """A wrong, late date is taken back: whether days are missing then is known by what the input has left."""
    steps = CHAIN.replace("previous=True)", 'previous=True, retention=Retention("keep"))').replace(
        '{"factor": 1}', '{"factor": 1, "keep": 3}'
    )
    imports = "from backbone.exploitation.model import Retention\n"
    project = TinyProject(tmp_path, imports + steps, SQL)
    project.sales("a.csv", *((n, "x", n, at(f"2026-02-{n:02}")) for n in range(1, 7)))
    project.visits("a.csv", ("x", 5, at(D2)))
    project.sales("wrong.csv", (99, "x", 1, at("2026-02-20")))
    assert project.run().ok
    assert project.rows("select count(*) from exploitation.running") == [(1,)]
    project.sales("wrong.csv", (99, "x", 1, at(D1, 12)))
    assert project.run(LANDED).ok
    made = planned(project)
    (running,) = [task for task in made.tasks if "exploitation.running" in task.datasets]
    assert running.awaits == ("exploitation.amount",)
    assert project.run().ok
    assert project.rows("select count(*) from exploitation.running") == [(4,)]


def test_a_table_runs_with_what_it_depends_on_and_nothing_else(tmp_path: Path) -> None:
    project = chain(tmp_path)
    result = project.run(["exploitation.recent"])
    assert [r.dataset for r in result.receipts] == [
        "landing.batch", "formatted.sale", "exploitation.amount", "exploitation.recent",
    ]  # fmt: skip
    assert [r.dataset for r in project.run(["formatted.visit"]).receipts] == [
        "landing.batch",
        "formatted.visit",
    ]
    assert [r.dataset for r in project.run(["exploitation.most"]).receipts] == ["exploitation.most"]
    assert {t.datasets for t in planned(project, ["tiny"]).tasks} == {
        ("exploitation.whole",), ("exploitation.beside",), ("exploitation.running",), ("exploitation.least",),
    }  # fmt: skip


def test_only_leaves_out_what_a_table_depends_on(tmp_path: Path) -> None:
    project = ready(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)))
    assert project.run(["exploitation.recent"], only=True).receipts == []
    assert project.run(["formatted.sale"], only=True).receipts == [], "it has not landed"
    assert project.run(land_only=["sale"]).ok
    assert [r.dataset for r in project.run(["formatted.sale"], only=True).receipts] == ["formatted.sale"]
    assert project.run(["exploitation.recent"], only=True).receipts == [], "its input is as it was"
    status, out, errors = finished(tmp_path, "run", "exploitation.amount", "--only")
    assert (status, errors) == (0, "")
    assert "exploitation.amount" in out
    assert "exploitation.recent" not in out
    assert [r.dataset for r in project.run(["tiny"], only=True).receipts] == [
        "exploitation.recent", "exploitation.running", "exploitation.least", "exploitation.most",
    ]  # fmt: skip


def test_only_says_what_has_to_be_made_before(tmp_path: Path) -> None:
    result = chain(tmp_path).run(["exploitation.recent"], only=True)
    (failure,) = result.failures.values()
    assert "it reads exploitation.amount, and there is no such table yet" in failure.problem
    assert failure.next_step.startswith("backbone run exploitation.recent")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_unknown_name_is_refused_with_what_there_is(command: str, tmp_path: Path) -> None:
    chain(tmp_path)
    status, _, errors = finished(tmp_path, command, "exploitation.nothing")
    assert status == 2
    assert "its pipelines are tiny; its tables are formatted.sale, formatted.visit, exploitation." in errors
    assert finished(tmp_path, "run", "--only")[0] == 2


def test_inputs_are_read_at_the_versions_they_are_pinned_to(tmp_path: Path) -> None:
    project = ready(tmp_path)
    first = project.rows("select * from exploitation.amount order by all")
    project.sales("late.csv", (9, "x", 10, at(D2)), (10, "z", 1, at(D5)))
    assert project.run().ok
    latest = project.rows("select * from exploitation.amount order by all")
    opened, pins = project.open(), {"formatted.sale": 0}

    made = planned(project, ["exploitation.amount"], pins=pins)
    assert why(made) == {"amount": ["pinned of formatted.sale (2)"]}
    (task,) = made.tasks
    assert task.inputs == pins
    (receipt,) = execute(opened, task)
    assert receipt.inputs == pins
    assert project.rows("select * from exploitation.amount order by all") == first
    assert planned(project, ["exploitation.amount"], pins=pins) == Plan(), "it is what the pins ask for"

    assert why(planned(project))["amount"] == ["late data of formatted.sale (2)"]
    assert project.run().ok
    assert project.rows("select * from exploitation.amount order by all") == latest
    with pytest.raises(SettingsError, match="its versions are 0 to 1"):
        planned(project, pins={"formatted.sale": 7})
    with pytest.raises(PipelineError):
        planned(project, ["formatted.other"])


def test_a_task_reads_the_versions_it_was_planned_with(tmp_path: Path) -> None:
    project = chain(tmp_path)
    assert project.run(LANDED).ok
    (task, *_) = planned(project, ["exploitation.amount"]).tasks
    project.sales("late.csv", (9, "x", 10, at(D2)))
    assert project.run(LANDED).ok
    (receipt,) = execute(project.open(), task)
    assert receipt.inputs == {"formatted.sale": 0}
    assert project.rows("select sum(amount) from exploitation.amount") == [(6,)]
    assert why(planned(project, ["exploitation.amount"]))["amount"] == ["late data of formatted.sale (1)"]


def test_a_version_that_is_gone_is_named(tmp_path: Path) -> None:
    project = ready(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)))
    assert project.run().ok
    (task,) = planned(project, ["exploitation.amount"], pins={"formatted.sale": 0}).tasks
    table = tmp_path / "formatted" / "sale"
    write_checkpoint(table, 1, Barrier())
    (table / LOG / commit_name(0)).unlink()
    with pytest.raises(BackboneError, match=r"formatted.sale: expected to read version 0, found"):
        execute(project.open(), task)


def test_a_task_of_which_nothing_is_known_yet_is_refused(tmp_path: Path) -> None:
    project = ready(tmp_path)
    project.sales("late.csv", (9, "x", 10, at(D2)))
    task = next(task for task in planned(project).tasks if task.datasets == ("exploitation.amount",))
    with pytest.raises(BackboneError, match=r"is known when formatted\.sale is done"):
        execute(project.open(), task)


def test_status_counts_what_the_plan_plans(tmp_path: Path) -> None:
    project = ready(tmp_path)
    found = overview(project.open(), "reader-test")
    assert found.next_run == planned(project) == Plan()
    project.sales("late.csv", (9, "x", 10, at(D2)))
    found = overview(project.open(), "reader-test")
    assert [t.kind for t in found.next_run.tasks] == [t.kind for t in planned(project).tasks]
    _, out, _ = finished(tmp_path, "status")
    assert "1 to land" in out
    assert "The next run has" in out
    _, out, _ = finished(tmp_path, "status", "--format", "json")
    assert json.loads(out)["next_run"]["tasks"][0]["kind"] == "land"
    assert project.run(LANDED).ok
    stale = {t.dataset: t.stale for t in overview(project.open(), "reader-test").tables}
    expected = {p.dataset: len(p.windows) or 1 for t in planned(project).tasks for p in t.parts if p.why}
    assert stale == dict.fromkeys(stale, 0) | expected
    assert stale["exploitation.amount"] == 1


def test_a_window_that_goes_on_from_a_stale_one_is_refused_in_the_plan_too(tmp_path: Path) -> None:
    project = chain(tmp_path)
    assert project.run(LANDED).ok
    day = datetime(2026, 2, 3, tzinfo=UTC)
    made = planned(project, start=day)
    assert {*made.refused} == {"exploitation.running"}
    assert {*project.run(start=day).failures} == {"exploitation.running"}


def test_a_plan_that_only_refuses_is_no_plan_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(
        Plan(refused={"source sale": BackboneError("source sale", "there is no folder", "", "mend it")})
    )
    out, errors = capsys.readouterr()
    assert out == ""
    assert "there is no folder" in errors


def test_the_command_prints_tasks_and_gives_json(tmp_path: Path) -> None:
    project = ready(tmp_path)
    assert finished(tmp_path, "plan") == (0, "Nothing to do.\n", "")
    project.sales("late.csv", (9, "x", 10, at(D2)))
    status, out, errors = finished(tmp_path, "plan")
    assert (status, errors) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "task table windows why rows seconds"
    assert lines[1].startswith("land sale 1 file, 55 bytes new (1)")
    assert lines[3] == "build exploitation.amount known when formatted.sale is done"
    assert project.run(LANDED).ok
    status, out, _ = finished(tmp_path, "plan", "exploitation.amount", "--json")
    assert status == 0
    found = json.loads(out)
    assert list(found) == ["certain", "tasks", "refused", "stopped", "asked"]
    (task,) = found["tasks"]
    (part,) = task["parts"]
    assert task["inputs"] == {"formatted.sale": 1}
    assert part["why"] == [{"reason": "late data", "of": ["formatted.sale"], "count": 1}]
    assert part["windows"] == [{"start": "2026-02-02T00:00:00+00:00", "end": "2026-02-03T00:00:00+00:00"}]
    assert part["rows"] == 1
    assert part["seconds"] > 0


def test_a_misspelt_option_of_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no option 'forced'; it has start, end, force"):
        chain(tmp_path).run(forced=True)


def test_a_run_of_nothing_loads_no_arrow_and_no_numpy(trial: Trial) -> None:
    """It takes longer to import than all else that such a run does."""
    trial.drop()
    trial.run_well()
    code = (
        "import sys; from pathlib import Path; from backbone.runner import open_project, run; "
        "print(run(open_project(Path(sys.argv[1]))).receipts, {'pyarrow', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(trial.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] set()\n"
