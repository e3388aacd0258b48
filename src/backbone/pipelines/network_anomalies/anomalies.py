"""The tables that come out of one fit: components, scores, outliers, everybody's place among the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from backbone import Rows, StepContext, Window, is_utc

COUNTS = "select user_name, day, hour, events from exploitation.hourly_count where {conditions}"
DAY = "{date} as day, cast({weekday} as smallint) as weekday"
TABLES = {
    "hour_status": ("hours", "hour, status, days, users, components, variance"),
    "component": ("components", "hour, rank, cluster, variance, ratio, cumulative"),
    "user_hour_score": (
        "scores",
        'hour, "user" as user_name, days, events, score, relative, share, component',
    ),
    "outlier": (
        "outliers",
        'hour, "user" as user_name, score, relative, share, component, {day}, events, usual',
    ),
    "outlier_day": ("outlier_days", 'hour, "user" as user_name, position, {day}, events, part'),
    "user_embedding": ("embedding", '"user" as user_name, hours, {places}'),
}
FITTED = ("explained", "threshold", "top", "observations", "period", "timezone", "exclude", "days")


def windows_before(parameters: Mapping[str, Any]) -> int:
    """How many windows before its own a fit looks back.

    The last whole days of another clock than UTC's begin within the window before those of UTC.
    """
    return int(parameters["days"]) - (1 if is_utc(parameters["timezone"]) else 0)


def days_of(window: Window, days: int, timezone: str) -> tuple[date, date]:
    """The last whole days of a clock that end before the window does: the first, and that after the last.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> window = Window(datetime(2026, 1, 14, tzinfo=UTC), datetime(2026, 1, 15, tzinfo=UTC))
    >>> [str(day) for day in days_of(window, 7, "UTC")]
    ['2026-01-08', '2026-01-15']
    >>> [str(day) for day in days_of(window, 7, "America/New_York")]
    ['2026-01-07', '2026-01-14']
    """
    end = window.end.astimezone(ZoneInfo(timezone)).date()
    return date.fromordinal(max(1, end.toordinal() - days)), end


def find_anomalies(context: StepContext) -> Mapping[str, Rows]:
    """Principal components of every hour of the day over the last days, and what follows from them.

    The days begin with the first on which anybody who is not excluded was active, so that a project's first
    windows are not compared with days before its beginning.
    """
    from backbone import HourlyComponents

    parameters, window = context.parameters, context.window
    assert window is not None, "every is day"
    start, end = days_of(window, parameters["days"], parameters["timezone"])
    conditions = [f"day >= date '{start}' and day < date '{end}'"]
    if parameters["exclude"]:
        excluded = context.functions.one_of("user_name", map(context.functions.text, parameters["exclude"]))
        conditions.append(f"not ({excluded})")
    counts = context.rows(COUNTS.format(conditions=" and ".join(conditions)))
    fit = HourlyComponents(
        float(parameters["explained"]),
        float(parameters["threshold"]),
        parameters["top"] or None,
        days=parameters["observations"],
        period=parameters["period"],
    ).fit_counts(counts, user="user_name", end=end)
    folded = parameters["period"] == "weekday"
    day = DAY.format(
        date="cast(null as date)" if folded else "r.day",
        weekday="r.day" if folded else context.functions.iso_weekday("r.day"),
    )
    places = ", ".join(f"x{number + 1}" for number in range(HourlyComponents.dimensions))
    found = {}
    for name, (table, columns) in TABLES.items():
        rows = fit.rows(table)
        sql = f"select {columns.format(day=day, places=places)} from ({rows.sql}) as r"
        found[name] = Rows(rows.engine, sql, rows.versions, rows.staged)
    return found
