"""What the commands print: results as tables, failures as sentences, progress where someone watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from backbone.commands.signals import (
    drop_output,
    interrupt_status,
    report_interrupt,
    was_interrupted,
)
from backbone.interrupts import check_interrupt

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.errors import BackboneError
    from backbone.overview import Overview
    from backbone.project import Progress
    from backbone.runner import RunResult

FAILED, WRONG_USE = 1, 2
FAILURES_SHOWN = 20  # by `status`


def console() -> Console:
    """A console as wide as the terminal, and wide enough for tables where there is none."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@contextmanager
def show_errors() -> Iterator[None]:
    """Print a failure as its reader needs it, and leave with its exit status."""
    try:
        yield
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or was_interrupted():
            report_interrupt()
            raise typer.Exit(interrupt_status()) from None
        status = _show(error)
        if status is None:
            raise
        try:
            sys.stdout.flush()
        except OSError:
            drop_output()
        raise typer.Exit(status) from None


def _show(error: BaseException) -> int | None:
    """Print an error that is foreseen; its exit status, or None for any other."""
    from backbone.errors import BackboneError, ContractError, PipelineError, QueryRefused, SettingsError
    from backbone.storage_refused import storage_refused

    if isinstance(error, OSError):
        error = storage_refused(error, where="standard output")
    if isinstance(error, BackboneError):
        show_error(error)
        wrong = isinstance(error, SettingsError | PipelineError | ContractError | QueryRefused)
        return WRONG_USE if wrong else FAILED
    if isinstance(error, MemoryError):
        typer.echo(
            "MemoryError: the machine has too little memory left. Nothing of what was being done is "
            "published; what was published before stays.\nNext: free some memory, and run again",
            err=True,
        )
        return FAILED
    return None


def show_error(error: BackboneError) -> None:
    """An error's kind and text, on standard error."""
    typer.echo(f"{type(error).__name__}: {error}", err=True)


@contextmanager
def progress(quiet: bool) -> Iterator[Progress]:
    """What is being done now, on one line of a terminal; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda text: check_interrupt()
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("") as shown:

        def show(text: str) -> None:
            check_interrupt()
            shown.update(text)

        yield show


def show_run(result: RunResult) -> None:
    """What was landed and published, on standard output; what failed, on standard error."""
    from backbone.landing.names import why_left

    for receipt in result.receipts:
        if receipt.stage == "land":
            repeated = f", {receipt.rows_duplicate:,} delivered again" if receipt.rows_duplicate else ""
            files = "1 file" if receipt.rows_written == 1 else f"{receipt.rows_written:,} files"
            typer.echo(f"Landed {files}{repeated}.")
    published = [r for r in result.receipts if r.stage != "land"]
    if published:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("table", "windows", "rows read", "written", "quarantined", "duplicates", "seconds"):
            table.add_column(name, justify="left" if name == "table" else "right")
        for r in published:
            windows = str(len(r.windows)) if r.every else ""
            numbers = (r.rows_read, r.rows_written, r.rows_rejected, r.rows_duplicate)
            table.add_row(r.dataset, windows, *(f"{n:,}" for n in numbers), f"{r.seconds:.2f}")
        console().print(table)
    elif result.ok:
        typer.echo("Nothing is stale.")
    noted: dict[str, list[str]] = {}
    for r in published:
        for note in r.notes if r.stage == "build" else ():
            noted.setdefault(note, []).append(r.dataset)
    for note, datasets in noted.items():
        typer.echo(f"Note: {', '.join(datasets)}: {note}", err=True)
    for r in result.receipts:
        for warning in r.warnings:
            typer.echo(f"Warning: {r.dataset}: {warning}", err=True)
    for warning in result.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    for rows in result.open_rows:
        typer.echo(f"{'Warning' if rows.future else 'Note'}: {rows}", err=True)
    for path in result.waiting:
        typer.echo(why_left(path), err=True)
    for error in result.failures.values():
        show_error(error)
    for dataset, why in result.stopped.items():
        typer.echo(f"Not run: {dataset}, because {why}.", err=True)


def show_status(found: Overview) -> None:
    """The accounts of the sources, then the tables, then what a reader should know."""
    from rich.table import Table

    out = console()
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in (
        "source",
        "files",
        "rows in files",
        "= formatted",
        "+ quarantined",
        "+ duplicates",
        "",
        "latest",
    ):
        shown.add_column(name, justify="left" if name in ("source", "", "latest") else "right")
    to_land = {
        part.source: part.files + len(part.windows)
        for task in found.next_run.tasks
        if task.kind == "land"
        for part in task.parts
    }
    for s in found.sources:
        states = [(s.unformatted, "not formatted"), (s.given_up, "given up")]
        states.append((to_land.get(s.source, 0), "to land"))
        note = ", ".join(f"{count} {state}" for count, state in states if count)
        if not s.rows.balanced:
            note = "does not add up"
        latest = f"{s.latest:%Y-%m-%d %H:%M}" if s.latest else "none yet"
        numbers = (s.files, s.rows.rows, s.rows.formatted, s.rows.quarantined, s.rows.duplicate)
        shown.add_row(s.source, *(f"{n:,}" for n in numbers), note, latest)
    out.print()
    out.print(shown)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("table", "rows", "windows", "latest window", "stale", "version"):
        shown.add_column(name, justify="left" if name in ("table", "latest window") else "right")
    for t in found.tables:
        if t.version < 0:
            shown.add_row(t.dataset, "", "", "not made yet", str(t.stale), "")
            continue
        windows = "" if t.windows is None else f"{t.windows:,}"
        latest = f"{t.latest:%Y-%m-%d %H:%M}" if t.latest else ""
        shown.add_row(t.dataset, f"{t.rows:,}", windows, latest, str(t.stale), str(t.version))
    out.print()
    out.print(shown)
    if (
        found.warnings
        or found.open_rows
        or found.failures
        or found.next_run.tasks
        or found.next_run.refused
        or found.damages
    ):
        out.print()
    for failed in found.failures[:FAILURES_SHOWN]:
        typer.echo(f"{failed.at:%Y-%m-%d %H:%M}  Failed: {failed.error}")
    if len(found.failures) > FAILURES_SHOWN:
        more = len(found.failures) - FAILURES_SHOWN
        typer.echo(f'and {more:,} more failures: backbone query "select errors from operations.run"')
    for warned in found.warnings:
        for warning in warned.warnings:
            typer.echo(f"{warned.at:%Y-%m-%d %H:%M}  Warning: {warned.dataset}: {warning}")
    for rows in found.open_rows:
        typer.echo(f"{rows}.")
    for damage in found.damages:
        typer.echo(f"Damaged: {damage}")
    failed_before = {failed.error for failed in found.failures}
    for error in found.next_run.refused.values():
        if str(error) not in failed_before:
            typer.echo(f"Can't be done now: {error}")
    if tasks := len(found.next_run.tasks):
        typer.echo(f"The next run has {tasks:,} task{'s' if tasks > 1 else ''}: backbone plan")
