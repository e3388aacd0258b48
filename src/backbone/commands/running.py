"""Commands that bring a project up to date, and the one that says what they would do."""

from __future__ import annotations

from typing import Annotated

import typer

from backbone.commands.arguments import time_range
from backbone.commands.options import EndOption, ForceOption, NamesArgument, StartOption, WindowOption
from backbone.commands.run_project import run_project
from backbone.commands.terminal import FAILED, show_errors, show_run


def land(
    context: typer.Context,
    source: Annotated[
        list[str] | None, typer.Argument(help="Sources; all of them when none is named.")
    ] = None,
) -> None:
    """Take over what lies in temporal landing, and collect from paths and queries."""
    with show_errors():
        from backbone.project import open_project

        project = open_project(context.obj["root"])
        result = run_project(project, {"land_only": source or []}, context.obj["quiet"])
        show_run(result)
    raise typer.Exit(0 if result.ok else FAILED)


def run(
    context: typer.Context,
    name: NamesArgument = None,
    window: WindowOption = None,
    start: StartOption = None,
    end: EndOption = None,
    force: ForceOption = False,
    only: Annotated[
        bool, typer.Option("--only", help="The named tables without what they depend on.")
    ] = False,
    accept_loss: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-loss",
            metavar="SOURCE",
            help="Go on without the files of this source that can't be formatted; repeatable.",
        ),
    ] = None,
) -> None:
    """Land, format, and bring every stale window up to date.

    Exit status: 0 done, 1 a step or check failed (what does not depend on it is done), 2 wrong use.
    """
    with show_errors():
        from backbone.project import open_project

        begin, until = time_range(window, start, end)
        project = open_project(context.obj["root"])
        arguments = {
            "names": name or [],
            "start": begin,
            "end": until,
            "force": force,
            "only": only,
            "accept_loss": accept_loss or [],
        }
        result = run_project(project, arguments, context.obj["quiet"])
        show_run(result)
    raise typer.Exit(0 if result.ok else FAILED)


def plan(
    context: typer.Context,
    name: NamesArgument = None,
    window: WindowOption = None,
    start: StartOption = None,
    end: EndOption = None,
    force: ForceOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of the plan, as JSON.")] = False,
) -> None:
    """Show what `run` would do, and why. Nothing is changed."""
    from backbone.commands.show_plan import show_plan
    from backbone.planning.plan import plan as make_plan

    with show_errors():
        from backbone.project import open_project

        begin, until = time_range(window, start, end)
        project = open_project(context.obj["root"])
        made = make_plan(project, name or [], start=begin, end=until, force=force)
        if as_json:
            import json

            from backbone.planning.as_json import as_json as plan_as_json

            typer.echo(json.dumps(plan_as_json(made), indent=2))
        else:
            show_plan(made)
