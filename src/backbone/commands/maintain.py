"""`backbone maintain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from backbone.commands.terminal import FAILED, console, progress, show_error, show_errors

if TYPE_CHECKING:
    from backbone.maintain import Maintained

KIB = 1024


def maintain(context: typer.Context) -> None:
    """Join small files, let old versions expire, and remove files that no version refers to.

    Exit status: 0 all tables are done, 1 some could not be, 2 wrong use.
    """
    from backbone.maintain import maintain as maintain_project
    from backbone.perform import Waits
    from backbone.project import open_project

    def waiting(holder: str) -> None:
        typer.echo(f"Waiting for {holder}, which is writing to this project.", err=True)

    with show_errors():
        project = open_project(context.obj["root"])
        with progress(context.obj["quiet"]) as shown:
            done = maintain_project(project, shown, Waits(on_wait=waiting))
        for warning in done.warnings:
            typer.echo(f"Warning: {warning}", err=True)
        for lost in done.lost:
            typer.echo(f"Warning: {lost}", err=True)
        for failure in done.failures:
            show_error(failure)
        _show(done)
    if done.failures:
        raise typer.Exit(FAILED)


def _show(done: Maintained) -> None:
    if done.warnings:
        typer.echo("Nothing was freed, as damaged logs had to be mended first. Next: backbone maintain")
        return
    if not done.tables:
        typer.echo("There is nothing to free.")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("table")
    for heading in ("joined", "files of logs", "data files", "KiB"):
        table.add_column(heading, justify="right")
    for freed in done.tables:
        numbers = (freed.joined, freed.log_files, freed.data_files, round(freed.bytes / KIB))
        table.add_row(freed.dataset, *(f"{number:,}" for number in numbers))
    console().print(table)
    typer.echo(f"Freed {done.files:,} files with {done.bytes / KIB**2:,.1f} MiB.")
