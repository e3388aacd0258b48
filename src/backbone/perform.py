"""Do one task of a plan: land, format a source, or compute tables."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from backbone.asked import Asked
from backbone.dataset import Receipt
from backbone.engines import open_engine
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.local_work import LocalWork
from backbone.engines.protocol import Engine
from backbone.error_log import as_failure
from backbone.errors import BackboneError
from backbone.exploitation.build import build
from backbone.exploitation.compute import Due
from backbone.formatted.duplicates import remove_revived
from backbone.formatted.format import format_source
from backbone.formatted.refusal import as_end, ends_formatting
from backbone.home import HOME
from backbone.lake.abandoned import remove_abandoned
from backbone.lake.expiry import KeptVersions
from backbone.lake.lock import project_lock
from backbone.lake.originals import Originals
from backbone.landing.land import land
from backbone.ledger.facts import Ran
from backbone.ledger.index import Index
from backbone.ledger.manifest import Manifest, create, read_manifest
from backbone.planning.formats import formatted_source
from backbone.planning.landings import feed_of
from backbone.planning.pinned import PinnedLake
from backbone.planning.task import Task
from backbone.project import Progress, Project
from backbone.upkeep.mend_logs import ledger_warnings, lost_receipts, mend_logs
from backbone.upkeep.shorten_logs import Upkeep


@dataclass(frozen=True)
class Session:
    """A run that holds the project's lock, and what its tasks are done with.

    Parameters
    ----------
    manifest : what has landed, as far as is known.
    accept_loss : sources whose tables are published without the files that can't be formatted.
    originals : the landed files that have been hashed.
    warnings : of damaged logs, which it goes on from.
    """

    project: Project
    database: Database
    engine: Engine
    index: Index
    run_id: str
    progress: Progress
    manifest: Manifest | None = None
    accept_loss: frozenset[str] = frozenset()
    originals: Originals = field(default_factory=Originals)
    warnings: list[str] = field(default_factory=list)

    @property
    def work(self) -> LocalWork:
        """What landing and formatting are given."""
        return LocalWork(
            self.project.lake, self.database, self.scratch, self.run_id, self.progress, self.originals
        )

    @property
    def scratch(self) -> Path:
        return self.project.scratch("run")

    def landed(self) -> Manifest:
        """What has landed."""
        if self.manifest is not None:
            return self.manifest
        create(self.work)
        return read_manifest(self.project.lake, self.database)


@dataclass
class Done:
    """What a task did: its receipts, what failed, and which tables did not come about.

    `stopped` are those that failed with another one, by which they are computed together.
    `waiting` are files that were left, see `why_left`; `warnings` are those that no receipt has.
    """

    receipts: list[Receipt] = field(default_factory=list)
    failures: dict[str, BackboneError] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    stopped: dict[str, str] = field(default_factory=dict)
    waiting: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    manifest: Manifest | None = None


@dataclass(frozen=True)
class Waits:
    """How long to wait for another run that holds the lock, and who is informed of it."""

    seconds: float = 3600.0
    on_wait: Callable[[str], None] = lambda holder: None


@contextmanager
def open_session(project: Project, progress: Progress, waits: Waits) -> Iterator[Session]:
    """Hold the project's lock, with an index that is up to date."""
    with project_lock(project.root / HOME, waits.seconds, waits.on_wait):
        remove_abandoned(project.scratch("run").parent)
        with (
            project.database() as database,
            open_engine(project.settings.engine.kind, database) as engine,
        ):
            index = Index(project.lake, database, project.scratch("run"))
            index.update()
            run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
            session = Session(project, database, engine, index, run_id, progress)
            session.warnings.extend(ledger_warnings(index))
            if index.damages:
                sources = {source.name for source, _ in project.sources}
                session.warnings.extend(mend_logs(session.work, index, sources))
            session.warnings.extend(lost_receipts(session.work, index))
            yield session
            if index.write() and not session.warnings:
                _shorten_long_logs(session)
            project.lake.barrier.wait()


def upkeep_of(session: Session) -> Upkeep:
    """What keeps the project of a session small."""
    settings = session.project.settings.maintain
    keep = KeptVersions(settings.keep_days, settings.keep_versions)
    return Upkeep(session.work, session.index, keep, session.progress)


def _shorten_long_logs(session: Session) -> None:
    upkeep = upkeep_of(session)
    if upkeep.is_due():
        try:
            upkeep.shorten_long_logs()
            errors = (*(lost.error() for lost in upkeep.lost), *upkeep.failures)
            session.warnings.extend([*upkeep.warnings, *map(str, errors)])
        except (BackboneError, OSError) as error:  # what the run was for is published
            session.warnings.append(
                f"long logs could not be shortened, and stay as they are: {error}; "
                "backbone check shows what is damaged, and backbone maintain shortens them"
            )


