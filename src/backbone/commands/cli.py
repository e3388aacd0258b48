"""The command `backbone`: its options, and the commands in the order in which help lists them.

Nothing heavy is imported here, or at the head of a file of commands: each command imports what it needs, so
that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from backbone.commands.maintain import maintain
from backbone.commands.pin import pin
from backbone.commands.projects import demo, init, version
from backbone.commands.reading import history, quarantine, query, status
from backbone.commands.report import report
from backbone.commands.running import land, plan, run
from backbone.commands.storage import check, repair

COMMANDS: tuple[Callable[..., None], ...] = (
    demo, init, land, run, plan, query, status, history, quarantine, report, check, repair,
    maintain, pin, version,
)  # fmt: skip

app = typer.Typer(
    name="backbone",
    help="Turns the files and tables you have into trusted tables, and trusted tables into models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes up in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    context: typer.Context,
    project: Annotated[
        Path, typer.Option("-C", "--project", help="The project's folder.", show_default="this folder")
    ] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")] = False,
) -> None:
    context.obj = {"root": project, "quiet": quiet}


for _command in COMMANDS:
    app.command()(_command)
