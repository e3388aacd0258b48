"""`backbone.toml`: what a project is fed from, and how its pipelines are set.

The file is read once, when a project opens. `${NAME}` stands for an environment variable. Every mistake
names the section and the key, what is expected there and what was found.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backbone.dataset import DATASET_NAME
from backbone.errors import SettingsError
from backbone.resources import refuse_unusable
from backbone.source_settings import Mistake, SourceSettings
from backbone.storage_refused import storage_refused

FILE_NAME = "backbone.toml"
VARIABLE = re.compile(r"\$\{(\w+)\}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectSettings(_Section):
    """Which pipelines the project runs, by module name, and whether a power cut may cost the last seconds.

    With `durable` off nothing is synced to disk: commits are faster, and those of the last seconds may be
    damaged after a power cut.
    """

    pipelines: tuple[str, ...] = ()
    durable: bool = True


class MaintainSettings(_Section):
    """How long versions of a table that others have superseded can still be read."""

    keep_days: Annotated[int, Field(ge=0, le=36500)] = 30
    keep_versions: Annotated[int, Field(ge=0)] = 300


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


class Settings(_Section):
    """A project's settings; `root` is the folder that holds the file."""

    root: Path
    project: ProjectSettings = ProjectSettings()
    engine: EngineSettings = EngineSettings()
    maintain: MaintainSettings = MaintainSettings()
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
    mistake = error.get("ctx", {}).get("error")
    parts = [*error["loc"], *([mistake.setting] if isinstance(mistake, Mistake) else [])]
    place = ".".join(map(str, parts))
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
