"""A project with sample data for every shipped pipeline."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from backbone.errors import SettingsError
from backbone.scaffold import SHIPPED, module_of
from backbone.settings import FILE_NAME


def make_demo(folder: Path, scale: int = 1) -> None:
    """Write the sample data and a `backbone.toml` that reads it.

    Raises
    ------
    SettingsError
        When the folder holds a project already.
    """
    if (folder / FILE_NAME).exists():
        raise SettingsError(
            str(folder),
            f"there is a {FILE_NAME} already",
            "It was left as it is.",
            f"backbone -C {folder} run, or name another folder",
        )
    folder.mkdir(parents=True, exist_ok=True)
    modules = ", ".join(f'"{module_of(name)}"' for name in SHIPPED)
    text = f"[project]\npipelines = [{modules}]\n"
    for name in SHIPPED:
        importlib.import_module(f"backbone.pipelines.{name}.sample").write_sample(folder, scale)
        text += "\n" + (files(f"backbone.pipelines.{name}") / "demo.toml").read_text(encoding="utf-8")
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def queries() -> Iterator[tuple[str, str]]:
    """What to show of each pipeline: titles and queries, from its `demo.sql`."""
    for name in SHIPPED:
        text = (files(f"backbone.pipelines.{name}") / "demo.sql").read_text(encoding="utf-8")
        for part in text.split(";\n"):
            title, _, sql = part.strip().partition("\n")
            if sql:
                yield title.removeprefix("-- "), sql
