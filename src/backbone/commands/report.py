"""The command that writes a page about a pipeline's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backbone.commands.arguments import instant, refuse
from backbone.commands.reader import reader_name
from backbone.commands.terminal import show_errors


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
        from backbone.project import open_project
        from backbone.storage_refused import refusals
        from backbone.whole_file import write_whole

        allowed = {"rare_edges": {"edge"}, "network_anomalies": {"user", "hour", "window"}}
        if pipeline not in allowed:
            refuse(f"expected a pipeline that has a report ({', '.join(allowed)}), found {pipeline!r}")
        asked = {"edge": edge, "user": user, "hour": hour, "window": window}
        for name in sorted({n for n, value in asked.items() if value is not None} - allowed[pipeline]):
            refuse(f"the report of {pipeline} has no --{name}")
        if hour is not None and user is None:
            refuse("--hour goes with --user")
        file = output or Path(f"{pipeline}.html")
        if pipeline == "rare_edges":
            from backbone.reports.rare_edges import report_rare_edges

            text = report_rare_edges(open_project(context.obj["root"]), reader_name(), edge, limit)
        else:
            from backbone.reports.network_anomalies import report_network_anomalies

            start = instant(window) if window else None
            project = open_project(context.obj["root"])
            text = report_network_anomalies(project, reader_name(), user, hour, start, limit)
        with refusals("The page was not written.", str(file)):
            write_whole(file, text)
        typer.echo(f"Wrote {file}.")
