"""Hold what pipelines declare, and what the settings say of them, to each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backbone.contracts.column import Column
from backbone.contracts.contract import columns
from backbone.dataset import CADENCES, DATASET_NAME, ZONES
from backbone.errors import ContractError, PipelineError, SettingsError
from backbone.exploitation.model import LoadedModel, Model, Step
from backbone.home import HOME
from backbone.pipeline import Pipeline, Source
from backbone.settings import Settings
from backbone.source_settings import SourceSettings


def check_names(settings: Settings, pipelines: Sequence[Pipeline]) -> None:
    tables: dict[str, str] = {}
    contracts: dict[str, Source] = {}
    for pipeline in pipelines:
        if pipeline.every is not None and pipeline.every not in CADENCES:
            raise PipelineError(
                f"pipeline {pipeline.name}",
                f"expected every to be one of {', '.join(CADENCES)}, found {pipeline.every!r}",
            )
        for name in [*(s.name for s in pipeline.sources), *(m.name for m in pipeline.steps)]:
            if not DATASET_NAME.fullmatch(name):
                raise PipelineError(
                    f"pipeline {pipeline.name}",
                    f"expected a table's name of lower case letters, digits and _, found {name!r}",
                    "Nothing was run.",
                    "rename it",
                )
        for source in pipeline.sources:
            other = contracts.setdefault(source.name, source)
            if (other.contract, other.event_time) != (source.contract, source.event_time):
                raise PipelineError(
                    f"source {source.name}",
                    "two pipelines declare it with different contracts",
                    "Nothing was run.",
                    "let both import one",
                )
            columns(source.contract)  # a contract that can't be kept is found here, before anything runs
            _check_event_time(source)
        for model in pipeline.steps:
            if model.dataset in tables:
                raise PipelineError(
                    model.dataset,
                    f"both {tables[model.dataset]} and {pipeline.name} compute it",
                    "Nothing was run.",
                    "rename one",
                )
            tables[model.dataset] = pipeline.name
            if isinstance(model, Step) and model.schema is not None:
                columns(model.schema)
    known = {p.name for p in pipelines}
    for name in settings.pipelines:
        if name not in known:
            raise SettingsError(
                f"backbone.toml, [pipelines.{name}]",
                f"the project runs no pipeline of this name; it runs {', '.join(sorted(known)) or 'none'}",
                "",
                "name its module under [project] pipelines, or remove the section",
            )
    for name, section in settings.sources.items():
        if name not in contracts:
            raise SettingsError(
                f"backbone.toml, [sources.{name}]",
                f"no pipeline has a source of this name; there are {', '.join(sorted(contracts)) or 'none'}",
                "",
                "rename or remove the section",
            )
        for settings_of_files in section.of_all_files:
            _check_fields(name, settings_of_files, columns(contracts[name].contract))


def _check_fields(name: str, section: SourceSettings, of_contract: Sequence[Column]) -> None:
    """What the settings say of fields is said of fields of the contract, and is possible."""
    fields = {c.name for c in of_contract}
    for wrong in sorted(set(section.columns) - fields):
        raise SettingsError(
            f"backbone.toml, [sources.{name}] columns",
            f"the contract has no field {wrong!r}; it has {', '.join(sorted(fields))}",
            "",
            'write columns = { field = "name in the file" }',
        )
    for wrong in sorted(set(section.column) - fields):
        raise SettingsError(
            f"backbone.toml, [sources.{name}.column.{wrong}]",
            f"the contract has no field {wrong!r}; it has {', '.join(sorted(fields))}",
            "",
            "name a field of the contract, or remove the section",
        )
    _check_unpivot(name, section, of_contract)
    _check_origins(name, section, of_contract)


def _check_unpivot(name: str, section: SourceSettings, fields: Sequence[Column]) -> None:
    """The columns that become rows are those of no field, and their names and values go to fields."""
    unpivot, known = section.unpivot, [column.name for column in fields]
    if unpivot is None:
        return
    for key, field in (("name", unpivot.name), ("value", unpivot.value)):
        if field not in known:
            raise SettingsError(
                f"backbone.toml, [sources.{name}.unpivot] {key}",
                f"the contract has no field {field!r}; it has {', '.join(sorted(known))}",
                "",
                f"write {key} = the field that takes the columns' {key}s",
            )
    for field in known:
        for column in section.names_of(field):
            if pattern := unpivot.takes(column):
                raise SettingsError(
                    f"backbone.toml, [sources.{name}.unpivot] columns",
                    f"expected names of columns that no field reads, found {pattern!r}, which is also that "
                    f"of the column {column!r} of the field {field}",
                    "",
                    'write a narrower pattern, or "*" for all columns that no field reads',
                )


def _check_origins(name: str, section: SourceSettings, fields: Sequence[Column]) -> None:
    """The parts of the path are fields, keys made of file and record are texts, and something is read."""
    known = {column.name for column in fields}
    parts = re.compile(section.from_path or "").groupindex
    for wrong in sorted(set(parts) - known):
        raise SettingsError(
            f"backbone.toml, [sources.{name}] from_path",
            f"the contract has no field {wrong!r}; it has {', '.join(sorted(known))}",
            "",
            "name each part as a field of the contract; write (?:…) around what is none",
        )
    for column in fields:
        if section.is_row_key(column.name) and (column.sql_type != "VARCHAR" or column.rules):
            raise SettingsError(
                f"backbone.toml, [sources.{name}.column.{column.name}] row_key",
                "expected a field of type str without constraints",
                "",
                "declare the field as `str` in the contract",
            )
    for column in fields:
        own = section.column.get(column.name)
        if (
            own is not None
            and own.sign is not None
            and column.sql_type[:6] not in ("BIGINT", "DOUBLE", "DECIMA")
        ):
            raise SettingsError(
                f"backbone.toml, [sources.{name}.column.{column.name}] sign",
                "expected a field of type int, float or Decimal",
                "",
                "remove the sign, or declare the field as a number",
            )
    if section.unpivot is None and not any(section.names_of(column.name) for column in fields):
        raise SettingsError(
            f"backbone.toml, [sources.{name}]",
            "no field is left to be read from the files",
            "",
            "let a field of the contract come from a column",
        )


def _check_event_time(source: Source) -> None:
    if source.event_time is None:
        return
    found = next((c for c in columns(source.contract) if c.name == source.event_time), None)
    if found is None or found.sql_type != "TIMESTAMPTZ" or found.nullable:
        raise ContractError(
            f"source {source.name}",
            f"expected event_time {source.event_time!r} to be a datetime field that is never null",
            "Nothing was run.",
            f"mend {source.contract.__name__}",
        )


def check_exports(pipelines: Sequence[Pipeline]) -> None:
    """Exports are of a table that the pipeline computes, and have a parameter that is a text."""
    for pipeline in pipelines:
        for export in pipeline.exports:
            folder = pipeline.parameters.get(export.parameter)
            if export.table in {m.name for m in pipeline.steps} and isinstance(folder, str):
                continue
            raise PipelineError(
                f"pipeline {pipeline.name}, lists of {export.table}",
                f"expected a table of the pipeline and a parameter that is a text, such as '' by default, "
                f"found {export.table!r} and {export.parameter!r}",
                "Nothing was run.",
                "mend the name, or declare the parameter",
            )


def settings_of(settings: Settings, pipeline: Pipeline) -> tuple[str | None, dict[str, Any]]:
    section = dict(settings.pipelines.get(pipeline.name, {}))
    every = section.pop("every", pipeline.every)
    where = f"backbone.toml, [pipelines.{pipeline.name}]"
    if every is not None and every not in CADENCES:
        raise SettingsError(
            where,
            f"expected every to be one of {', '.join(CADENCES)}, found {every!r}",
            "",
            "write one of them",
        )
    expected, holds = pipeline.validators.get("every", ("", lambda value: True))
    if not holds(every):
        raise SettingsError(where, f"expected every to be {expected}, found {every!r}", "", "write that")
    for name, value in section.items():
        if name not in pipeline.parameters:
            raise SettingsError(
                where,
                f"the pipeline has no parameter {name!r}; it has {', '.join(pipeline.parameters) or 'none'}",
                "",
                "rename or remove it",
            )
        default = pipeline.parameters[name]
        number = isinstance(default, int | float) and isinstance(value, int | float)
        flag = bool in (type(default), type(value))  # to Python it is a number too
        alike = type(value) is type(default) if flag else number or isinstance(value, type(default))
        if not alike:
            raise SettingsError(
                where, f"expected {name} like {default!r}, found {value!r}", "", "write one of the same kind"
            )
        expected, holds = pipeline.validators.get(name, ("", lambda value: True))
        if not holds(value):
            raise SettingsError(where, f"expected {name} to be {expected}, found {value!r}", "", "write one")
    for export in pipeline.exports:
        folder = section.get(export.parameter, "")
        if folder and not _is_beside_tables(settings.root, folder):
            raise SettingsError(
                where,
                f"expected {export.parameter} to be a folder, in the project beside its tables or anywhere "
                f"else, found {folder!r}",
                "",
                "write one",
            )
    return every, {**pipeline.parameters, **section}


def _is_beside_tables(root: Path, folder: str) -> bool:
    """Whether files may be written to a folder: it is not the project's, nor in one that holds its tables."""
    place, project = (root / folder).resolve(), root.resolve()
    taken = [project / name for name in (*ZONES, HOME)]
    return ".." not in Path(folder).parts and place != project and not any(map(place.is_relative_to, taken))


