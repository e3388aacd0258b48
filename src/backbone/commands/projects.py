"""Commands that make a project, and the one that says which version makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backbone.commands.options import Form
from backbone.commands.reader import reader_name
from backbone.commands.run_project import run_project
from backbone.commands.show_query import show_query
from backbone.commands.terminal import FAILED, console, show_errors, show_run, show_status


def demo(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")] = Path("backbone-demo"),
    scale: Annotated[int, typer.Option(min=1, help="How many times the usual amount of data.")] = 1,
) -> None:
    """Make a project with sample data for every shipped pipeline, run it, and show the results."""
    from backbone.demo import make_demo, queries
    from backbone.overview import overview

    with show_errors():
        from backbone.project import open_project

        make_demo(folder, scale)
        project = open_project(folder)
        typer.echo(
            f"A project with sample data is in {folder}. Running it, as `backbone -C {folder} run` does:\n"
        )
        result = run_project(project, {})
        show_run(result)
        show_status(overview(project, reader_name()))
        for title, sql in queries():
            console().print(f"\n[bold]{title}[/bold]")
            show_query(project, sql, Form.table, 100)
    example = "select * from exploitation.user_behavior_metric limit 5"
    typer.echo(f'\nNext: backbone -C {folder} query "{example}"')
    raise typer.Exit(0 if result.ok else FAILED)


def init(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")],
    pipeline: Annotated[
        list[str] | None,
        typer.Option("--pipeline", "-p", help="A shipped pipeline, or the module of one of yours."),
    ] = None,
) -> None:
    """Make a new project: a backbone.toml with commented examples, and folders to drop files into."""
    from backbone.scaffold import make_project

    with show_errors():
        made = make_project(folder, pipeline or [])
    typer.echo(f"A new project is in {folder}.")
    typer.echo(f"Next: drop files into {made}, or fill in a source in {folder / 'backbone.toml'}; then")
    typer.echo(f"      backbone -C {folder} run")


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(installed("backbone-data"))
