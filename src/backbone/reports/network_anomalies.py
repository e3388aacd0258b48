"""Pages about users whose activity is erratic: all of a window's outliers, or one user."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from backbone.contracts.contract import quote_literal
from backbone.dataset import window_of
from backbone.engines.duckdb.database import Database
from backbone.errors import BackboneError, SettingsError
from backbone.operations.query import open_tables
from backbone.pipelines.network_anomalies.anomalies import days_of
from backbone.reports.activity_charts import activity_chart, days_chart, scores_chart
from backbone.reports.page import page

if TYPE_CHECKING:
    from backbone.project import Project

OUTLIER = "exploitation.outlier"
MOST_USERS = 40  # in the picture
WEEKDAYS = ("", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
OUTLIERS = f"""
select hour, user_name, score, relative, share, day, weekday, events, usual from {OUTLIER}
where window_start = $start order by round(share, 9) desc, hour, user_name
"""
SCORES = """
select hour, user_name, score, relative, share, days, events from exploitation.user_hour_score
where window_start = $start and user_name in (select unnest($users)) order by user_name, hour
"""
COUNTS = """
select day, hour, cast(sum(events) as bigint) from exploitation.hourly_count
where user_name = $user and day >= $first and day < $end group by day, hour order by day, hour
"""
DRIVEN = """
select hour, day, weekday, position from exploitation.outlier_day
where window_start = $start and user_name = $user order by hour, position
"""
CLUSTER = """
select cluster, users, silhouette from exploitation.user_cluster
where window_start = $start and user_name = $user
"""
ALIKE = """
select user_name from exploitation.user_cluster
where window_start = $start and cluster = $cluster and user_name <> $user
order by distance, user_name limit 10
"""
HEADING = ("hour", "user", "score", "relative", "share", "day", "events", "usual")
MEANING = (
    "A score is how much of a direction of the hour's variance is the user's; the share is their part of all "
    "that is explained. Outliers are marked."
)


def report_network_anomalies(
    project: Project, reader: str, user: str | None, hour: int | None, start: datetime | None, limit: int
) -> str:
    """The page of a window's outliers, or of one user in it.

    Parameters
    ----------
    reader : the name of this reader's database.
    hour : of the user, to be shown day by day; by default that in which they stand out most.
    start : an instant in the window; by default the last that has been computed.
    limit : outliers in the ranking.

    Raises
    ------
    SettingsError
        When the tables are not there yet.
    BackboneError
        When the window has not been computed, or the user was not active in it.
    """
    if not project.lake.exists(OUTLIER):
        raise SettingsError(OUTLIER, "there is no such table yet", "Nothing was written.", "backbone run")
    parameters = project.pipeline("network_anomalies").parameters
    with project.database(reader) as database:
        open_tables(project.lake, database)
        begins = _window(database, start)
        if user is None:
            return outliers_page(database, begins, limit)
        return user_page(database, begins, user, hour, parameters)


def outliers_page(database: Database, start: datetime, limit: int) -> str:
    """All outliers of a window, ranked by what they drive of their hour, and their scores in all hours."""
    outliers = database.fetch(OUTLIERS, {"start": start})
    (hours, days, users) = database.fetch(
        "select count(*) filter (where status = 'analysed'), max(days), "
        "(select count(*) from exploitation.user_embedding where window_start = $start) "
        "from exploitation.hour_status where window_start = $start",
        {"start": start},
    )[0]
    names = list(dict.fromkeys(row[1] for row in outliers))
    facts = [
        f"{_counted(len(outliers), 'outlier')}, {_counted(len(names), 'user')} of {users:,}, in "
        f"{_counted(hours, 'hour')} of the day over {_counted(days, 'day')}, those that drive most of their "
        "hour first.",
        MEANING,
    ]
    title = f"Network anomalies, {start:%Y-%m-%d}"
    if not outliers:
        if not users:
            return page(title, ["There is no activity to compare in the days of this window."])
        among = f"{_counted(users, 'user')} over {_counted(days, 'day')}"
        return page(title, [f"There is no outlier among {among}."])
    if len(names) > MOST_USERS:
        facts.append(f"The picture shows the first {MOST_USERS} users.")
    if len(outliers) > limit:
        facts.append(f"The table shows the first {limit:,} outliers.")
    shown = names[:MOST_USERS]
    scores = database.fetch(SCORES, {"start": start, "users": shown})
    chart = scores_chart(shown, scores, {(row[0], row[1]) for row in outliers})
    return page(title, facts, [chart], (HEADING, [_as_shown(row) for row in outliers[:limit]]))


def user_page(
    database: Database, start: datetime, user: str, hour: int | None, parameters: Mapping[str, Any]
) -> str:
    """One user's activity by day and hour, where they stand out, and who behaves alike.

    Raises
    ------
    BackboneError
        When they were not active in the window's days.
    """
    asked = {"start": start, "user": user}
    first, end = _days(database, start, parameters)
    counts = database.fetch(COUNTS, {"user": user, "first": first, "end": end})
    scores = database.fetch(SCORES, {"start": start, "users": [user]})
    if not counts or not scores:
        raise BackboneError(
            f"user {user}",
            f"no activity of theirs is analysed in the window {start:%Y-%m-%d}",
            "Nothing was written.",
            "backbone report network_anomalies ranks the outliers; --window names another day",
        )
    outliers = [row for row in database.fetch(OUTLIERS, {"start": start}) if row[1] == user]
    if hour is None:
        hour = max(scores, key=lambda row: (row[4], -row[0]))[0]
    driven = database.fetch(DRIVEN, asked)
    total, active = sum(row[2] for row in counts), len({row[0] for row in counts})
    days = _counted((end - first).days, "day")
    facts = [
        f"{_counted(total, 'event')} on {active:,} of the {days} from {first} to before {end}"
        f"{'' if parameters['timezone'] == 'UTC' else ' (' + parameters['timezone'] + ')'}; "
        f"an outlier in {_counted(len(outliers), 'hour')}."
    ]
    facts += _alike(database, asked)
    marked = {
        (day, at): position
        for at, on, weekday, position in driven
        for day in _dates(first, end)
        if day == on or (on is None and day.isoweekday() == weekday)
    }
    usual = next((row[8] for row in outliers if row[0] == hour), None)
    charts = [
        activity_chart(_dates(first, end), counts, marked),
        days_chart(_dates(first, end), {d: n for d, at, n in counts if at == hour}, hour, usual,
                   {d for d, at in marked if at == hour}),
    ]  # fmt: skip
    facts.append("The days that drive the score of an hour are ringed: events are many there, or missing.")
    table = (HEADING, [_as_shown(row) for row in outliers]) if outliers else None
    return page(user, facts, charts, table)


def _alike(database: Database, asked: dict[str, Any]) -> list[str]:
    """A sentence about the cluster of a user; none before clusters are published."""
    found = database.fetch(CLUSTER, asked)
    if not found:
        return []
    cluster, users, silhouette = found[0]
    if silhouette is None:
        return ["No users were found to be more alike than others."]
    if users == 1:
        return [f"Like nobody else: alone in cluster {cluster}."]
    if cluster == 1:
        return [f"Like most others: cluster 1, the largest, of {users:,} users."]
    others = [row[0] for row in database.fetch(ALIKE, asked | {"cluster": cluster})]
    more = f" and {users - 1 - len(others):,} more" if users - 1 > len(others) else ""
    return [f"Alike (cluster {cluster}, {users:,} users): {', '.join(others)}{more}."]


def _counted(number: int, what: str) -> str:
    """A number of things in words.

    Examples
    --------
    >>> _counted(1, "day"), _counted(1200, "day")
    ('1 day', '1,200 days')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _window(database: Database, start: datetime | None) -> datetime:
    """The start of the window that is asked for."""
    computed = "select max(window_start) from exploitation.hour_status"
    if start is None:
        found = database.fetch(computed)[0][0]
    else:
        asked = {"start": window_of(start, "day").start}
        found = database.fetch(f"{computed} where window_start = $start", asked)[0][0]
    if found is None:
        raise BackboneError(
            "exploitation.hour_status",
            "no window has been computed" if start is None else f"the window {start:%Y-%m-%d} has not been",
            "Nothing was written.",
            "backbone run network_anomalies",
        )
    begins: datetime = found.astimezone(UTC)
    return begins


def _days(database: Database, start: datetime, parameters: Mapping[str, Any]) -> tuple[date, date]:
    """The days that were analysed: from the first with data."""
    first, end = days_of(window_of(start, "day"), parameters["days"], parameters["timezone"])
    excluded = ", ".join(map(quote_literal, parameters["exclude"])) or "''"
    least = database.fetch(
        "select min(day) from exploitation.hourly_count where day >= $first and day < $end "
        f"and user_name not in ({excluded})",
        {"first": first, "end": end},
    )[0][0]
    return least or first, end


def _dates(first: date, end: date) -> list[date]:
    return [date.fromordinal(number) for number in range(first.toordinal(), end.toordinal())]


def _as_shown(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of the table, its day in words where days are folded."""
    hour, user, score, relative, share, day, weekday, events, usual = row
    return (hour, user, score, relative, share, str(day or WEEKDAYS[weekday]), events, usual)
