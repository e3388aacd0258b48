"""`backbone pin`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from backbone.commands.arguments import refuse
from backbone.commands.terminal import console, show_errors

if TYPE_CHECKING:
    from backbone.ledger.pins import Pin


def pin(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The name under which versions are kept; without it pins are listed.")
    ] = None,
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Tables such as formatted.NAME, or formatted.NAME@12 for a version of it."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Let go of what the name keeps, or of these tables alone.")
    ] = False,
) -> None:
    """Keep versions of tables for ever under a name, list what is kept, or let go of it.

    Exit status: 0 done, 1 it could not be, 2 wrong use.
    """
    from backbone.pinning import pin as pin_versions
    from backbone.pinning import pins, unpin
    from backbone.project import open_project

    with show_errors():
        versions = _versions(tables or ())
        project = open_project(context.obj["root"])
        if name is None:
            if remove:
                refuse("expected the name of a pin after --remove, found none")
            _show(pins(project))
        elif remove:
            gone = unpin(project, name, versions or None, on_wait=_say_whom, on_warning=_warn)
            if not gone:
                _refuse_unknown(name, tables or (), pins(project))
            typer.echo(f"Removed: {_listed(gone)}.")
        else:
            if not versions:
                refuse(f"expected tables to pin as {name}, found none")
            made = pin_versions(project, name, versions, on_wait=_say_whom, on_warning=_warn)
            typer.echo(f"Pinned: {_listed(made)}." if made else "It is pinned already.")


def _versions(tables: Sequence[str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for table in tables:
        dataset, at, version = table.partition("@")
        if at and not (version.isascii() and version.isdecimal()):
            refuse(f"expected a table such as formatted.sale or formatted.sale@12, found {table!r}")
        if dataset in found:
            refuse(f"expected each table once, found {dataset} twice")
        found[dataset] = int(version) if at else None
    return found


def _refuse_unknown(name: str, tables: Sequence[str], there: Sequence[Pin]) -> None:
    from backbone.errors import BackboneError

    names = ", ".join(dict.fromkeys(pin.name for pin in there)) or "none"
    of = f" of {', '.join(tables)}" if tables else ""
    raise BackboneError(
        f"pin {name}",
        f"expected a pin{of} of this name, found none; there are: {names}",
        "Nothing is changed.",
        "backbone pin lists all pins",
    )


def _listed(found: Sequence[Pin]) -> str:
    return ", ".join(f"{pin.dataset}@{pin.version}" for pin in found)


def _show(found: Sequence[Pin]) -> None:
    if not found:
        typer.echo("Nothing is pinned.")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "table", "version", "pinned at"):
        table.add_column(heading, justify="right" if heading == "version" else "left", no_wrap=True)
    for pin in found:
        table.add_row(pin.name, pin.dataset, str(pin.version), f"{pin.created_at:%Y-%m-%d %H:%M}")
    console().print(table)


def _say_whom(holder: str) -> None:
    typer.echo(f"Waiting for {holder}, which is writing to this project.", err=True)


def _warn(warning: str) -> None:
    typer.echo(f"Warning: {warning}", err=True)
