"""`check` and `repair`: is all that is stored as it was written, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backbone.commands.options import StatusForm
from backbone.commands.terminal import FAILED, console, show_errors
from backbone.commands.terminal import progress as shown_progress

if TYPE_CHECKING:
    from backbone.repair.check import Checked

DeepOption = Annotated[
    bool, typer.Option("--deep", help="Read all rows and all originals; takes as long as that.")
]


def check(
    context: typer.Context,
    deep: DeepOption = False,
    form: Annotated[StatusForm, typer.Option("--format", "-f", help="How to print it.")] = StatusForm.table,
) -> None:
    """Compare all that is stored with what the logs and receipts say of it. Nothing is changed.

    Exit status: 0 all is whole, 1 something is not, 2 wrong use.
    """
    from backbone.project import open_project
    from backbone.repair.check import check as check_project
    from backbone.repair.check import summary

    with show_errors():
        project = open_project(context.obj["root"])
        with shown_progress(context.obj["quiet"]) as progress:
            found = check_project(project, deep=deep, progress=progress)
        if form is StatusForm.json:
            import json
            from dataclasses import asdict

            values = {
                "files": found.files,
                "tables": found.tables,
                "originals": found.originals,
                "is_busy": found.is_busy,
                "findings": [asdict(finding) for finding in found.findings],
            }
            typer.echo(json.dumps(values, indent=2))
        else:
            _show_findings(found)
            typer.echo(summary(found))
            if found.is_busy:
                typer.echo(
                    "A run is writing now: accounts, and files of no version, were not judged.", err=True
                )
    if not found.is_whole:
        raise typer.Exit(FAILED)


def _show_findings(found: Checked) -> None:
    if not found.findings:
        return
    from rich.table import Table

    from backbone.printable import shown

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("what", "where", "expected", "found", "next"):
        table.add_column(name, no_wrap=name == "where")
    for finding in found.findings:
        table.add_row(finding.what, shown(finding.where), finding.expected, finding.found, finding.next_step)
    console().print(table)


def repair(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this the plan is shown alone.")] = False,
    deep: DeepOption = False,
) -> None:
    """Show what would mend what `check` finds, and with --yes do it.

    Exit status: 0 nothing is left for a repair or lost, 1 something is, 2 wrong use.
    """
    from backbone.perform import Waits
    from backbone.project import open_project
    from backbone.repair.check import check as check_project
    from backbone.repair.perform import repair as repair_project
    from backbone.repair.plan import lines, lines_of_left, plan_repair

    with show_errors():
        project = open_project(context.obj["root"])
        with shown_progress(context.obj["quiet"]) as progress:
            if yes:
                repaired = repair_project(
                    project, deep=deep, progress=progress, waits=Waits(on_wait=_say_whom)
                )
                plan, done, lost = repaired.plan, repaired.done, bool(repaired.losses)
            else:
                plan, done = plan_repair(project, check_project(project, deep=deep, progress=progress)), []
                lost = bool(plan.losses)
        if not yes:
            for line in lines(plan):
                typer.echo(line)
        else:
            for line in done:
                typer.echo(line)
            for line in lines_of_left(plan):
                typer.echo(line)
        if not plan.steps and not done:
            if not plan.left:
                typer.echo("There is nothing to repair.")
        elif yes:
            typer.echo("Next: backbone run")
        else:
            typer.echo(f"Next: backbone repair{' --deep' if deep else ''} --yes, which does this")
    if lost or plan.left or (plan.steps and not yes):
        raise typer.Exit(FAILED)


def _say_whom(holder: str) -> None:
    typer.echo(f"Waiting for {holder}, which is writing to this project.", err=True)
