"""Run pipelines: land, format, and bring every stale window up to date, in one process."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from backbone.contract import keys
from backbone.dataset import Receipt, Window, instant_of, windows_between
from backbone.engines import open_engine
from backbone.engines.protocol import Engine
from backbone.error_log import as_failure
from backbone.errors import BackboneError, PipelineError, SettingsError
from backbone.exploitation.build import build
from backbone.exploitation.compute import Due
from backbone.exploitation.lists import list_state, write_lists
from backbone.exploitation.model import LoadedModel, computed_together
from backbone.exploitation.retention import gone_back, is_retained
from backbone.formatted.duplicates import remove_revived
from backbone.formatted.format import format_source
from backbone.formatted.refusal import as_end, ends_formatting
from backbone.formatted.source import FormattedSource
from backbone.home import HOME
from backbone.lake.abandoned import remove_abandoned
from backbone.lake.lock import project_lock
from backbone.lake.table import Lake
from backbone.landing.land import land
from backbone.landing.manifest import Manifest
from backbone.landing.persistent import Feed
from backbone.loading import LoadedPipeline, load_pipelines, models_of, source_settings, sources_of
from backbone.operations.facts import run_row
from backbone.operations.index import Index
from backbone.operations.last_runs import is_news, last_runs
from backbone.operations.never_computed import never_computed
from backbone.operations.open_windows import OpenRows, open_rows
from backbone.operations.staleness import stale_windows
from backbone.pipeline import Source
from backbone.settings import Settings, load_settings

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Project:
    """An opened project: its settings and the pipelines it runs."""

    root: Path
    settings: Settings
    pipelines: tuple[LoadedPipeline, ...]

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.root)

    @property
    def sources(self) -> list[tuple[Source, str]]:
        return sources_of(self.pipelines)

    @contextmanager
    def engine(self, name: str = "run") -> Iterator[Engine]:
        """An engine for one piece of work, with a scratch folder that goes with it."""
        scratch = self.scratch(name)
        engine = open_engine(
            self.settings.engine.kind,
            memory_limit=self.settings.engine.memory_limit,
            threads=self.settings.engine.threads,
            scratch=scratch,
        )
        try:
            yield engine
        finally:
            engine.close()
            shutil.rmtree(scratch, ignore_errors=True)

    def scratch(self, name: str) -> Path:
        return self.root / HOME / "scratch" / name

    def select(self, names: Sequence[str]) -> list[LoadedPipeline]:
        """The pipelines of these names; all of them when none is given."""
        known = {p.pipeline.name: p for p in self.pipelines}
        for name in names:
            if name not in known:
                raise PipelineError(
                    f"pipeline {name}",
                    f"the project runs no pipeline of this name; it runs {', '.join(known) or 'none'}",
                    "Nothing was run.",
                    "add its module to [project] pipelines in backbone.toml",
                )
        return [known[name] for name in names] if names else list(self.pipelines)


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


def open_project(root: Path) -> Project:
    """Read a project's settings and load its pipelines.

    Raises
    ------
    SettingsError, PipelineError
        When either can't be.
    """
    settings = load_settings(root)
    if re.search(r"%[0-9A-Fa-f]{2}", str(settings.root)):
        raise SettingsError(
            str(settings.root),
            "expected a folder whose path holds no percent sign before two hexadecimal digits, "
            "which the table library takes for an encoded character",
            "Nothing was changed.",
            "move or rename the folder",
        )
    (settings.root / HOME).mkdir(exist_ok=True)
    pipelines = load_pipelines(settings, settings.root / HOME / "models.json")
    return Project(settings.root, settings, tuple(pipelines))


def run(
    project: Project,
    names: Sequence[str] = (),
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    force: bool = False,
    now: datetime | None = None,
    progress: Progress = lambda text: None,
    land_only: Sequence[str] | None = None,
    accept_loss: Sequence[str] = (),
    lock_wait_s: float = 3600.0,
    on_wait: Progress = lambda holder: None,
) -> RunResult:
    """Land, format and build all that is stale.

    Parameters
    ----------
    names : the pipelines to run; all when empty.
    start, end : restrict building to the windows that overlap this range (UTC), and add its empty ones;
        query sources are extracted over it too.
    force : compute windows again that are not stale, and extract them again.
    now : windows that end later have not closed; the present unless given.
    land_only : land these sources (all when empty) and stop there.
    accept_loss : sources whose tables are published without the files that can't be formatted.
    lock_wait_s : seconds to wait for another run, and `on_wait` is told which.

    Returns
    -------
    What was published and what failed. A failure stops what depends on it and nothing else.
    """
    now = now or datetime.now(UTC)
    selected = project.select(names)
    sources = _sources(selected, land_only, accept_loss)
    result = RunResult(f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}")
    started_at = datetime.now(UTC)
    with project_lock(project.root / HOME, lock_wait_s, on_wait):
        remove_abandoned(project.scratch("run").parent)
        with project.engine() as engine:
            scratch = project.scratch("run")
            index = Index(project.lake, engine, scratch)
            index.update()
            feeds = [_feed(project, source, every) for source, every in sources]
            landed = land(
                project.lake,
                engine,
                feeds,
                run_id=result.run_id,
                scratch=scratch,
                now=now,
                sources={source.name for source, _ in project.sources},
                extract_from=start,
                extract_to=end,
                force=force and land_only is None,
                progress=progress,
            )
            result.receipts += landed.receipts
            result.waiting += landed.waiting
            result.warnings += landed.warnings
            result.failures |= landed.failures
            if land_only is None:
                blocked = {f"formatted.{name}" for name in landed.failed}
                for source, _ in sources:
                    accepts = source.name in accept_loss
                    _format(
                        project, engine, index, landed.manifest, source, accepts, result, blocked, progress
                    )
                if result.receipts:
                    index.update()
                    formatted = {receipt.dataset for receipt in result.receipts}
                    tables = [(s.dataset, s.event_time) for s, _ in sources if s.dataset in formatted]
                    readers = models_of(project.pipelines)
                    result.open_rows = open_rows(project.lake, engine, tables, readers, now)
                for models in computed_together(models_of(selected)):
                    _build(project, engine, index, models, result, blocked, start, end, force, now, progress)
                for pipeline in selected:
                    _write_lists(project, engine, index, pipeline, result, progress)
            ran = [p.pipeline.name for p in selected] if land_only is None else []
            before = () if result.receipts or not result.ok else last_runs(project.lake, engine, ran)
            if result.receipts or not result.ok or is_news(before, result.warnings):
                index.update()
                index.add_run(_row(result, started_at, ran))
            index.write()
    return result


def _sources(
    selected: Sequence[LoadedPipeline], land_only: Sequence[str] | None, accept_loss: Sequence[str]
) -> list[tuple[Source, str]]:
    sources = sources_of(selected)
    unknown = sorted({*(land_only or ()), *accept_loss} - {s.name for s, _ in sources})
    if unknown:
        raise PipelineError(
            f"source {unknown[0]}",
            f"no source is named {unknown[0]}; the sources are {', '.join(s.name for s, _ in sources)}",
            "Nothing was landed.",
            "mend the name",
        )
    return [(s, every) for s, every in sources if not land_only or s.name in land_only]


def _feed(project: Project, source: Source, every: str) -> Feed:
    settings = source_settings(project.settings, source)
    connection = project.settings.connections.get(settings.connection or "")
    return Feed(source.name, settings, connection, settings.every or every, bool(keys(source.contract)))


def _format(
    project: Project,
    engine: Engine,
    index: Index,
    manifest: Manifest,
    source: Source,
    accepts: bool,
    result: RunResult,
    blocked: set[str],
    progress: Progress,
) -> None:
    formatted = FormattedSource(
        source.name, source.contract, source_settings(project.settings, source), source.event_time
    )
    try:
        if index.revived_left(source.name):
            remove_revived(project.lake, engine, source.name, result.run_id, project.scratch("run"))
        done = format_source(
            project.lake,
            engine,
            formatted,
            manifest,
            index.batches(source.name),
            changed_before=tuple(
                (c.low, c.high)
                for c in index.changes(source.dataset)
                if c.low is not None and c.high is not None
            ),
            run_id=result.run_id,
            scratch=project.scratch("run"),
            accept_loss=accepts,
            progress=progress,
        )
    except Exception as error:
        if ends_formatting(error):
            raise as_end(source.dataset, error) from error.__cause__
        state = "Nothing of it is published; what was published before stays."
        result.failures[source.dataset] = as_failure(source.dataset, error, project.root, state)
        blocked.add(source.dataset)
        return
    if done.receipt is not None:
        result.receipts.append(done.receipt)
    if done.lost is not None:
        result.failures[source.dataset] = done.lost
        blocked.add(source.dataset)
    for batch, refusal in done.refused.items():
        result.failures[f"{source.dataset} {batch}"] = refusal
        blocked.add(source.dataset)


def _build(
    project: Project,
    engine: Engine,
    index: Index,
    models: Sequence[LoadedModel],
    result: RunResult,
    blocked: set[str],
    start: datetime | None,
    end: datetime | None,
    force: bool,
    now: datetime,
    progress: Progress,
) -> None:
    """Bring tables up to date that one function computes: one, unless steps share it."""
    stops = [name for name in models[0].inputs if name in blocked]
    if stops:
        result.stopped |= {model.dataset: f"{', '.join(stops)} failed" for model in models}
        blocked.update(model.dataset for model in models)
        return
    due = []
    try:
        for model in models:
            states, made = index.windows(model.dataset), project.lake.exists(model.dataset)
            everything = start is None and end is None and (force or gone_back(project.lake, model))
            anew = made and everything and is_retained(model)
            stale = stale_windows(
                model, states, index.changes, now=now, start=start, end=end, force=force or anew
            )
            if stale.due or not made:
                notes = _notes(project, index, model, stale.windows)
                due.append(Due(model, stale.windows, stale.replaces_all or anew or not made, notes))
        options: Mapping[str, Any] = {
            "run_id": result.run_id,
            "scratch": project.scratch("run"),
            "progress": progress,
        }
        if due:
            for receipt in build(project.lake, engine, due, **options):
                result.receipts.append(receipt)
    except BackboneError as error:
        published = {receipt.dataset for receipt in result.receipts}
        left = [model.dataset for model in models if model.dataset not in published]
        failed = next((name for name in left if error.where.split(",")[0] == name), left[0])
        result.failures[failed] = error
        result.stopped |= {name: f"{failed} failed" for name in left if name != failed}
        blocked.update(left)
    if due:
        index.update()


def _notes(project: Project, index: Index, loaded: LoadedModel, windows: Sequence[Window]) -> tuple[str, ...]:
    """What a reader of the windows should know: which look-back has windows that were never computed."""
    pipeline_of = {m.dataset: (p.pipeline.name, m) for p in project.pipelines for m in p.models}
    notes = []
    for name in loaded.inputs if loaded.lookback and windows else ():
        if name not in pipeline_of or loaded.cut(name) is None:
            continue
        pipeline, upstream = pipeline_of[name]
        missing = never_computed(loaded, windows, upstream, index.windows(name), index.changes)
        if missing:
            names = dict.fromkeys([pipeline, pipeline_of[loaded.dataset][0]])
            count = "1 window" if len(missing) == 1 else f"{len(missing):,} windows"
            notes.append(
                f"its look-back holds {count} of {name} with events that were never computed and count as "
                f"empty, from {missing[0]} on; next: backbone run {' '.join(names)} "
                f"--to {windows[-1].end:%Y-%m-%dT%H}"
            )
    return tuple(notes)


def _write_lists(
    project: Project,
    engine: Engine,
    index: Index,
    loaded: LoadedPipeline,
    result: RunResult,
    progress: Progress,
) -> None:
    """Bring the lists that the settings ask for to what is published."""
    for lists in loaded.pipeline.lists:
        told = loaded.parameters[lists.parameter]
        if not told or loaded.every is None or not project.lake.exists(lists.dataset):
            continue
        folder, now = project.root / told, project.lake.version(lists.dataset)
        known = list_state(project.lake, lists, folder)
        if known == now:
            continue
        progress(f"write lists of {lists.table}")
        since = [c for c in index.changes(lists.dataset) if known is not None and known < c.version]
        windows: list[datetime] | None = None
        if since and all(c.low is not None for c in since):
            found = {
                window.start
                for c in since
                if c.low is not None and c.high is not None
                for window in windows_between(instant_of(c.low), instant_of(c.high), loaded.every)
            }
            windows = sorted(found)
        try:
            write_lists(project.lake, engine, lists, folder, windows)
        except BackboneError as error:
            result.failures[f"lists of {lists.table}"] = error


def _row(result: RunResult, started_at: datetime, pipelines: Sequence[str]) -> dict[str, object]:
    return run_row(
        result.run_id,
        started_at,
        datetime.now(UTC),
        "done" if result.ok else "failed",
        pipelines,
        [r.dataset for r in result.receipts],
        [str(error) for error in result.failures.values()],
        result.warnings,
    )
