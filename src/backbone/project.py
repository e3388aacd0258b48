"""A project: its settings, the pipelines it runs, and its tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from backbone.errors import PipelineError
from backbone.exploitation.model import LoadedModel
from backbone.home import HOME
from backbone.lake.barrier import Barrier
from backbone.lake.table import Lake
from backbone.loading import LoadedPipeline, load_pipelines, models_of, sources_of
from backbone.pipeline import Source
from backbone.project_folder import refuse_folder
from backbone.settings import Settings, load_settings
from backbone.storage_refused import refusals

if TYPE_CHECKING:
    from backbone.engines.duckdb.database import Database

Progress = Callable[[str], None]

RUN = "run"
"""The name of the database of whoever holds the project's lock."""


@dataclass(frozen=True)
class Project:
    """An opened project: its settings and the pipelines it runs."""

    root: Path
    settings: Settings
    pipelines: tuple[LoadedPipeline, ...]

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.root, Barrier(durable=self.settings.project.durable))

    @cached_property
    def models(self) -> dict[str, LoadedModel]:
        """Every model by its table, each after those it reads."""
        return {model.dataset: model for model in models_of(self.pipelines)}

    @property
    def sources(self) -> list[tuple[Source, str]]:
        return sources_of(self.pipelines)

    @contextmanager
    def database(self, name: str = RUN) -> Iterator[Database]:
        """A local database for one piece of work, with a scratch folder that goes with it.

        Raises
        ------
        StorageRefused
            When the system refuses something, in the work too.
        """
        from backbone.engines.duckdb.database import Database

        settings = self.settings.engine
        with refusals(where=str(self.root)):
            scratch = self._made_scratch(name)
            try:
                database = Database(
                    memory_limit=settings.memory_limit, threads=settings.threads, scratch=scratch
                )
                try:
                    yield database
                finally:
                    database.close()
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def _made_scratch(self, name: str) -> Path:
        """The scratch folder; a temporary one for a reader who can't make it in the project."""
        folder = self.scratch(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            if name == RUN:
                raise
            return Path(mkdtemp(prefix="backbone-"))
        return folder

    def scratch(self, name: str = RUN) -> Path:
        return self.root / HOME / "scratch" / name

    def pipeline(self, name: str) -> LoadedPipeline:
        """The pipeline of this name.

        Raises
        ------
        PipelineError
            When the project runs none.
        """
        known = {p.pipeline.name: p for p in self.pipelines}
        if name not in known:
            raise PipelineError(
                f"pipeline {name}",
                f"the project runs no pipeline of this name; it runs {', '.join(known) or 'none'}",
                "Nothing was run.",
                "add its module to [project] pipelines in backbone.toml",
            )
        return known[name]


def open_project(root: Path) -> Project:
    """Read a project's settings and load its pipelines.

    Raises
    ------
    SettingsError, PipelineError
        When either can't be.
    """
    settings = load_settings(root)
    refuse_folder(settings.root)
    pipelines = load_pipelines(settings, settings.root / HOME / "models.json")
    return Project(settings.root, settings, tuple(pipelines))
