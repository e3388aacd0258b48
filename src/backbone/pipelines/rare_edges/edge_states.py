"""The step `edge_state`: what is known of every edge, window by window.

A window has a row for every edge that had connections in it. Every edge has besides an hour of the day, its
turn, drawn from its names: where the turn has come since its last row, the next window in which any edge has
connections carries it along. So the state as of any window is in the rows of the 24 hours that end with it
(with the last window before it that has rows), nobody has to read those before, and no window carries along
much more than its share, a 24th of all edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backbone import StepContext, StepFailed

if TYPE_CHECKING:
    from backbone import RareEdgeDetector, Rows

DAY = 24
COUNTS = "select source, destination, window_start as hour, connections from exploitation.edge_hour"
WINDOWS = "select distinct window_start from exploitation.edge_hour order by 1"

# The hour of the day in which an edge is carried along is told by a checksum of its names.
NAMES = "concat(source, ' ', destination)"

# The last row of each edge that has connections now, or whose turn comes: no other is needed to go on from.
# The two are asked for apart, as a condition with `or` is not worked out while the files are read.
LATEST = """
select {state}, turn, window_start as stands from (
    select *, row_number() over (partition by source, destination order by window_start desc) as n from (
        select * from ({rows}) as p where turn in ({turns})
        union all
        select * from ({rows}) as p where turn not in ({turns}) and exists (
            select 1 from exploitation.edge_hour as h
            where h.source = p.source and h.destination = p.destination
        )
    ) as b
) as l where n = 1
"""
NO_TURN = -1

# A row holds until the next of its edge, and is carried into the windows in which its turn comes meanwhile.
HOLDING = "select {state}, turn, next_seen as until, last_seen as stands from ({found}) as f"
KNOWN_HOLDING = """
select {state}, turn, until, stands from {known} as k left join (
    select source, destination, min(last_seen) as until from ({found}) as f group by source, destination
) as s using (source, destination)
"""
CARRIED = """
select f.begins as window_start, {state}, l.turn, 0 as seen, {no_alert}
from (
    select *, {hour} as hour from ({holding}) as h
) as l join {turns} as f
on f.turn = l.turn and f.begins > l.last_seen and f.begins < coalesce(l.until, {never})
where coalesce({until} > l.hour + 1 + ((l.turn - l.hour - 1) % 24 + 24) % 24, true)
"""
UNLESS_RETIRED = " and f.begins <= l.last_seen + interval '{days} days'"

# An edge is retired in the first window that is its turn and too late, or when it is seen again, too late,
# before that. Its last row may be there still, after hours without connections: then its turn has come since.
TURN_AFTER = "l.hour + 1 + ((l.turn - l.hour - 1) % 24 + 24) % 24 > {last}"
RETIRED = """
select count(*) from (
    select *, {hour} as hour, last_seen + interval '{days} days' as due
    from ({holding}) as h
) as l
where coalesce(l.until > l.due, true) and {counted}
and (l.until is not null or exists (select 1 from {turns} as f where f.turn = l.turn and f.begins > l.due))
"""


MOST = 1 << 53  # connections in an hour, as the detector counts them
TOO_MANY = f"""
select source, destination, window_start, connections from exploitation.edge_hour where connections > {MOST}
order by window_start, source, destination limit 1
"""


def _refuse_too_many(context: StepContext) -> None:
    """Tell where counts come from that can't be taken in: what is to be mended is what was delivered."""
    for row in context.query(TOO_MANY).read_all().to_pylist():
        source, destination, at, found = row.values()
        raise StepFailed(
            f"exploitation.edge_state, window {at.astimezone(UTC):%Y-%m-%dT%H}",
            f"expected at most 2**53 ({MOST:,}) connections of an edge in an hour, found {found:,} of "
            f"{source} > {destination}",
            "Nothing of it is published; what was there before stays.",
            "correct the file that says so, deliver it again under its name, and run again",
        )


