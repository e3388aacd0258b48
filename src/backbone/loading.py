"""Load what a project names: pipelines imported, checked, parsed, and in an order in which they can run."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backbone.dataset import Dataset
from backbone.engines import dialect_of
from backbone.engines.sql.cache import SqlCache
from backbone.errors import PipelineError
from backbone.exploitation.model import CODE, PARAMETER, Aggregate, LoadedModel, Model, SqlModel, Step
from backbone.importing import import_pipeline
from backbone.pipeline import Pipeline, Source
from backbone.settings import Settings
from backbone.source_settings import SourceSettings
from backbone.validation import (
    check_cadences,
    check_exports,
    check_names,
    check_one_fit,
    look_back,
    settings_of,
)


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline with its settings, its models parsed and in an order in which they can run."""

    pipeline: Pipeline
    every: str | None
    parameters: Mapping[str, Any]
    models: tuple[LoadedModel, ...]


def load_pipelines(settings: Settings, cache_file: Path) -> list[LoadedPipeline]:
    """Import and check the pipelines a project names.

    Raises
    ------
    PipelineError
        For a module that can't be imported, a cycle, an unknown table, unportable SQL, two sources or tables
        with one name.
    SettingsError
        For settings of a source or parameter that no pipeline has.
    """
    pipelines = [import_pipeline(name, [settings.root]) for name in settings.project.pipelines]
    check_names(settings, [p for p, _ in pipelines])
    check_one_fit([p for p, _ in pipelines])
    check_exports([p for p, _ in pipelines])
    produced = {m.dataset: (m, p) for p, _ in pipelines for m in p.steps}
    sources = {s.dataset: s for p, _ in pipelines for s in p.sources}
    cache = SqlCache(cache_file, dialect_of(settings.engine.kind))
    set_up = [(p, folder, *settings_of(settings, p)) for p, folder in pipelines]
    inputs = {
        model.dataset: _read(model, folder, parameters, cache).inputs
        for pipeline, folder, every, parameters in set_up
        for model in pipeline.steps
        if every is not None and model.windowed
    }
    windowed = _with_windows(inputs, sources)
    loaded = []
    for pipeline, folder, every, parameters in set_up:
        tables = _Tables(sources, produced, windowed)
        work = _Loading(pipeline, folder, every, parameters, tables, cache)
        models = [work.load(model) for model in pipeline.steps]
        loaded.append(LoadedPipeline(pipeline, every, parameters, tuple(models)))
    cache.save()
    in_order = _with_events(models_of(loaded), sources)
    check_cadences(in_order)
    return [replace(p, models=tuple(m for m in in_order if m.model in p.pipeline.steps)) for p in loaded]


def models_of(pipelines: Sequence[LoadedPipeline]) -> list[LoadedModel]:
    """The models of some pipelines, each after those it reads, whichever pipeline these are of.

    Raises
    ------
    PipelineError
        When they read each other in a cycle.
    """
    models = [model for pipeline in pipelines for model in pipeline.models]
    by_name = {m.dataset: m for m in models}
    done: dict[str, LoadedModel] = {}

    def visit(model: LoadedModel, path: tuple[str, ...]) -> None:
        if model.dataset in path:
            cycle = " → ".join([*path[path.index(model.dataset) :], model.dataset])
            raise PipelineError(
                _read_at(path[-1], model.dataset, by_name),
                f"tables read each other in a cycle: {cycle}",
                "Nothing was run.",
                "let one of them read something else",
            )
        if model.dataset in done:
            return
        for name in model.inputs:
            if name in by_name:
                visit(by_name[name], (*path, model.dataset))
        done[model.dataset] = model

    for model in models:
        visit(model, ())
    return list(done.values())


def sources_of(pipelines: Sequence[LoadedPipeline]) -> list[tuple[Source, str]]:
    """Every source once, with the cadence of the first pipeline that reads it; a day where that has none."""
    found: dict[str, tuple[Source, str]] = {}
    for loaded in pipelines:
        for source in loaded.pipeline.sources:
            found.setdefault(source.name, (source, loaded.every or "day"))
    return list(found.values())


def source_settings(settings: Settings, source: Source) -> SourceSettings:
    """What `backbone.toml` says of a source; the defaults where it says nothing."""
    return settings.sources.get(source.name, SourceSettings())


