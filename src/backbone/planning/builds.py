"""Which windows of which tables are to be computed: everything that decides it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from backbone.asked import Asked
from backbone.dataset import Window
from backbone.errors import BackboneError
from backbone.exploitation.model import LoadedModel
from backbone.exploitation.retention import is_retained, retained_from, went_back
from backbone.lake.table import day_of
from backbone.operations.never_computed import never_computed
from backbone.operations.reasons import FORCED, NEW, RETENTION, Reason
from backbone.operations.staleness import stale_windows
from backbone.planning.outlook import Outlook
from backbone.planning.pinned import PinnedLake
from backbone.planning.task import Part, Plan, Task
from backbone.project import Project


@dataclass
class _Found:
    tasks: list[Task] = field(default_factory=list)
    refused: dict[str, BackboneError] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)


def plan_builds(
    project: Project,
    outlook: Outlook,
    groups: Iterable[Sequence[LoadedModel]],
    asked: Asked,
    blocked: Collection[str] = (),
) -> Plan:
    """What is to be computed of some tables.

    Parameters
    ----------
    outlook : what is known; gets what is planned.
    groups : the tables by what computes them, each after those it reads.
    blocked : tables that have failed; what reads them is stopped.
    """
    found = _Found()
    out = {*blocked}
    for models in groups:
        names = [model.dataset for model in models]
        stops = [name for name in models[0].inputs if name in out]
        if stops:
            found.stopped |= dict.fromkeys(names, f"{', '.join(stops)} failed")
            out.update(names)
            continue
        try:
            task = _task(project, outlook, models, asked)
        except BackboneError as error:
            failed = next((name for name in names if error.where.split(",")[0] == name), names[0])
            found.refused[failed] = error
            found.stopped |= {name: f"{failed} failed" for name in names if name != failed}
            out.update(names)
            continue
        if task is not None:
            found.tasks.append(task)
    return Plan(tuple(found.tasks), found.refused, found.stopped)


def _task(project: Project, outlook: Outlook, models: Sequence[LoadedModel], asked: Asked) -> Task | None:
    """What is to be computed of the tables that one function computes; None where nothing is."""
    awaits = _awaits(project, outlook, models[0], asked)
    parts = []
    for model in models:
        part = _part(project, outlook, model, asked)
        if part.why or awaits:
            parts.append(part)
    if not parts:
        return None
    missing = [name for name in models[0].inputs if not outlook.exists(name)]
    if missing:
        raise BackboneError(
            models[0].dataset,
            f"it reads {missing[0]}, and there is no such table yet",
            "Nothing of it is published.",
            f"backbone run {models[0].dataset}, which also makes what it reads",
        )
    reads = {name: outlook.version(name) for name in models[0].inputs if outlook.is_known(name)}
    by_dataset = {model.dataset: model for model in models}
    for part in parts:
        if part.why:
            outlook.add(by_dataset[part.dataset], part, reads)
        if awaits:
            outlook.pending.add(part.dataset)
    return Task("build", tuple(parts), reads, awaits)


def _part(project: Project, outlook: Outlook, model: LoadedModel, asked: Asked) -> Part:
    """The stale windows of a table; all of them, where rows that it needs again have been dropped."""
    made = project.lake.exists(model.dataset)
    is_behind = False
    if made and is_retained(model) and not (asked.is_range or asked.force):
        lake = PinnedLake.of(project.lake, outlook.pins)
        is_behind = went_back(lake, model)
    stale = stale_windows(model, outlook, replace(asked, force=True) if is_behind else asked)
    starts_over = made and is_retained(model) and (is_behind or (asked.force and not asked.is_range))
    why = stale.why
    if is_behind:
        why = tuple(replace(r, word=RETENTION) if r.word == FORCED else r for r in why)
    if not why and not made:
        why = (Reason(NEW),)
    return Part(
        model.dataset,
        why,
        stale.windows,
        stale.replaces_all or starts_over or not made,
        notes=_notes(project, outlook, model, stale.windows),
    )


def _awaits(project: Project, outlook: Outlook, model: LoadedModel, asked: Asked) -> tuple[str, ...]:
    """The inputs of which more has to be known before it is certain what is to be computed."""
    found = [name for name in model.restating if name in outlook.pending]
    if not found:
        found = [name for name in model.events if name in outlook.pending]
    if is_retained(model) and not (asked.is_range or asked.force):
        found += _may_end_earlier(project, outlook, model)
    return tuple(name for name in dict.fromkeys(found) if name not in outlook.pins)


def _may_end_earlier(project: Project, outlook: Outlook, model: LoadedModel) -> list[str]:
    """The inputs whose last day is about to be computed again: it may have no rows then.

    Whether rows that were dropped are needed again (`went_back`) is known only after that.
    """
    lake = project.lake
    if not model.keep_days or outlook.planned.keys().isdisjoint(model.inputs):
        return []
    if retained_from(lake, model.dataset) is None:
        return []
    found = []
    for name in model.inputs:
        part = outlook.planned.get(name)
        if part is not None and model.time_column(name) is not None and lake.exists(name):
            last = max((day_of(file) for file in lake.read(name).files), default="")
            if part.replaces_all or any(_holds(window, last) for window in part.windows):
                found.append(name)
    return found


def _holds(window: Window, day: str) -> bool:
    last = window.end - timedelta(microseconds=1)
    return window.start.date().isoformat() <= day <= last.date().isoformat()


def _notes(
    project: Project, outlook: Outlook, loaded: LoadedModel, windows: Sequence[Window]
) -> tuple[str, ...]:
    """What a reader of the windows should know: which look-back has windows that were never computed."""
    if not loaded.lookback or not windows:
        return ()
    pipeline_of = {m.dataset: (p.pipeline.name, m) for p in project.pipelines for m in p.models}
    notes = []
    for name in loaded.inputs:
        if name not in pipeline_of or loaded.time_column(name) is None:
            continue
        pipeline, upstream = pipeline_of[name]
        missing = never_computed(loaded, windows, upstream, outlook.windows(name), outlook.changes)
        if missing:
            names = dict.fromkeys([pipeline, pipeline_of[loaded.dataset][0]])
            count = "1 window" if len(missing) == 1 else f"{len(missing):,} windows"
            notes.append(
                f"its look-back holds {count} of {name} with events that were never computed and count as "
                f"empty, from {missing[0]} on; next: backbone run {' '.join(names)} "
                f"--to {windows[-1].end:%Y-%m-%dT%H}"
            )
    return tuple(notes)