def watch_edges(context: StepContext) -> Rows:
    """The state of every edge after each window that it had connections in, and the alerts."""
    from backbone import RareEdgeDetector, Rows

    counts, previous, since = context.rows(COUNTS), context.previous, context.since
    functions = context.functions
    engine, state, staged = counts.engine, ", ".join(RareEdgeDetector.state_columns), []
    measures = {"retired": 0}
    _refuse_too_many(context)
    last = None
    if previous is not None:
        last = engine.fetch(f"select max(window_start) from ({previous.sql}) as p")[0][0].astimezone(UTC)
    windows = [at.astimezone(UTC) for at in context.query(WINDOWS).read_all().column(0).to_pylist()]
    coming = [(at, turn) for at, turn in turns(windows, last) if since is None or at >= since]
    known = None
    if previous is not None and windows:
        listed = ", ".join(map(str, sorted({NO_TURN, *(turn for _, turn in coming)})))
        latest = context.rows(LATEST.format(state=state, rows=previous.sql, turns=listed))
        staged.append(engine.stage(latest.sql))
        known = Rows(engine, f"select {state} from {staged[0]}")

    history = detector_of(context.parameters).history(known, counts, since, {"turn": turn_sql(context)})
    staged, found = [*staged, *history.staged], history.sql
    alerts = ", ".join(f"alert_{name}" for name in RareEdgeDetector.alert_columns)
    sql = f"select last_seen as window_start, {state}, turn, 1 as seen, {alerts} from ({found}) as f"
    if since is not None:
        sql += f" where last_seen >= {functions.instant(since)} or alert_value is not null"
    if coming:
        holding = HOLDING.format(state=state, found=found)
        if known is not None:
            holding += f" union all {KNOWN_HOLDING.format(state=state, known=staged[0], found=found)}"
        staged.append(_stage_turns(engine, coming))
        no_alert = ", ".join(f"null as alert_{name}" for name in RareEdgeDetector.alert_columns)
        sql += " union all " + CARRIED.format(
            state=state,
            holding=holding,
            turns=staged[-1],
            no_alert=no_alert,
            hour=functions.hour("last_seen"),
            until=functions.hour("l.until"),
            never=functions.instant(datetime(9999, 1, 1, tzinfo=UTC)),
        )
        days = context.parameters["retire_days"]
        if days:
            sql += UNLESS_RETIRED.format(days=days)
            counted = "true"
            if since is not None:
                counted = f"l.due >= {functions.instant(since)}"
            elif last is not None:
                counted = TURN_AFTER.format(last=hour_of(last))
            query = RETIRED.format(
                days=days,
                holding=holding,
                counted=counted,
                turns=staged[-1],
                hour=functions.hour("stands"),
            )
            measures["retired"] = int(engine.fetch(query)[0][0])
    return Rows(engine, sql, counts.versions, tuple(staged), measures)


def turn_sql(context: StepContext) -> str:
    """The hour of the day in which an edge is carried along: 256 checksums in 24 parts."""
    functions = context.functions
    return f"cast({functions.divided(f'({functions.md5_byte(NAMES)} * 24)', 256)} as integer)"


def turns(windows: Sequence[datetime], last: datetime | None) -> list[tuple[datetime, int]]:
    """The hours of the day that come in each window, since the window before it.

    Parameters
    ----------
    windows : those in which any edge has connections, in order.
    last : the one before them; None where there is none, and so nothing to carry along.

    Examples
    --------
    >>> nine, ten, one = (datetime(2026, 2, 3, hour, tzinfo=UTC) for hour in (9, 10, 13))
    >>> [(at.hour, turn) for at, turn in turns([ten, one], nine)]
    [(10, 10), (13, 11), (13, 12), (13, 13)]
    """
    found = []
    for before, at in zip([last, *windows], windows, strict=False):
        if before is not None:
            first = max(hour_of(before) + 1, hour_of(at) + 1 - DAY)
            found += [(at, hour % DAY) for hour in range(first, hour_of(at) + 1)]
    return found


def _stage_turns(engine: Any, coming: Sequence[tuple[datetime, int]]) -> Any:
    import pyarrow as pa

    begins = pa.array([at for at, _ in coming], pa.timestamp("us", "UTC"))
    return engine.put(
        pa.table({"begins": begins, "turn": pa.array([turn for _, turn in coming], pa.int32())})
    )


def hour_of(instant: datetime) -> int:
    """Whole hours since 1970."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(hours=1)


def detector_of(parameters: Mapping[str, Any]) -> RareEdgeDetector:
    """The detector that the pipeline's settings ask for."""
    from backbone import RareEdgeDetector

    return RareEdgeDetector(
        parameters["training_hours"],
        parameters["cooldown_hours"],
        float(parameters["slope"]),
        float(parameters["intercept"]),
        float(parameters["floor"]),
        24 * parameters["retire_days"] or None,
    )