@dataclass(frozen=True)
class _Code:
    """What a model's code says: its SQL (as translated, and as written), inputs, parameters, fingerprint."""

    sql: str | None
    text: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    mark: str


def _read(model: Model, folder: Path, parameters: Mapping[str, Any], cache: SqlCache) -> _Code:
    if isinstance(model, Step):
        inputs = tuple(dict.fromkeys([*model.reads, *model.pins]))
        mark = hashlib.sha256(_module_source(model).encode()).hexdigest()
        return _Code(None, "", inputs, tuple(model.parameters), mark)
    assert isinstance(model, SqlModel)
    path = folder / model.file
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            model.dataset, f"its SQL can't be read: {error}", "Nothing was run.", "mend `file`"
        ) from error
    query = cache.model(text, path.name, parameters)
    used = tuple(name for name in query.parameters if name in parameters)
    return _Code(query.sql, text, query.inputs, used, query.fingerprint)


def _with_windows(inputs: Mapping[str, Sequence[str]], sources: Mapping[str, Source]) -> set[str]:
    """Those of some models that read a windowed source, directly or through each other.

    A model of whose inputs none has windows would have none to be computed for: it is one whole.
    """
    events = {name for name, source in sources.items() if source.event_time is not None}
    found: set[str] = set()
    while more := {m for m, read in inputs.items() if m not in found and (events | found).intersection(read)}:
        found |= more
    return found


@dataclass(frozen=True)
class _Tables:
    """What there is to read: the sources and the computed tables, and which of these have windows."""

    sources: Mapping[str, Source]
    produced: Mapping[str, tuple[Model, Pipeline]]
    windowed: set[str]


@dataclass(frozen=True)
class _Loading:
    """What the models of a pipeline are loaded with."""

    pipeline: Pipeline
    folder: Path
    every: str | None
    parameters: Mapping[str, Any]
    tables: _Tables
    cache: SqlCache

    def load(self, model: Model) -> LoadedModel:
        """A model with its code read, checked against what there is, and its fingerprint."""
        code = _read(model, self.folder, self.parameters, self.cache)
        for name in code.parameters:
            if name not in self.parameters:
                raise PipelineError(
                    model.dataset, f"the pipeline {self.pipeline.name} has no parameter {name!r}"
                )
        self._check_inputs(model, code)
        used = {name: self.parameters[name] for name in code.parameters}
        cadence = self.every if model.dataset in self.tables.windowed else None
        if cadence is None and (model.all_windows_at_once or (isinstance(model, Step) and model.previous)):
            raise PipelineError(
                model.dataset,
                "its windows are to be computed all at once, and it has none",
                "Nothing was run.",
                "let it read a source with an event_time, or drop `all_windows_at_once` and `previous`",
            )
        lookback = look_back(model, self.parameters)
        facts: list[Any] = [code.mark, cadence, lookback, sorted(model.read_whole), sorted(used.items())]
        if model.all_windows_at_once:
            facts.append("together")
        times = self._times(code.inputs)
        return LoadedModel(
            model,
            code.inputs,
            code.sql,
            _mark(facts)[:32],
            cadence,
            used,
            times,
            self._conserves(model, code.inputs, times if cadence is not None else None),
            self._aggregates(model.measures, model, "measures", code.inputs),
            text=code.text,
            lookback=lookback,
            keep_days=_keep_days(model, self.pipeline, self.parameters),
            keep_where=_keep_where(model, self.cache),
            parts=_parts(model, code.mark, used | {"every": cadence}, lookback),
        )

    def _check_inputs(self, model: Model, code: _Code) -> None:
        """Every table that a model names is there."""
        there = [*self.tables.sources, *self.tables.produced]
        for name in (*code.inputs, *model.read_whole):
            if name not in there:
                place = model.dataset
                if isinstance(model, SqlModel):
                    place = f"{model.file}{_position(code.text, name)}"
                raise PipelineError(
                    place,
                    f"{model.dataset} reads {name}, which no pipeline has; there are "
                    f"{', '.join(sorted(there))}",
                    "Nothing was run.",
                    "mend the name, or declare the source",
                )

    def _times(self, inputs: Sequence[str]) -> dict[str, str]:
        """The column by which each windowed input is cut."""
        sources = self.tables.sources
        found = {name: sources[name].event_time if name in sources else None for name in inputs}
        found |= {name: "window_start" for name in inputs if name in self.tables.windowed}
        return {name: column for name, column in found.items() if column is not None}

    def _conserves(
        self, model: Model, inputs: Sequence[str], times: Mapping[str, str] | None
    ) -> dict[str, Aggregate]:
        """What the model conserves; per window, where `times` are given."""
        found = self._aggregates(model.conserves, model, "conserves", inputs)
        for column, aggregate in found.items():
            if times is not None and aggregate.table not in times:
                raise PipelineError(
                    f"{model.dataset}, conserves {column}",
                    f"{aggregate.table} has no event time to tell windows by",
                    "Nothing was run.",
                    "give the source an event_time, or drop the condition",
                )
        return found

    def _aggregates(
        self, texts: Mapping[str, str], model: Model, kind: str, inputs: Sequence[str]
    ) -> dict[str, Aggregate]:
        return {name: _aggregate(self.cache, text, model, kind, inputs) for name, text in texts.items()}