def look_back(model: Model, parameters: Mapping[str, Any]) -> int:
    """How many windows a model looks back, under the pipeline's parameters.

    Raises
    ------
    PipelineError
        When that is no whole number from 0.
    """
    windows = model.lookback(parameters) if callable(model.lookback) else model.lookback
    if not isinstance(windows, int) or windows < 0:
        raise PipelineError(
            model.dataset,
            f"expected its lookback to be a whole number of windows from 0, found {windows!r}",
            "Nothing was run.",
            "mend `lookback`, or the parameters that it is a function of",
        )
    return windows


def check_one_fit(pipelines: Sequence[Pipeline]) -> None:
    """Steps that share one computation see the same."""
    alike = ("reads", "pins", "lookback", "read_whole", "windowed", "parameters")
    for pipeline in pipelines:
        first: dict[Any, Step] = {}
        for step in pipeline.steps:
            if not isinstance(step, Step) or not step.one_fit:
                continue
            other = first.setdefault(step.function, step)
            differs = [name for name in alike if getattr(step, name) != getattr(other, name)]
            if differs:
                raise PipelineError(
                    step.dataset,
                    f"it shares {step.code} with {other.dataset}: expected the same "
                    f"{' and '.join(differs)}, found {', '.join(repr(getattr(step, n)) for n in differs)}",
                    "Nothing was run.",
                    "let both say the same",
                )
            if step.all_windows_at_once or step.previous:
                raise PipelineError(
                    step.dataset,
                    "its function computes several tables in one fit, which is called for each window by "
                    "itself, and its windows are to be computed all at once",
                    "Nothing was run.",
                    "drop `one_fit`, or `all_windows_at_once` and `previous`",
                )


def check_cadences(models: Sequence[LoadedModel]) -> None:
    """A model's windows hold whole windows of what it reads by window: days of hours, not the reverse."""
    holds = {"hour": {"hour"}, "day": {"hour", "day"}, "week": {"hour", "day", "week"}}
    holds["month"] = {"hour", "day", "month"}
    every = {m.dataset: m.every for m in models}
    for model in models:
        for name in model.inputs:
            read = every.get(name)
            if model.every and read and name not in model.model.read_whole and read not in holds[model.every]:
                raise PipelineError(
                    model.dataset,
                    f"its windows are {model.every}s, and {name}, which it reads by window, has {read}s",
                    "Nothing was run.",
                    f"give both pipelines one cadence, or read it whole: read_whole=[{name!r}]",
                )
