"""Commands that show what is in a project, and how it came about."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backbone.commands.arguments import instant
from backbone.commands.options import Form, FormOption, StatusForm
from backbone.commands.reader import reader_name
from backbone.commands.show_query import is_empty, show_query
from backbone.commands.terminal import FAILED, console, show_errors, show_status


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="A SELECT in DuckDB's dialect; - reads it from standard input.")],
    form: FormOption = Form.table,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Every table as it was at this instant (UTC).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown as a table; other formats give all.")] = 100,
) -> None:
    """SQL over all zones: landing, formatted, quarantine, duplicate, exploitation, operations."""
    with show_errors():
        from backbone.project import open_project

        text = sys.stdin.read() if sql == "-" else sql
        project = open_project(context.obj["root"])
        show_query(project, text, form, limit, instant(as_of) if as_of else None)


def status(
    context: typer.Context,
    form: Annotated[StatusForm, typer.Option("--format", "-f", help="How to print it.")] = StatusForm.table,
) -> None:
    """What is there: the accounts of every source, every table with its windows, failures and warnings."""
    from backbone.overview import overview

    with show_errors():
        from backbone.project import open_project

        project = open_project(context.obj["root"])
        found = overview(project, reader_name())
        if form is StatusForm.json:
            import json
            from dataclasses import asdict, replace

            from backbone.planning.as_json import as_json as plan_as_json
            from backbone.planning.task import Plan

            values = asdict(replace(found, next_run=Plan())) | {"next_run": plan_as_json(found.next_run)}
            typer.echo(json.dumps(values, default=str, indent=2))
        else:
            show_status(found)
    if not found.is_whole:
        raise typer.Exit(FAILED)


def history(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Such as exploitation.user_behavior_metric.")],
    form: FormOption = Form.table,
    limit: Annotated[int, typer.Option(min=1, help="Commits shown, newest first.")] = 20,
) -> None:
    """How a table came about: every commit with its receipt."""
    from backbone.commands.query_output import print_rows
    from backbone.errors import SettingsError
    from backbone.ledger.index import Index
    from backbone.operations.history import history_query

    with show_errors():
        from backbone.project import open_project

        project = open_project(context.obj["root"])
        if not project.lake.exists(dataset):
            there = project.lake.datasets()
            raise SettingsError(
                dataset,
                f"no table is named {dataset}; the tables are {', '.join(there) or 'none yet'}",
                "",
                "name one of them",
            )
        reader, everything = reader_name(), form is not Form.table
        with project.database(reader) as database:
            index = Index(project.lake, database, project.scratch(reader))
            sql = history_query(index, dataset, limit, everything=everything)
            print_rows(database, sql, form.value, limit, {"dataset": dataset}, console)


def quarantine(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="A source; all of them when none is named.")] = None,
    form: FormOption = Form.table,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown as a table; other formats give all.")] = 20,
) -> None:
    """What was turned away: file, line, reasons and raw text."""
    from backbone.dataset import Dataset
    from backbone.errors import SettingsError

    with show_errors():
        from backbone.project import open_project

        project = open_project(context.obj["root"])
        stored = [Dataset.of(name) for name in project.lake.datasets()]
        known = [s.name for s, _ in project.sources]
        if source is not None and source not in known:
            raise SettingsError(
                f"source {source}",
                f"no source is named {source}; the sources are {', '.join(known)}",
                "",
                "name one of them",
            )
        tables = [table for table in stored if table.zone == "quarantine" and source in (None, table.name)]
        if not tables:
            typer.echo("Nothing is in quarantine.")
            return
        rows = " union all ".join(f"select '{table.name}' as source, * from {table}" for table in tables)
        if form is Form.table and is_empty(project, f"select 1 from ({rows}) as q"):
            typer.echo("Nothing is in quarantine.")
            return
        sql = (
            "select q.source, b.name as file, q.line, q.reasons, q.raw, q._batch as batch "
            f"from ({rows}) as q join landing.batch as b on b.batch = q._batch "
            "order by q.source, b.arrived_at, q.line"
        )
        show_query(project, sql, form, limit)
