"""The step `edge_state`: what is known of every edge, window by window.

A window has a row for every edge that had connections in it. The first of a day (UTC) in which any edge had
some carries all other edges along too. So the rows of one day tell the state as of any of its windows, and
nobody has to read the days before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backbone.exploitation.model import StepContext

if TYPE_CHECKING:
    from backbone.analysis.rare_edges.detector import RareEdgeDetector
    from backbone.engines.rows import Rows

COUNTS = "select source, destination, window_start as hour, connections from exploitation.edge_hour"
STATE = (
    "source", "destination", "first_seen", "last_seen", "maximum", "maximum_at", "last_alert", "expected",
    "n_hours", "mean", "squared_deviations",
)  # fmt: skip
ALERT = (
    "value", "expected", "ratio", "hours_since_first_seen", "hours_since_last_alert", "previous_maximum",
    "previous_maximum_at",
)  # fmt: skip

# The last row of each edge.
LATEST = """
select {state} from (
    select *, row_number() over (partition by source, destination order by window_start desc) as n
    from ({rows}) as p
) as l where n = 1
"""

# Rows of edges that have connections now: nothing else is needed to go on from.
OF_ACTIVE = """
select * from ({rows}) as r where exists (
    select 1 from exploitation.edge_hour as h where h.source = r.source and h.destination = r.destination
)
"""

# Of each new day the first window in which any edge has connections.
FIRST_OF_DAY = "select min(last_seen) as begins from ({history}) as h group by cast(last_seen as date)"
NOT_THE_SAME_DAY = " having cast(min(last_seen) as date) > (select max(window_date) from ({rows}) as p)"

# A row holds until the next of its edge. Those that hold in the first window of a day, but are not of it, are
# carried along into it.
CARRIED = """
with lasting as (
    select {state}, lead(last_seen) over (partition by source, destination order by last_seen) as until
    from ({rows}) as a
)
select f.begins as window_start, {state}, 0 as seen, {no_alert}
from lasting as l join ({first_of_day}) as f
on f.begins > l.last_seen and f.begins < coalesce(l.until, timestamptz '9999-01-01')
"""
UNLESS_RETIRED = " and f.begins <= l.last_seen + interval '{days} days'"


def watch_edges(context: StepContext) -> Rows:
    """The state of every edge after each window that it had connections in, and the alerts."""
    from backbone.engines.rows import Rows

    detector = _detector(context.parameters)
    counts, previous = context.rows(COUNTS), context.previous
    engine, state = counts.engine, ", ".join(STATE)
    known = None
    if previous is not None:
        known = Rows(engine, LATEST.format(state=state, rows=OF_ACTIVE.format(rows=previous.sql)))
    found = detector.history(known, counts)
    alerts = ", ".join(f"alert_{name}" for name in ALERT)
    sql = f"select last_seen as window_start, {state}, 1 as seen, {alerts} from ({found.sql}) as h"

    rows = f"select {state} from ({found.sql}) as h"
    first_of_day = FIRST_OF_DAY.format(history=rows)
    if previous is not None:
        first_of_day += NOT_THE_SAME_DAY.format(rows=previous.sql)
        rows += f" union all {LATEST.format(state=state, rows=previous.sql)}"
    if engine.fetch(f"{first_of_day} limit 1"):
        no_alert = ", ".join(f"null as alert_{name}" for name in ALERT)
        carried = CARRIED.format(state=state, rows=rows, first_of_day=first_of_day, no_alert=no_alert)
        if context.parameters["retire_days"]:
            carried += UNLESS_RETIRED.format(days=context.parameters["retire_days"])
        sql += f" union all select * from ({carried}) as c"
    return Rows(engine, sql, counts.versions, found.staged)


def _detector(parameters: Mapping[str, Any]) -> RareEdgeDetector:
    """The detector that the pipeline's settings ask for."""
    from backbone.analysis.rare_edges.detector import RareEdgeDetector

    return RareEdgeDetector(
        parameters["training_hours"],
        parameters["cooldown_hours"],
        float(parameters["slope"]),
        float(parameters["intercept"]),
        float(parameters["floor"]),
        24 * parameters["retire_days"] or None,
    )
