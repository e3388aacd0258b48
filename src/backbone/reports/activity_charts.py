"""Charts of activity by hour and day, as specifications in Vega-Lite."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

HOURS = list(range(24))
HOUR = {
    "field": "hour",
    "type": "ordinal",
    "title": "hour",
    "scale": {"domain": HOURS},
    "axis": {"labelAngle": 0},
}
MARK = "#1f3b73"
COLOURS = {"usual": "#f58518", "events": "#9ecae9", "spike": "#d62728"}


def scores_chart(
    users: Sequence[str], scores: Sequence[tuple[Any, ...]], outliers: Collection[tuple[int, str]]
) -> dict[str, Any]:
    """Hours × users, coloured by the score; a point where the user is an outlier.

    Parameters
    ----------
    users : from the top.
    scores : hour, user, score, relative, share, days and events.
    """
    names = ("hour", "user", "score", "relative", "share", "days", "events")
    rows = [dict(zip(names, row, strict=True)) for row in scores]
    marked = [row for row in rows if (row["hour"], row["user"]) in outliers]
    user = {
        "field": "user",
        "type": "nominal",
        "title": None,
        "sort": list(users),
        "scale": {"domain": list(users)},
    }
    tooltip = [
        {"field": "user"},
        {"field": "hour"},
        {"field": "score", "type": "quantitative", "format": ".3f"},
        {"field": "relative", "type": "quantitative", "format": ".2f"},
        {"field": "share", "type": "quantitative", "format": ".1%"},
        {"field": "events", "type": "quantitative", "format": ","},
        {"field": "days", "type": "quantitative", "title": "active days"},
    ]
    colour = {
        "field": "score",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "scheme": "yelloworangered"},
    }
    return {
        "width": "container",
        "height": {"step": 18},
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "rect", "tooltip": True},
                "encoding": {"x": HOUR, "y": user, "color": colour, "tooltip": tooltip},
            },
            {
                "data": {"values": marked},
                "mark": {
                    "type": "point",
                    "filled": True,
                    "size": 36,
                    "color": MARK,
                    "stroke": "white",
                    "strokeWidth": 1,
                    "opacity": 1,
                },
                "encoding": {"x": HOUR, "y": user, "tooltip": tooltip},
            },
        ],
    }


def activity_chart(
    days: Sequence[date], counts: Sequence[tuple[date, int, int]], marked: Mapping[tuple[date, int], int]
) -> dict[str, Any]:
    """Days × hours, coloured by events; a ring around what drives the score of an hour, the largest the most.

    Parameters
    ----------
    counts : day, hour and events.
    marked : from day and hour to the position of the day among those that drive the hour, 1 the strongest.
    """
    events_of = {(day, hour): events for day, hour, events in counts}
    rows = [{"day": str(day), "hour": hour, "events": n} for (day, hour), n in events_of.items()]
    rings = [
        {"day": str(day), "hour": hour, "events": events_of.get((day, hour), 0), "rank": position}
        for (day, hour), position in marked.items()
    ]
    step = -(-len(days) // 40)
    labelled = [str(day) for day in days[::step]]
    day_axis = {
        "field": "day",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": [str(day) for day in days]},
        "axis": {"values": labelled},
    }
    tooltip = [
        {"field": "day"},
        {"field": "hour"},
        {"field": "events", "type": "quantitative", "format": ","},
    ]
    symlog = {"type": "symlog", "scheme": "blues"}  # a hundredfold hour leaves room for the others
    return {
        "width": "container",
        "height": {"step": 16 if len(days) <= 60 else 4},
        "layer": [
            {
                "data": {"values": rows},
                "mark": "rect",
                "encoding": {
                    "x": HOUR,
                    "y": day_axis,
                    "color": {"field": "events", "type": "quantitative", "scale": symlog},
                    "tooltip": tooltip,
                },
            },
            {
                "data": {"values": rings},
                "mark": {"type": "point", "color": COLOURS["spike"], "strokeWidth": 2, "opacity": 1},
                "encoding": {
                    "x": HOUR,
                    "y": day_axis,
                    "size": {"condition": {"test": "datum.rank === 1", "value": 120}, "value": 30},
                    "tooltip": [*tooltip, {"field": "rank", "title": "drives the score as number"}],
                },
            },
        ],
    }


def days_chart(
    days: Sequence[date], events: Mapping[date, int], hour: int, usual: float | None, spikes: Collection[date]
) -> dict[str, Any]:
    """One hour, day by day: bars, those that drive the score in red, and a line where the usual count is."""
    rows = [
        {"day": str(day), "events": events.get(day, 0), "drives": "yes" if day in spikes else "no"}
        for day in days
    ]
    day_axis = {"field": "day", "type": "temporal", "title": None, "scale": {"type": "utc"}}
    bars: dict[str, Any] = {
        "data": {"values": rows},
        "mark": {"type": "bar", "width": {"band": 0.8}},
        "encoding": {
            "x": {**day_axis, "timeUnit": "utcyearmonthdate"},
            "y": {"field": "events", "type": "quantitative", "title": f"events in hour {hour}"},
            "color": {
                "field": "drives",
                "type": "nominal",
                "title": "drives the score",
                "scale": {"domain": ["yes", "no"], "range": [COLOURS["spike"], COLOURS["events"]]},
            },
            "tooltip": [{"field": "day"}, {"field": "events", "type": "quantitative", "format": ","}],
        },
    }
    layers = [bars]
    if usual is not None:
        layers.append(
            {
                "data": {"values": [{"usual": usual}]},
                "mark": {"type": "rule", "color": COLOURS["usual"], "strokeWidth": 2, "strokeDash": [6, 3]},
                "encoding": {
                    "y": {"field": "usual", "type": "quantitative"},
                    "tooltip": [{"field": "usual", "type": "quantitative"}],
                },
            }
        )
    return {"width": "container", "height": 220, "layer": layers}
