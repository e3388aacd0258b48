"""The plan of a run: what it would land, format and compute, in order, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backbone.asked import Asked
from backbone.exploitation.model import by_function
from backbone.ledger.index import Index
from backbone.ledger.manifest import Manifest, read_manifest
from backbone.operations.last_runs import Failed, failures_of, last_runs
from backbone.planning.builds import plan_builds
from backbone.planning.estimates import estimated
from backbone.planning.formats import plan_formats
from backbone.planning.landings import look_for, plan_landing
from backbone.planning.outlook import Outlook
from backbone.planning.pinned import check_pins
from backbone.planning.selection import Selection, select
from backbone.planning.task import Plan
from backbone.project import Project


@dataclass(frozen=True)
class Known:
    """What the ledger knows of a project: its receipts, what has landed, and what failed in the last runs."""

    index: Index
    manifest: Manifest
    failures: Sequence[Failed] = ()


def plan(
    project: Project,
    tables: Sequence[str] = (),
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    force: bool = False,
    pins: Mapping[str, int] | None = None,
    now: datetime | None = None,
) -> Plan:
    """What `run` would do, and why. Nothing is changed, and no lock is taken.

    What new files hold is not known before they are formatted: tasks that depend on them say so in `awaits`.
    If no task awaits anything, a run does exactly this.

    Parameters
    ----------
    tables : tables such as `exploitation.rare_edge` with all that they depend on, and pipelines; everything
        when empty.
    start, end : only the windows that overlap this range (UTC), its empty ones too.
    force : also windows that are not stale.
    pins : by table, the version at which it is read. Nothing is landed or formatted then.
    now : windows that end later have not closed; the present unless given.

    Raises
    ------
    PipelineError
        When there is no table or pipeline of a name.
    SettingsError
        When there is no version that a pin asks for.
    """
    asked = Asked(now or datetime.now(UTC), start, end, force)
    selection = select(project, tables)
    check_pins(project.lake, pins or {})
    reader = f"reader-{os.getpid()}"
    with project.database(reader) as database:
        index = Index(project.lake, database, project.scratch(reader))
        index.update()
        runs = last_runs(project.lake, database, [p.pipeline.name for p in project.pipelines])
        known = Known(index, read_manifest(project.lake, database), failures_of(runs))
        made = plan_known(project, known, selection, asked, pins or {})
        return replace(made, tasks=estimated(made.tasks, index, database, known.manifest))


def plan_known(
    project: Project, known: Known, selection: Selection, asked: Asked, pins: Mapping[str, int]
) -> Plan:
    """A plan without its estimates, by what is known already."""
    outlook = Outlook(known.index, project.lake, pins)
    arriving = look_for(project, known.manifest, () if pins else selection.land, asked)
    landing = [plan_landing(project, selection.land, asked, arriving)] if arriving.found else []
    sources = () if pins else selection.format
    formats = plan_formats(project, known.index, known.manifest, sources, arriving.found, known.failures)
    outlook.pending.update(task.parts[0].dataset for task in formats)
    builds = plan_builds(project, outlook, by_function(selection.models), asked)
    return Plan(
        (*landing, *formats, *builds.tasks),
        {**arriving.refused, **builds.refused},
        builds.stopped,
        tuple(arriving.asked),
    )
