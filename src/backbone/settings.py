"""`backbone.toml`: what a project is fed from, and how its pipelines are set.

The file is read once, when a project opens. `${NAME}` stands for an environment variable. Every mistake
names the section and the key, what is expected there and what was found.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from backbone.contracts.notation import Notation
from backbone.contracts.time_format import read_format
from backbone.dataset import DATASET_NAME, Every
from backbone.errors import SettingsError
from backbone.resources import refuse_unusable
from backbone.storage_refused import storage_refused
from backbone.timezones import is_timezone

FILE_NAME = "backbone.toml"
VARIABLE = re.compile(r"\$\{(\w+)\}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectSettings(_Section):
    """Which pipelines the project runs, by module name."""

    pipelines: tuple[str, ...] = ()


class EngineSettings(_Section):
    """Where SQL runs, and within which memory."""

    kind: str = "duckdb"
    memory_limit: str = "4GB"
    threads: int | None = None

    @model_validator(mode="after")
    def _usable(self) -> EngineSettings:
        refuse_unusable(self.memory_limit, self.threads)
        return self


class ConnectionSettings(_Section):
    """A database that sources are queried from: `postgresql://…` or `sqlite:///path`."""

    url: str


class SourceSettings(_Section):
    """What feeds a source: nothing (dropped files only), a path or glob, or a query."""

    path: str | None = None
    connection: str | None = None
    query: str | None = None
    every: Every | None = None
    start: datetime | date | None = None
    end: datetime | date | None = None
    refetch: Annotated[int, Field(ge=0)] = 0

    format: Literal["csv", "jsonl", "parquet"] | None = None
    columns: dict[str, str] = {}
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(max_length=1)] = '"'
    escape: Annotated[str, Field(max_length=1)] | None = None
    header: bool = True
    skip: Annotated[int, Field(ge=0)] = 0
    timezone: str = "UTC"
    date_format: str | None = None
    datetime_format: str | None = None
    decimal_separator: Annotated[str, Field(min_length=1, max_length=1)] = "."
    thousands_separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    redelivery: Literal["replace", "append"] = "replace"
    latest: Literal["delivery", "hash"] = "delivery"
    extra_columns: Literal["warn", "refuse", "ignore"] = "warn"

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        import codecs

        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError(f"no encoding is called {value!r}") from None
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"{value!r} is no encoding of text") from None
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _no_nul(cls, value: str | None) -> str | None:
        if value == "\0":  # which the engine takes for none
            raise ValueError("expected a character that is not NUL, or an empty text for none")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if not is_timezone(value):
            raise ValueError(f"no time zone is called {value!r}")
        return value

    @field_validator("date_format", "datetime_format")
    @classmethod
    def _known_format(cls, value: str | None) -> str | None:
        if value is not None:
            read_format(value)
        return value

    @model_validator(mode="after")
    def _separate_signs(self) -> SourceSettings:
        try:
            Notation(decimal_separator=self.decimal_separator, thousands_separator=self.thousands_separator)
        except SettingsError as error:
            raise ValueError(f"{error.where}: {error.problem}") from None
        if self.delimiter is not None and self.delimiter in (self.quote, self.escape):
            raise ValueError(f"the delimiter {self.delimiter!r} is also the quote or the escape")
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> SourceSettings:
        if (self.connection is None) != (self.query is None):
            raise ValueError("connection and query go together")
        if self.path is not None and self.query is not None:
            raise ValueError("a source has a path or a query, not both")
        return self


class Settings(_Section):
    """A project's settings; `root` is the folder that holds the file."""

    root: Path
    project: ProjectSettings = ProjectSettings()
    engine: EngineSettings = EngineSettings()
    connections: dict[str, ConnectionSettings] = {}
    sources: dict[str, SourceSettings] = {}
    pipelines: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _known_connections(self) -> Settings:
        for name, source in self.sources.items():
            if not DATASET_NAME.fullmatch(name):
                raise ValueError(f"sources.{name}: a source's name is lower case letters, digits and _")
            if source.connection is not None and source.connection not in self.connections:
                raise ValueError(f"sources.{name}.connection: there is no [connections.{source.connection}]")
        return self


def load_settings(root: Path) -> Settings:
    """Read a project's `backbone.toml`.

    Raises
    ------
    SettingsError
        When there is none, it is not TOML, or says something that can't be meant.
    """
    path = root / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            str(root),
            f"expected a project, found no {FILE_NAME}",
            "",
            f"backbone init {root}, or name another folder with -C",
        ) from None
    except OSError as error:
        refused = storage_refused(error)
        raise SettingsError(refused.where, refused.problem, "", refused.next_step) from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise SettingsError(
            str(path),
            f"expected text in UTF-8, found the byte 0x{byte:02X} at position {error.start}",
            "",
            "save the file as UTF-8",
        ) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), f"this is not TOML: {error}", "", "mend that line") from None
    try:
        return Settings(root=root.resolve(), **_with_variables(data, str(path), ()))
    except ValidationError as error:
        problems = "; ".join(_problem(e) for e in error.errors())
        raise SettingsError(str(path), problems, "", "mend the file") from None
    except TypeError as error:
        raise SettingsError(str(path), str(error), "", "mend the file") from None


def _problem(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"[{place}] is not a setting"
    found = error.get("input")
    shown = f" (found {found!r})" if isinstance(found, str | int | float | bool) else ""
    return f"{place}: {message}{shown}" if place else message


def _with_variables(value: Any, file: str, place: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {k: _with_variables(v, file, (*place, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_variables(v, file, place) for v in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise SettingsError(
                f"{file}, {'.'.join(place)}",
                f"expected the environment variable {name}, found none",
                "",
                f"export {name}=…",
            )
        return os.environ[name]

    return VARIABLE.sub(replace, value)
