"""The command `backbone`: thin callers of the functions that do the work.

Nothing heavy is imported here: each command imports what it needs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backbone.commands.arguments import instant, refuse, time_range
from backbone.commands.options import (
    EndOption,
    ForceOption,
    Form,
    FormOption,
    NamesArgument,
    StartOption,
    StatusForm,
    WindowOption,
)
from backbone.commands.terminal import FAILED, console, show_errors, show_run, show_status
from backbone.commands.terminal import progress as shown_progress

if TYPE_CHECKING:
    from datetime import datetime

    from backbone.project import Project
    from backbone.runner import RunResult

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


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")] = Path("backbone-demo"),
    scale: Annotated[int, typer.Option(min=1, help="How many times the usual amount of data.")] = 1,
) -> None:
    """Make a project with sample data for every shipped pipeline, run it, and show the results."""
    from backbone.demo import make_demo, queries
    from backbone.overview import overview

    with show_errors():
        make_demo(folder, scale)
        project = _open(folder)
        _say(f"A project with sample data is in {folder}. Running it, as `backbone -C {folder} run` does:\n")
        result = _run(project, {})
        show_run(result)
        show_status(overview(project, _reader()))
        for title, sql in queries():
            console().print(f"\n[bold]{title}[/bold]")
            _show_query(project, sql, Form.table, None, 100)
    _say(f'\nNext: backbone -C {folder} query "select * from exploitation.user_behavior_metric limit 5"')
    raise typer.Exit(0 if result.ok else FAILED)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")],
    pipeline: Annotated[
        list[str] | None,
        typer.Option("--pipeline", "-p", help="A shipped pipeline, or the module of one of yours."),
    ] = None,
) -> None:
    """Make a new project: a backbone.toml with commented examples, and folders to drop files into."""
    from backbone.scaffold import make_project

    with show_errors():
        made = make_project(folder, pipeline or [])
    _say(f"A new project is in {folder}.")
    _say(f"Next: drop files into {made}, or fill in a source in {folder / 'backbone.toml'}; then")
    _say(f"      backbone -C {folder} run")


@app.command()
def land(
    context: typer.Context,
    source: Annotated[
        list[str] | None, typer.Argument(help="Sources; all of them when none is named.")
    ] = None,
) -> None:
    """Take over what lies in temporal landing, and collect from paths and queries."""
    with show_errors():
        project = _open(context.obj["root"])
        result = _run(project, {"land_only": source or []}, quiet=context.obj["quiet"])
        show_run(result)
    raise typer.Exit(0 if result.ok else FAILED)


@app.command()
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
        begin, until = time_range(window, start, end)
        project = _open(context.obj["root"])
        result = _run(
            project,
            {
                "names": name or [],
                "start": begin,
                "end": until,
                "force": force,
                "only": only,
                "accept_loss": accept_loss or [],
            },
            quiet=context.obj["quiet"],
        )
        show_run(result)
    raise typer.Exit(0 if result.ok else FAILED)


@app.command()
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
        begin, until = time_range(window, start, end)
        project = _open(context.obj["root"])
        made = make_plan(project, name or [], start=begin, end=until, force=force)
        if as_json:
            import json

            from backbone.planning.as_json import as_json as plan_as_json

            typer.echo(json.dumps(plan_as_json(made), indent=2))
        else:
            show_plan(made)


@app.command()
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
        text = sys.stdin.read() if sql == "-" else sql
        project = _open(context.obj["root"])
        _show_query(project, text, form, instant(as_of) if as_of else None, limit)


@app.command()
def status(
    context: typer.Context,
    form: Annotated[StatusForm, typer.Option("--format", "-f", help="How to print it.")] = StatusForm.table,
) -> None:
    """What is there: the accounts of every source, every table with its windows, failures and warnings."""
    from backbone.overview import overview

    with show_errors():
        project = _open(context.obj["root"])
        if form is StatusForm.json:
            import json
            from dataclasses import asdict

            typer.echo(json.dumps(asdict(overview(project, _reader())), default=str, indent=2))
        else:
            show_status(overview(project, _reader()))


@app.command()
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
        project = _open(context.obj["root"])
        if not project.lake.exists(dataset):
            there = project.lake.datasets()
            raise SettingsError(
                dataset,
                f"no table is named {dataset}; the tables are {', '.join(there) or 'none yet'}",
                "",
                "name one of them",
            )
        reader, everything = _reader(), form is not Form.table
        with project.database(reader) as database:
            index = Index(project.lake, database, project.scratch(reader))
            sql = history_query(index, dataset, limit, everything=everything)
            print_rows(database, sql, form.value, limit, {"dataset": dataset}, console)


@app.command()
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
        project = _open(context.obj["root"])
        stored = map(Dataset.of, project.lake.datasets())
        there = [dataset.name for dataset in stored if dataset.zone == "quarantine"]
        known = [s.name for s, _ in project.sources]
        if source is not None and source not in known:
            raise SettingsError(
                f"source {source}",
                f"no source is named {source}; the sources are {', '.join(known)}",
                "",
                "name one of them",
            )
        wanted = [name for name in there if source in (None, name)]
        if not wanted:
            _say("Nothing is in quarantine.")
            return
        rows = " union all ".join(f"select '{name}' as source, * from quarantine.{name}" for name in wanted)
        if form is Form.table and _is_empty(project, f"select 1 from ({rows}) as q"):
            _say("Nothing is in quarantine.")
            return
        _show_query(
            project,
            "select q.source, b.name as file, q.line, q.reasons, q.raw, q._batch as batch "
            f"from ({rows}) as q join landing.batch as b on b.batch = q._batch "
            "order by q.source, b.arrived_at, q.line",
            form,
            None,
            limit,
        )


@app.command()
def report(
    context: typer.Context,
    pipeline: Annotated[
        str, typer.Argument(help="A pipeline that has a report: rare_edges or network_anomalies.")
    ],
    edge: Annotated[
        tuple[str, str] | None,
        typer.Option("--edge", metavar="SOURCE DESTINATION", help="rare_edges: one edge, by its two ends."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="network_anomalies: one user, by name.")] = None,
    hour: Annotated[
        int | None, typer.Option("--hour", min=0, max=23, help="With --user: one hour of the day.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", help="network_anomalies: a day.", show_default="the last one"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write.", show_default="PIPELINE.html"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Edges or outliers in the ranking.")] = 100,
) -> None:
    """Write a page about a pipeline's results: one HTML file that opens without a network."""
    with show_errors():
        allowed = {"rare_edges": {"edge"}, "network_anomalies": {"user", "hour", "window"}}
        if pipeline not in allowed:
            refuse(f"expected a pipeline that has a report ({', '.join(allowed)}), found {pipeline!r}")
        asked = {"edge": edge, "user": user, "hour": hour, "window": window}
        for name in sorted({n for n, value in asked.items() if value is not None} - allowed[pipeline]):
            refuse(f"the report of {pipeline} has no --{name}")
        if hour is not None and user is None:
            refuse("--hour goes with --user")
        from backbone.storage_refused import refusals
        from backbone.whole_file import write_whole

        file = output or Path(f"{pipeline}.html")
        if pipeline == "rare_edges":
            from backbone.reports.rare_edges import report_rare_edges

            text = report_rare_edges(_open(context.obj["root"]), _reader(), edge, limit)
        else:
            from backbone.reports.network_anomalies import report_network_anomalies

            start = instant(window) if window else None
            text = report_network_anomalies(_open(context.obj["root"]), _reader(), user, hour, start, limit)
        with refusals("The page was not written.", str(file)):
            write_whole(file, text)
        _say(f"Wrote {file}.")


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(installed("backbone-data"))


# --- shared by the commands ---


def _say(text: str) -> None:
    typer.echo(text)


def _open(root: Path) -> Project:
    from backbone.project import open_project

    return open_project(root)


def _run(project: Project, arguments: dict[str, Any], quiet: bool = False) -> RunResult:
    from backbone.runner import run as run_project

    def waiting(holder: str) -> None:
        typer.echo(f"Waiting for {holder}, which is writing to this project.", err=True)

    with shown_progress(quiet) as progress:
        return run_project(project, progress=progress, on_wait=waiting, **arguments)


def _reader() -> str:
    import os

    return f"reader-{os.getpid()}"


def _show_query(
    project: Project,
    sql: str,
    form: Form,
    as_of: datetime | None,
    limit: int,
    parameters: dict[str, Any] | None = None,
) -> None:
    from backbone.commands.query_output import print_rows
    from backbone.operations.query import open_tables

    with project.database(_reader()) as database:
        open_tables(project.lake, database, as_of)
        print_rows(database, sql, form.value, limit, parameters, console)


def _is_empty(project: Project, sql: str) -> bool:
    from backbone.operations.query import open_tables

    with project.database(_reader()) as database:
        open_tables(project.lake, database)
        return not database.fetch(f"{sql} limit 1")