def execute(
    project: Project,
    task: Task,
    *,
    progress: Progress = lambda text: None,
    waits: Waits = Waits(),
) -> tuple[Receipt, ...]:
    """Do one task of a plan, under the project's lock.

    Tables are read at the versions that the task names. What has been dropped or landed since the task was
    planned is landed or formatted too.

    Returns
    -------
    A receipt for each table that was published.

    Raises
    ------
    BackboneError
        The first failure; what was published before it stays. Or the task awaits others in all that it is
        to do.
    """
    if task.kind == "build" and not task.why:
        raise BackboneError(
            ", ".join(task.datasets),
            f"what is to be computed is known when {', '.join(task.awaits)} is done",
            "Nothing was computed.",
            "execute the tasks before it, and plan again",
        )
    started_at = datetime.now(UTC)
    with open_session(project, progress, waits) as session:
        done = perform(session, task)
        if done.receipts or done.failures:
            session.index.update()
            session.index.add_run(
                Ran(
                    session.run_id,
                    started_at,
                    "failed" if done.failures else "done",
                    _pipelines_of(project, task),
                    [receipt.dataset for receipt in done.receipts],
                    [str(error) for error in done.failures.values()],
                    [*session.warnings, *done.warnings],
                ).row()
            )
    for error in done.failures.values():
        raise error
    return tuple(done.receipts)


def perform(session: Session, task: Task) -> Done:
    """Do a task within a run; what fails is in the result."""
    return _PERFORM[task.kind](session, task)


def _land(session: Session, task: Task) -> Done:
    project = session.project
    every = {part.source: part.every for part in task.parts}
    asked = task.asked or Asked(datetime.now(UTC))
    landed = land(
        session.work,
        [feed_of(project, s, every[s.name] or usual) for s, usual in project.sources if s.name in every],
        asked,
        {source.name for source, _ in project.sources},
        session.index.delivered,
    )
    blocked = {f"formatted.{name}" for name in landed.failed}
    return Done(
        landed.receipts,
        landed.failures,
        blocked,
        waiting=landed.waiting,
        warnings=landed.warnings,
        manifest=landed.manifest,
    )


def _format(session: Session, task: Task) -> Done:
    project, name = session.project, task.parts[0].source
    source = next(source for source, _ in project.sources if source.name == name)
    done = Done()
    try:
        if session.index.revived_left(name):
            remove_revived(session.work, name)
        found = format_source(
            session.work,
            formatted_source(project, source),
            session.landed(),
            session.index.batches(name),
            changed_before=tuple(
                (change.low, change.high)
                for change in session.index.changes(source.dataset)
                if change.low is not None and change.high is not None
            ),
            accept_loss=name in session.accept_loss,
        )
    except Exception as error:
        if ends_formatting(error):
            raise as_end(source.dataset, error) from error.__cause__
        state = "Nothing of it is published; what was published before stays."
        done.failures[source.dataset] = as_failure(source.dataset, error, project.root, state)
        done.blocked.add(source.dataset)
        return done
    if found.receipt is not None:
        done.receipts.append(found.receipt)
    if found.lost is not None:
        done.failures[source.dataset] = found.lost
    for batch, refusal in found.refused.items():
        done.failures[f"{source.dataset} {batch}"] = refusal
    if done.failures:
        done.blocked.add(source.dataset)
    return done


def _build(session: Session, task: Task) -> Done:
    project, done = session.project, Done()
    due = [
        Due(project.models[part.dataset], part.windows, part.replaces_all, part.notes)
        for part in task.parts
        if part.why
    ]
    if not due:
        return done
    lake = PinnedLake.of(project.lake, task.inputs)
    try:
        for receipt in build(
            lake,
            session.work.store,
            session.engine,
            due,
            run_id=session.run_id,
            scratch=session.scratch,
            progress=session.progress,
        ):
            done.receipts.append(receipt)
    except BackboneError as error:
        published = {receipt.dataset for receipt in done.receipts}
        left = [one.loaded.dataset for one in due if one.loaded.dataset not in published]
        failed = next((name for name in left if error.where.split(",")[0] == name), left[0])
        done.failures[failed] = error
        done.stopped = {name: f"{failed} failed" for name in left if name != failed}
        done.blocked.update(left)
    return done


_PERFORM: Mapping[str, Callable[[Session, Task], Done]] = {"land": _land, "format": _format, "build": _build}


def _pipelines_of(project: Project, task: Task) -> list[str]:
    """The pipelines that a task is of, by the sources and tables it is about."""
    sources = {part.source for part in task.parts}
    return [
        p.pipeline.name
        for p in project.pipelines
        if any(model.dataset in task.datasets for model in p.models)
        or any(source.name in sources for source in p.pipeline.sources)
    ]
