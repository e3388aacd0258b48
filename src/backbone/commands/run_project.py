"""Run a project for a command: progress on the terminal, and a line when another run holds the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from backbone.commands.terminal import progress as shown_progress

if TYPE_CHECKING:
    from backbone.project import Project
    from backbone.runner import RunResult


def run_project(project: Project, arguments: dict[str, Any], quiet: bool = False) -> RunResult:
    """What a run did; the arguments are those of `backbone.runner.run`."""
    from backbone.runner import run

    def waiting(holder: str) -> None:
        typer.echo(f"Waiting for {holder}, which is writing to this project.", err=True)

    with shown_progress(quiet) as progress:
        return run(project, progress=progress, on_wait=waiting, **arguments)