def _parts(model: Model, code: str, used: Mapping[str, Any], lookback: int) -> dict[str, tuple[str, ...]]:
    """What a fingerprint is made of: the code, and each parameter by its name."""
    if callable(model.lookback):
        used = {**used, "lookback": lookback}
        lookback = 0
    marks = tuple(f"{name}:{_mark(value)[:12]}" for name, value in sorted(used.items()))
    return {
        CODE: (_mark([code, lookback, sorted(model.read_whole), model.all_windows_at_once])[:12],),
        PARAMETER: marks,
    }


def _mark(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def _keep_days(model: Model, pipeline: Pipeline, parameters: Mapping[str, Any]) -> int:
    """For how many days a model's rows are kept; no part of its fingerprint, as it changes no row."""
    if not isinstance(model, Step) or model.retention is None:
        return 0
    if not model.previous:
        raise PipelineError(
            model.dataset,
            "it keeps its rows for some days only, and does not go on from them",
            "Nothing was run.",
            "drop `retention`, or let it go on from its own rows with `previous`",
        )
    if model.retention.days not in parameters:
        raise PipelineError(
            model.dataset, f"the pipeline {pipeline.name} has no parameter {model.retention.days!r}"
        )
    return int(parameters[model.retention.days])


def _keep_where(model: Model, cache: SqlCache) -> str:
    """Which rows of a model are retained for good; no part of its fingerprint either."""
    if not isinstance(model, Step) or model.retention is None:
        return "false"
    return cache.condition(model.retention.keep_where, f"{model.dataset}, keep_where")


def _aggregate(cache: SqlCache, text: str, model: Model, kind: str, inputs: Sequence[str]) -> Aggregate:
    where = f"{model.dataset}, {kind}"
    found = Aggregate(*cache.aggregate(text, where))
    if found.table not in inputs:
        raise PipelineError(
            where,
            f"expected one of its inputs ({', '.join(inputs)}), found {found.table}",
            "Nothing was run.",
            "name a table that the model reads",
        )
    return found


def _module_source(step: Step) -> str:
    module = inspect.getmodule(step.function)
    try:
        return inspect.getsource(module) if module else inspect.getsource(step.function)
    except OSError:
        return step.function.__qualname__


def _read_at(reader: str, read: str, models: Mapping[str, LoadedModel]) -> str:
    """Where a model reads a table: file, line and column for SQL, the function for a step."""
    model = models[reader].model
    if isinstance(model, SqlModel):
        return f"{model.file}{_position(models[reader].text, read)}"
    return f"{model.dataset} ({model.code})"


def _position(text: str, dataset: str) -> str:
    """`, line 3, column 6` of the first place in a text that names a dataset."""
    read = Dataset.of(dataset)
    found = re.search(rf'"?{read.zone}"?\s*\.\s*"?{read.name}\b', text, re.IGNORECASE)
    if found is None:
        return ""
    before = text[: found.start()]
    return f", line {before.count(chr(10)) + 1}, column {found.start() - before.rfind(chr(10))}"


def _with_events(in_order: Sequence[LoadedModel], sources: Mapping[str, Source]) -> list[LoadedModel]:
    """The models with the windowed sources above each, directly or through other models."""
    above: dict[str, tuple[str, ...]] = {
        name: (name,) if source.event_time is not None else () for name, source in sources.items()
    }
    found = []
    for model in in_order:
        events = dict.fromkeys(event for name in model.inputs for event in above.get(name, ()))
        above[model.dataset] = tuple(events)
        found.append(replace(model, events=above[model.dataset]))
    return found
