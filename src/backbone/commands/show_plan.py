"""Print a plan: a line for each table and source, and what is not certain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from backbone.commands.terminal import console, show_error

if TYPE_CHECKING:
    from backbone.planning.task import Part, Plan, Task

COLUMNS = ("task", "table", "windows", "why", "rows", "seconds")


def show_plan(plan: Plan) -> None:
    """The tasks on standard output; remarks, and what can't be done, on standard error."""
    if plan.tasks:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in COLUMNS:
            table.add_column(name, justify="right" if name in COLUMNS[-2:] else "left")
        for task in plan.tasks:
            for part in task.parts:
                rows = "" if part.rows is None else f"{part.rows:,}"
                seconds = "" if part.seconds is None else f"{part.seconds:.2f}"
                name = part.source if task.kind == "land" else part.dataset
                why = ", ".join(map(str, part.why))
                table.add_row(task.kind, name, _extent(task, part), why, rows, seconds)
        console().print(table)
    elif not plan.refused:
        typer.echo("Nothing to do.")
    for note in dict.fromkeys(note for task in plan.tasks for part in task.parts for note in part.notes):
        typer.echo(f"Note: {note}", err=True)
    if plan.asked:
        queries = "query of" if len(plan.asked) == 1 else "queries of"
        typer.echo(
            f"Note: the {queries} {', '.join(plan.asked)} will be run too: without windows, "
            "what has changed is known only by its result.",
            err=True,
        )
    for error in plan.refused.values():
        show_error(error)
    for dataset, why in plan.stopped.items():
        typer.echo(f"Not run: {dataset}, because {why}.", err=True)


def _extent(task: Task, part: Part) -> str:
    """The windows, first to last with their number; files; and what is not known yet."""
    parts = []
    if part.files:
        size = f", {part.bytes:,} bytes" if part.bytes else ""
        parts.append(("1 file" if part.files == 1 else f"{part.files:,} files") + size)
    if task.kind == "format" and part.notes:
        parts.append("failed in the last run")
    if part.windows:
        first, last = part.windows[0], part.windows[-1]
        parts.append(str(first) if first == last else f"{first} to {last} ({len(part.windows):,})")
    if task.kind == "build" and task.awaits:
        more = "more " if part.why else ""
        parts.append(f"{more}known when {', '.join(task.awaits)} is done")
    return "; ".join(parts)
