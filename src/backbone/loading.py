"""Load what a project names: pipelines imported, checked, parsed, and in an order in which they can run."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic.errors import PydanticUserError

from backbone.declared import check_cadences, check_lists, check_names, check_shared, look_back, settings_of
from backbone.engines import dialect_of
from backbone.engines.sql.cache import SqlCache
from backbone.errors import ContractError, PipelineError
from backbone.exploitation.model import Aggregate, LoadedModel, Model, SqlModel, Step
from backbone.pipeline import Pipeline, Source
from backbone.settings import Settings, SourceSettings


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
    check_shared([p for p, _ in pipelines])
    check_lists([p for p, _ in pipelines])
    produced = {f"exploitation.{m.name}": (m, p) for p, _ in pipelines for m in p.steps}
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
        models = [
            _loaded(model, pipeline, folder, every, parameters, sources, produced, windowed, cache)
            for model in pipeline.steps
        ]
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


def import_pipeline(name: str, places: Sequence[Path]) -> tuple[Pipeline, Path]:
    """A pipeline by the name of its module, or of the package that has a module `pipeline`.

    Parameters
    ----------
    places : folders in which modules are looked for before all others.

    Returns
    -------
    The pipeline, and the folder of its module.

    Raises
    ------
    PipelineError
        When there is no such module, or no `Pipeline` called `pipeline` in it.
    ContractError
        When a contract in it has a name or a default that Pydantic refuses.
    """
    # What it warns of is an error of ours, with what to do about it. The filter stays: to restore those of
    # before would undo what the module itself sets.
    warnings.filterwarnings("ignore", r'Field name ".+" in ".+" shadows an attribute in parent', UserWarning)
    before = list(sys.path)
    sys.path[:0] = [str(place.resolve()) for place in places]
    try:
        module = importlib.import_module(name)
        if not isinstance(getattr(module, "pipeline", None), Pipeline):
            module = importlib.import_module(f"{name}.pipeline")
    except ModuleNotFoundError as error:
        looked = " and ".join(map(str, places))
        raise PipelineError(
            f"pipeline {name}",
            f"there is no module {error.name}",
            "Nothing was changed.",
            f"mend the name; modules are looked for in {looked} first, then where Python finds them",
        ) from error
    except PydanticUserError as error:
        raise ContractError(
            f"pipeline {name}",
            f"Pydantic refuses one of its contracts: {error.message}",
            "Nothing was changed.",
            "call the field otherwise, and map it in backbone.toml: "
            '[sources.NAME] columns = { field = "name in the file" }',
        ) from error
    finally:
        sys.path[:] = before
    pipeline = getattr(module, "pipeline", None)
    if not isinstance(pipeline, Pipeline):
        raise PipelineError(
            f"pipeline {name}",
            "the module has no Pipeline called `pipeline`",
            "Nothing was changed.",
            "add one",
        )
    return pipeline, Path(inspect.getfile(module)).parent


@dataclass(frozen=True)
class _Code:
    """What a model's code says: its SQL (as translated, and as written), inputs, parameters, fingerprint."""

    sql: str | None
    text: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    mark: str


def _read(model: Model, folder: Path, parameters: Mapping[str, Any], cache: SqlCache) -> _Code:
    if not isinstance(model, SqlModel):
        inputs = tuple(dict.fromkeys([*model.reads, *model.uses]))
        mark = hashlib.sha256(_module_source(model).encode()).hexdigest()
        return _Code(None, "", inputs, tuple(model.parameters), mark)
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


def _loaded(
    model: Model,
    pipeline: Pipeline,
    folder: Path,
    every: str | None,
    parameters: Mapping[str, Any],
    sources: Mapping[str, Source],
    produced: Mapping[str, tuple[Model, Pipeline]],
    windowed: set[str],
    cache: SqlCache,
) -> LoadedModel:
    cadence = every if model.dataset in windowed else None
    code = _read(model, folder, parameters, cache)
    inputs = code.inputs
    for name in code.parameters:
        if name not in parameters:
            raise PipelineError(model.dataset, f"the pipeline {pipeline.name} has no parameter {name!r}")
    used = {name: parameters[name] for name in code.parameters}
    for name in (*inputs, *model.whole):
        if name not in sources and name not in produced:
            known = ", ".join(sorted([*sources, *produced]))
            place = model.dataset
            if isinstance(model, SqlModel):
                place = f"{model.file}{_position(code.text, name)}"
            raise PipelineError(
                place,
                f"{model.dataset} reads {name}, which no pipeline has; there are {known}",
                "Nothing was run.",
                "mend the name, or declare the source",
            )
    times = {}
    for name in inputs:
        column = sources[name].event_time if name in sources else None
        if name in windowed:
            column = "window_start"
        if column is not None:
            times[name] = column
    conserves = {
        column: _aggregate(cache, text, model, "conserves", inputs)
        for column, text in model.conserves.items()
    }
    measures = {
        name: _aggregate(cache, text, model, "measures", inputs) for name, text in model.measures.items()
    }
    if cadence is not None:
        for column, aggregate in conserves.items():
            if aggregate.table not in times:
                raise PipelineError(
                    f"{model.dataset}, conserves {column}",
                    f"{aggregate.table} has no event time to tell windows by",
                    "Nothing was run.",
                    "give the source an event_time, or drop the condition",
                )
    if cadence is None and (model.together or (isinstance(model, Step) and model.previous)):
        raise PipelineError(
            model.dataset,
            "its windows are to be computed together, and it has none",
            "Nothing was run.",
            "let it read a source with an event_time, or drop `together` and `previous`",
        )
    keep_days = _keep_days(model, pipeline, parameters)
    lookback = look_back(model, parameters)
    facts: list[Any] = [code.mark, cadence, lookback, sorted(model.whole), sorted(used.items())]
    if model.together:
        facts.append("together")
    fingerprint = hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:32]
    return LoadedModel(
        model,
        inputs,
        code.sql,
        fingerprint,
        cadence,
        used,
        times,
        conserves,
        measures,
        text=code.text,
        lookback=lookback,
        keep_days=keep_days,
    )


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


def _aggregate(cache: SqlCache, text: str, model: Model, kind: str, inputs: Sequence[str]) -> Aggregate:
    where = f"{model.dataset}, {kind}"
    parsed = Aggregate(*cache.aggregate(text, where))
    if parsed.table not in inputs:
        raise PipelineError(
            where,
            f"expected one of its inputs ({', '.join(inputs)}), found {parsed.table}",
            "Nothing was run.",
            "name a table that the model reads",
        )
    return parsed


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
    zone, _, table = dataset.partition(".")
    found = re.search(rf'"?{zone}"?\s*\.\s*"?{table}\b', text, re.IGNORECASE)
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
