"""What is there: the accounts of every source, every table with its windows, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backbone.asked import Asked
from backbone.errors import BackboneError
from backbone.formatted.outstanding import given_up
from backbone.home import HOME
from backbone.lake.lock import is_locked
from backbone.ledger.accounts import SourceAccount, source_account
from backbone.ledger.index import Index
from backbone.ledger.known import Warned
from backbone.ledger.manifest import Manifest, read_manifest
from backbone.loading import source_settings
from backbone.operations.last_runs import Failed, LastRun, failures_of, last_runs
from backbone.operations.open_windows import OpenRows, open_rows
from backbone.operations.status import TableStatus, table_status
from backbone.pipeline import Source
from backbone.planning.plan import Known, plan_known
from backbone.planning.selection import select
from backbone.planning.task import Plan
from backbone.project import Project
from backbone.repair.differences import batches_not_landed, lost_data, other_accounts


@dataclass(frozen=True)
class Overview:
    """The state of a project: what it has, what its runs warned of, which rows wait for their windows.

    `failures` are those of the last run of each pipeline. `next_run` is what a run would do now.
    `damages` are tables that are not as they were written.
    """

    sources: list[SourceAccount]
    tables: list[TableStatus]
    warnings: list[Warned]
    open_rows: list[OpenRows]
    failures: list[Failed]
    next_run: Plan
    damages: list[BackboneError]

    @property
    def is_whole(self) -> bool:
        """Whether all accounts add up, and no table is damaged as far as this has looked."""
        return not self.damages and all(s.rows.balanced for s in self.sources)


def overview(project: Project, reader: str) -> Overview:
    """The state of a project now.

    Parameters
    ----------
    reader : a name for the folder that the engine may spill to; two at the same time have different ones.
    """
    now = datetime.now(UTC)
    models = list(project.models.values())
    with project.database(reader) as database:
        index = Index(project.lake, database, project.scratch(reader))
        index.update()
        runs = last_runs(project.lake, database, [p.pipeline.name for p in project.pipelines])
        failures = failures_of(runs)
        known = Known(index, read_manifest(project.lake, database), failures)
        sources = [_account(project, s, known.manifest, index) for s, _ in project.sources]
        damages = {damage.dataset: damage.error() for damage in index.damages if damage.old < 0}
        damages |= lost_data(project.lake, damages)
        others = other_accounts(project, database, index, damages)
        others += batches_not_landed(project, database, index, known.manifest)
        next_run = plan_known(project, known, select(project, ()), Asked(now), {})
        stale = {
            part.dataset: len(part.windows) or 1
            for task in next_run.tasks
            if task.kind == "build"
            for part in task.parts
            if part.why
        }
        tables = [
            table_status(project.lake, database, index, model, stale.get(model.dataset, 0))
            for model in models
        ]
        event_times = [(s.dataset, s.event_time) for s, _ in project.sources if s.dataset not in damages]
        waiting = open_rows(project.lake, database, event_times, models, now)
        damaged = [*damages.values(), *others]
        if not is_locked(project.root / HOME):  # else logs may just be shortened
            damaged += [damage.error() for damage in index.damages if damage.old >= 0]
        return Overview(sources, tables, _warnings(index, runs), waiting, failures, next_run, damaged)


def _account(project: Project, source: Source, manifest: Manifest, index: Index) -> SourceAccount:
    redelivery = source_settings(project.settings, source).redelivery
    account = source_account(source.name, redelivery, manifest, index)
    if not account.unformatted:  # the usual case, in which the table's log need not be opened
        return account
    batches = given_up(project.lake, source.dataset)
    return source_account(source.name, redelivery, manifest, index, batches)


def _warnings(index: Index, runs: Sequence[LastRun]) -> list[Warned]:
    """Those in receipts, and those of the last run that are in none."""
    of_run = runs[0].warnings if runs else ()
    found = [replace(w, warnings=tuple(t for t in w.warnings if t not in of_run)) for w in index.warnings()]
    landing = [Warned("landing", runs[0].at, of_run)] if of_run else []
    return [*landing, *(warned for warned in found if warned.warnings)]
