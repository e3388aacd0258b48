"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Form(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class StatusForm(StrEnum):
    """How the status is printed."""

    table = "table"
    json = "json"


NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Pipelines, and tables such as exploitation.NAME; all when none is named.",
    ),
]
WindowOption = Annotated[
    str | None, typer.Option(help="Only this hour, day or month: 2026-01-31T13, 2026-01-31, 2026-01.")
]
StartOption = Annotated[str | None, typer.Option("--from", help="Only windows from this instant (UTC) on.")]
EndOption = Annotated[str | None, typer.Option("--to", help="Only windows before this instant (UTC).")]
ForceOption = Annotated[bool, typer.Option("--force", help="Also windows that are not stale.")]
FormOption = Annotated[Form, typer.Option("--format", "-f", help="How to print the rows.")]
