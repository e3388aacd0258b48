"""A project with sample data for every shipped pipeline."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from backbone.errors import SettingsError, StorageRefused
from backbone.project_folder import refuse_folder
from backbone.scaffold import SHIPPED, module_of
from backbone.settings import FILE_NAME
from backbone.storage_refused import refusals
from backbone.whole_file import write_whole

UNFINISHED = "The project is not complete; what is there can be used again."


def make_demo(folder: Path, scale: int = 1) -> None:
    """Write the sample data and a `backbone.toml` that reads it.

    Raises
    ------
    SettingsError
        When the folder holds a project already.
    """
    with refusals("Nothing was changed."):
        is_project = (folder / FILE_NAME).exists()
    if is_project:
        raise SettingsError(
            str(folder),
            f"there is a {FILE_NAME} already",
            "It was left as it is.",
            f"backbone -C {folder} run, or name another folder",
        )
    refuse_folder(folder.resolve())
    modules = ", ".join(f'"{module_of(name)}"' for name in SHIPPED)
    text = f"[project]\npipelines = [{modules}]\n"
    with refusals(UNFINISHED, str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        for name in SHIPPED:
            _write_sample(name, folder, scale)
            text += "\n" + (files(f"backbone.pipelines.{name}") / "demo.toml").read_text(encoding="utf-8")
        write_whole(folder / FILE_NAME, text)


def _write_sample(name: str, folder: Path, scale: int) -> None:
    try:
        importlib.import_module(f"backbone.pipelines.{name}.sample").write_sample(folder, scale)
    except sqlite3.OperationalError as error:
        raise StorageRefused(
            str(folder),
            f"expected room for the database of a sample shop, found: {error}",
            UNFINISHED,
            "free some space on that disk, and run the command again",
        ) from error


def queries() -> Iterator[tuple[str, str]]:
    """What to show of each pipeline: titles and queries, from its `demo.sql`."""
    for name in SHIPPED:
        text = (files(f"backbone.pipelines.{name}") / "demo.sql").read_text(encoding="utf-8")
        for part in text.split(";\n"):
            title, _, sql = part.strip().partition("\n")
            if sql:
                yield title.removeprefix("-- "), sql
