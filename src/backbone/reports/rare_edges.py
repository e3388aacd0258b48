"""Pages about rare edges: one edge, or all that have alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backbone.engines import open_engine
from backbone.engines.duckdb.database import Database
from backbone.engines.rows import Rows
from backbone.errors import BackboneError, SettingsError
from backbone.operations.query import open_tables
from backbone.pipelines.rare_edges.edge_states import detector_of
from backbone.reports.page import page

if TYPE_CHECKING:
    from backbone.project import Project

RARE_EDGE, EDGE_STATE = "exploitation.rare_edge", "exploitation.edge_state"
OF_EDGE = "where source = $source and destination = $destination"
COUNTS = f"""
select source, destination, window_start as hour, connections from exploitation.edge_hour {OF_EDGE}
"""
ALERTS = (
    f"select window_start, value, expected, ratio, previous_maximum from {RARE_EDGE} {OF_EDGE} order by 1"
)
RANKED = f"""
select source, destination, count(*) as alerts, max(window_start) as latest,
    arg_max(value, coalesce(ratio, 0)) as value, arg_max(expected, coalesce(ratio, 0)) as expected,
    max(ratio) as ratio
from {RARE_EDGE} group by source, destination
order by ratio desc nulls last, alerts desc, source, destination
"""
UTC_SCALE = {"type": "utc"}
COLOURS = {"counts": "#4c78a8", "expected": "#f58518", "alerts": "#d62728"}


def report_rare_edges(project: Project, reader: str, edge: tuple[str, str] | None, limit: int) -> str:
    """The page of one edge, by its two ends, or the ranking of those that have alerts.

    Parameters
    ----------
    reader : the name of this reader's database.
    limit : edges in the ranking.

    Raises
    ------
    SettingsError
        When the tables are not there yet.
    BackboneError
        When the edge has no connections, or some that nothing can be expected of.
    """
    if not project.lake.exists(RARE_EDGE):
        raise SettingsError(RARE_EDGE, "there is no such table yet", "Nothing was written.", "backbone run")
    with project.database(reader) as database:
        open_tables(project.lake, database)
        if edge is None:
            return ranking_page(database, limit)
        models = {m.dataset: m for pipeline in project.pipelines for m in pipeline.models}
        if EDGE_STATE not in models:
            raise SettingsError(
                EDGE_STATE,
                "no pipeline of the project computes it",
                "Nothing was written.",
                "name it in [project] pipelines of backbone.toml",
            )
        return edge_page(database, *edge, models[EDGE_STATE].parameters)


def edge_page(database: Database, source: str, destination: str, parameters: Mapping[str, Any]) -> str:
    """The history of one edge as a page: its counts, what was expected, and its alerts.

    What was expected is worked out again, as states are not retained for ever.

    Parameters
    ----------
    parameters : those of the pipeline.

    Raises
    ------
    BackboneError
        When it has no connections, or some that nothing can be expected of.
    """
    edge = {"source": source, "destination": destination}
    if not database.create("edge_counts", COUNTS, edge):
        raise BackboneError(
            f"edge {source} > {destination}",
            "it has no connections in exploitation.edge_hour",
            "Nothing was written.",
            "backbone report rare_edges ranks the edges that have alerts",
        )
    try:
        with open_engine("duckdb", database) as engine:
            given = Rows.of(engine, engine.put(database.stream("select * from edge_counts")))
            states = detector_of(parameters).history(None, given)
            database.create("edge_states", f"select last_seen, expected from ({states.sql}) as s")
    except ValueError as error:
        raise BackboneError(
            f"edge {source} > {destination}",
            f"what was expected of it can't be worked out: {error}",
            "Nothing was written.",
            "correct the file that holds these connections, deliver it again under its name, and run "
            "backbone run",
        ) from error
    counts = database.fetch(
        "select c.hour, c.connections, s.expected from edge_counts as c join edge_states as s "
        "on s.last_seen = c.hour order by 1"
    )
    alerts = [_utc(row) for row in database.fetch(ALERTS, edge)]
    hours = [_utc(row) for row in counts]
    total = sum(row[1] for row in hours)
    facts = [
        f"{_several(total, 'connection')} in {_several(len(hours), 'hour')} from "
        f"{hours[0][0]:%Y-%m-%d %H:%M} to {hours[-1][0]:%Y-%m-%d %H:%M} (UTC); "
        f"{_several(len(alerts), 'alert')}.",
        "The line is what is expected of the next hour: more than that is an alert once the edge has been "
        "watched for its training, if the last alert is long enough ago.",
    ]
    heading = ("hour", "connections", "expected", "ratio", "maximum before")
    table = (heading, list(reversed(alerts))) if alerts else None
    return page(f"{source} > {destination}", facts, [_edge_chart(hours, alerts)], table)


def ranking_page(database: Database, limit: int) -> str:
    """All alerts, and the edges ranked by how far they exceeded what was expected of them."""
    ranked = [_utc(row) for row in database.fetch(RANKED)]
    total = sum(row[2] for row in ranked)
    counted = f"{_several(total, 'alert')} of {_several(len(ranked), 'edge')}"
    facts = [f"{counted}, those that most exceeded what was expected first."]
    if len(ranked) > limit:
        facts.append(f"The table shows the first {_several(limit, 'edge')}.")
    if not ranked:
        return page("Rare edges", ["There is no alert."])
    heading = ("source", "destination", "alerts", "latest", "connections", "expected", "ratio")
    alerts = database.fetch(
        f"select window_start, ratio, source, destination, value from {RARE_EDGE} order by 1"
    )
    chart = _alert_chart([_utc(row) for row in alerts])
    return page("Rare edges", facts, [chart], (heading, ranked[:limit]))


def _edge_chart(hours: Sequence[tuple[Any, ...]], alerts: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    counted = [
        {"hour": at, "at": _format_instant(at), "connections": n, "expected": expected}
        for at, n, expected in hours
    ]
    alert_points = [
        {"hour": at, "at": _format_instant(at), "connections": n, "expected": e} for at, n, e, _, _ in alerts
    ]
    tooltip = [
        {"field": "at", "title": "hour (UTC)"},
        {"field": "connections", "type": "quantitative", "format": ","},
        {"field": "expected", "type": "quantitative", "format": ",.1f"},
    ]
    at = {"field": "hour", "type": "temporal", "scale": UTC_SCALE, "title": None}
    symlog = {"type": "symlog"}  # a hundredfold hour leaves room for the others, and 0 stays 0
    n = {"field": "connections", "type": "quantitative", "title": "connections per hour", "scale": symlog}
    return {
        "width": "container",
        "height": 360,
        "layer": [
            {
                "data": {"values": counted},
                "mark": {"type": "bar", "width": 2, "color": COLOURS["counts"]},
                "encoding": {"x": at, "y": n, "tooltip": tooltip},
            },
            {
                "data": {"values": counted},
                "mark": {"type": "line", "interpolate": "step-after", "color": COLOURS["expected"]},
                "encoding": {"x": at, "y": {"field": "expected", "type": "quantitative"}},
            },
            {
                "data": {"values": alert_points},
                "mark": {"type": "point", "filled": True, "size": 90, "color": COLOURS["alerts"]},
                "encoding": {"x": at, "y": n, "tooltip": tooltip},
                "params": [
                    {"name": "zoom", "select": {"type": "interval", "encodings": ["x"]}, "bind": "scales"}
                ],
            },
        ],
    }


def _alert_chart(alerts: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    names = ("hour", "ratio", "source", "destination", "connections")
    rows = [dict(zip(names, row, strict=True)) | {"at": _format_instant(row[0])} for row in alerts]
    return {
        "width": "container",
        "height": 260,
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "size": 60, "color": COLOURS["alerts"]},
        "encoding": {
            "x": {"field": "hour", "type": "temporal", "scale": UTC_SCALE, "title": None},
            "y": {"field": "ratio", "type": "quantitative", "title": "times what was expected"},
            "tooltip": [
                {"field": "source"},
                {"field": "destination"},
                {"field": "at", "title": "hour (UTC)"},
                {"field": "connections", "type": "quantitative", "format": ","},
                {"field": "ratio", "type": "quantitative", "format": ",.2f"},
            ],
        },
    }


def _several(number: int, name: str) -> str:
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def _format_instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _utc(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)
