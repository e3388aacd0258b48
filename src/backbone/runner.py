"""Run pipelines: land, format, and bring every stale window up to date, in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

from backbone.asked import Asked
from backbone.dataset import Receipt
from backbone.errors import BackboneError, PipelineError
from backbone.exploitation.model import LoadedModel, by_function
from backbone.ledger.facts import Ran
from backbone.ledger.manifest import Manifest
from backbone.operations.last_runs import is_news, last_runs
from backbone.operations.open_windows import OpenRows, open_rows
from backbone.perform import Done, Session, Waits, open_session, perform
from backbone.planning.builds import plan_builds
from backbone.planning.formats import plan_formats
from backbone.planning.landings import plan_landing
from backbone.planning.outlook import Outlook
from backbone.planning.selection import Selection, select
from backbone.planning.task import Plan, Task
from backbone.project import Progress, Project, open_project
from backbone.publish_exports import publish_exports

__all__ = ["Progress", "Project", "RunOptions", "RunResult", "open_project", "run"]


@dataclass
class RunResult:
    """What a run did: its receipts, and what failed or was stopped by a failure.

    `warnings` are those that no receipt has. `open_rows` are those of the tables it formatted that lie in
    windows that have not closed.
    """

    run_id: str
    receipts: list[Receipt] = field(default_factory=list)
    failures: dict[str, BackboneError] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    waiting: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    open_rows: list[OpenRows] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures and not self.stopped


class RunOptions(TypedDict, total=False):
    """What a run may be asked for besides names.

    start, end : restrict computing to the windows that overlap this range (UTC), and add its empty ones;
        query sources are extracted over it too.
    force : compute windows again that are not stale, and extract them again.
    now : windows that end later have not closed; the present by default.
    only : leave out what the named tables depend on.
    land_only : land these sources (all when empty) and stop there.
    accept_loss : sources whose tables are published without the files that can't be formatted.
    progress : gets what is being done now.
    lock_wait_s : seconds to wait for another run, and `on_wait` gets which; an hour by default.
    """

    start: datetime | None
    end: datetime | None
    force: bool
    now: datetime | None
    only: bool
    land_only: Sequence[str] | None
    accept_loss: Sequence[str]
    progress: Progress
    lock_wait_s: float
    on_wait: Callable[[str], None]


def run(project: Project, names: Sequence[str] = (), **options: Unpack[RunOptions]) -> RunResult:
    """Land, format and compute all that is stale: the tasks of a plan, one after another.

    Parameters
    ----------
    names : pipelines, and tables such as `exploitation.rare_edge` with what they depend on; all when empty.
    options : see `RunOptions`.

    Returns
    -------
    What was published and what failed. A failure stops what depends on it and nothing else.
    """
    started_at = datetime.now(UTC)
    wrong = sorted(options.keys() - RunOptions.__annotations__.keys())
    if wrong:
        raise TypeError(f"run() has no option {wrong[0]!r}; it has {', '.join(RunOptions.__annotations__)}")
    land_only, accept_loss = options.get("land_only"), options.get("accept_loss", ())
    selection = select(project, names, only=options.get("only", False))
    sources = [source.name for source in selection.format]
    _check_sources([*(land_only or ()), *accept_loss], sources)
    asked = Asked(
        options.get("now") or datetime.now(UTC),
        options.get("start"),
        options.get("end"),
        options.get("force", False),
    )
    waits = Waits(options.get("lock_wait_s", 3600.0), options.get("on_wait", lambda holder: None))
    with open_session(project, options.get("progress", lambda text: None), waits) as session:
        session = replace(session, accept_loss=frozenset(accept_loss))
        result = RunResult(session.run_id, warnings=session.warnings)  # what comes up when it closes too
        blocked: set[str] = set()
        landing = selection.land
        if land_only is not None:
            landing = tuple(s for s in landing if not land_only or s[0].name in land_only)
            asked = replace(asked, force=False)
        if not options.get("only"):
            done = _did(session, plan_landing(project, landing, asked), result, blocked)
            session = replace(session, manifest=done.manifest)
        if land_only is None:
            _format(session, selection, asked, result, blocked)
            _build(session, by_function(selection.models), asked, result, blocked)
            result.failures |= publish_exports(session, selection)
        ran = [p.pipeline.name for p in selection.pipelines] if land_only is None else []
        done_any = bool(result.receipts) or not result.ok
        before = () if done_any else last_runs(project.lake, session.database, ran)
        if done_any or is_news(before, result.warnings):
            session.index.update()
            session.index.add_run(_row(result, started_at, ran))
    return result


def _check_sources(names: Iterable[str], known: Sequence[str]) -> None:
    unknown = sorted({*names}.difference(known))
    if unknown:
        raise PipelineError(
            f"source {unknown[0]}",
            f"no source is named {unknown[0]}; the sources are {', '.join(known)}",
            "Nothing was landed.",
            "mend the name",
        )


def _did(session: Session, task: Task, result: RunResult, blocked: set[str]) -> Done:
    """Do a task, and add what it did to the result."""
    done = perform(session, task)
    result.receipts += done.receipts
    result.failures |= done.failures
    result.stopped |= done.stopped
    result.waiting += done.waiting
    result.warnings += done.warnings
    blocked |= done.blocked
    return done


def _format(
    session: Session, selection: Selection, asked: Asked, result: RunResult, blocked: set[str]
) -> None:
    """Format what has landed, and say which rows lie in windows that have not closed."""
    project = session.project
    manifest = session.landed() if selection.format else Manifest(())
    for task in plan_formats(project, session.index, manifest, selection.format):
        _did(session, task, result, blocked)
    if result.receipts:
        session.index.update()
        formatted = {receipt.dataset for receipt in result.receipts}
        tables = [(s.dataset, s.event_time) for s in selection.format if s.dataset in formatted]
        readers = list(project.models.values())
        result.open_rows = open_rows(project.lake, session.database, tables, readers, asked.now)


def _build(
    session: Session,
    groups: Sequence[Sequence[LoadedModel]],
    asked: Asked,
    result: RunResult,
    blocked: set[str],
) -> None:
    """Compute what is stale.

    Where a task awaits what another one has made, it and all after it are planned again.
    """
    left = list(groups)
    while left:
        outlook = Outlook(session.index, session.project.lake, {})
        planned = plan_builds(session.project, outlook, left, asked, blocked)
        left = _build_planned(session, planned, left, result, blocked)
        if left:
            session.index.update()


def _build_planned(
    session: Session,
    planned: Plan,
    groups: Sequence[Sequence[LoadedModel]],
    result: RunResult,
    blocked: set[str],
) -> list[Sequence[LoadedModel]]:
    """Do the tasks of a plan; returns the tables that have to be planned again."""
    tasks = {task.datasets[0]: task for task in planned.tasks}
    made: set[str] = set()
    for place, models in enumerate(groups):
        names = [model.dataset for model in models]
        stops = [name for name in models[0].inputs if name in blocked]
        if stops:
            result.stopped |= dict.fromkeys(names, f"{', '.join(stops)} failed")
            blocked.update(names)
            continue
        refused = [name for name in names if name in planned.refused]
        if refused:
            result.failures |= {name: planned.refused[name] for name in refused}
            result.stopped |= {name: planned.stopped[name] for name in names if name not in refused}
            blocked.update(names)
        task = next((tasks[name] for name in names if name in tasks), None)
        if task is None:
            continue
        if not made.isdisjoint(task.awaits):
            return list(groups[place:])
        made.update(receipt.dataset for receipt in _did(session, task, result, blocked).receipts)
    return []


def _row(result: RunResult, started_at: datetime, pipelines: Sequence[str]) -> dict[str, object]:
    return Ran(
        result.run_id,
        started_at,
        "done" if result.ok else "failed",
        pipelines,
        [r.dataset for r in result.receipts],
        [str(error) for error in result.failures.values()],
        result.warnings,
    ).row()
