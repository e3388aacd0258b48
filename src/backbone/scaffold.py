"""A new project: `backbone.toml` with commented examples, and a folder per source to drop files into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backbone.contracts.contract import columns
from backbone.errors import SettingsError
from backbone.importing import import_pipeline
from backbone.landing.files import TEMPORAL
from backbone.pipeline import Source
from backbone.project_folder import refuse_folder
from backbone.settings import FILE_NAME
from backbone.storage_refused import refusals
from backbone.whole_file import write_whole

SHIPPED = ("movie_rentals", "offer_response", "rare_edges", "network_anomalies")

ANY = "hour, day, week or month"  # how long windows may be, unless a pipeline has its own limit
HEAD = """\
# What this project runs, and what it is fed from. `backbone run` reads it.

[project]
pipelines = [{pipelines}]

[engine]
kind = "duckdb"
memory_limit = "4GB"          # what does not fit is kept on disk meanwhile

# A database that sources can be queried from. ${{NAME}} is an environment variable.
# [connections.shop]
# url = "postgresql://${{SHOP_USER}}:${{SHOP_PASSWORD}}@db.internal/shop"    # or sqlite:///shop.db
"""

SOURCE = """
# {title}
# Fields: {fields}
# Files dropped into {drop} are taken over. Or:
# [sources.{name}]
# path = "/data/{name}-*.csv"              # csv, jsonl or parquet; plain, .gz or .zst; only read
# columns = {{ {first} = "name in the file" }}
# timezone = "Europe/London"               # of times written without one; by default UTC
# # or, instead of a path, from a database:
# connection = "shop"
# query = "select … from … {where}"{start}
"""


def make_project(folder: Path, names: Sequence[str]) -> Path:
    """Make a project that runs the pipelines of these names (the shipped ones when there are none).

    Returns
    -------
    The folder below which files are dropped.

    Raises
    ------
    SettingsError
        When the folder holds a project already.
    """
    with refusals("Nothing was changed."):
        is_project = (folder / FILE_NAME).exists()
    if is_project:
        raise SettingsError(
            str(folder), f"there is a {FILE_NAME} already", "It was left as it is.", "name another folder"
        )
    refuse_folder(folder.resolve())
    modules = [module_of(name) for name in names or SHIPPED]
    pipelines = [import_pipeline(module, [folder, Path.cwd()])[0] for module in modules]
    text = HEAD.format(pipelines=", ".join(f'"{module}"' for module in modules))
    for pipeline in pipelines:
        text += f"\n# Pipeline {pipeline.name}\n# [pipelines.{pipeline.name}]\n"
        if pipeline.every is not None:
            may_be, _ = pipeline.validators.get("every", (ANY, None))
            text += f'# every = "{pipeline.every}"              # {may_be}\n'
        text += "".join(f"# {name} = {_toml(value)}\n" for name, value in pipeline.parameters.items())
        text += "".join(map(_section, pipeline.sources))
    with refusals("The project is not complete; what is there can be used again.", str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        for pipeline in pipelines:
            for source in pipeline.sources:
                (folder / TEMPORAL / source.name).mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE_NAME, text)
    return folder / TEMPORAL


def module_of(name: str) -> str:
    """The module of a shipped pipeline's name; any other name is a module's already."""
    return f"backbone.pipelines.{name}" if name in SHIPPED else name


def _section(source: Source) -> str:
    fields = columns(source.contract)
    time = source.event_time
    where = f"where {time} >= $window_start and {time} < $window_end" if time else "order by 1"
    listed = ", ".join(f"{c.name} {c.sql_type.lower()}{' or null' if c.nullable else ''}" for c in fields)
    return SOURCE.format(
        title=f"Source {source.name}: {(source.contract.__doc__ or '').strip().splitlines()[0]}",
        fields=listed,
        drop=f"{TEMPORAL.as_posix()}/{source.name}/",
        name=source.name,
        first=fields[0].name,
        where=where,
        start="\n# start = 2026-01-01" if time else "",
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
