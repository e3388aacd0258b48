"""The step `hourly_count`: the events of every user, by day and hour of a clock."""

from __future__ import annotations

from backbone.contract import quote_literal
from backbone.engines.rows import Rows
from backbone.exploitation.model import StepContext
from backbone.exploitation.window_start import window_start_sql
from backbone.timezones import is_utc

HOUR_US = 3_600_000_000
SHIFT_DAYS = 800_000  # so that a division rounds down before 1970 too

# Hours are numbered: one number to group by, and no calendar for every row.
IN_UTC = f"""
select
    make_timestamptz((n // 24 - {SHIFT_DAYS}) * {24 * HOUR_US}) as window_start,
    user_name,
    cast(make_timestamp((n // 24 - {SHIFT_DAYS}) * {24 * HOUR_US}) as date) as day,
    cast(n % 24 as smallint) as hour,
    events
from (
    select user_name, (epoch_us(started_at) + {SHIFT_DAYS * 24 * HOUR_US}) // {HOUR_US} as n,
        count(*) as events
    from formatted.user_activity group by all
) as c
"""
BY_CLOCK = """
select
    window_start,
    user_name,
    cast(local as date) as day,
    cast(extract(hour from local) as smallint) as hour,
    count(*) as events
from (
    select {window_start} as window_start, user_name, timezone({timezone}, started_at) as local
    from formatted.user_activity
) as c
group by all
"""


def count_hours(context: StepContext) -> Rows:
    """One row per user and hour with events, in the window (UTC) of the events.

    An hour of a clock that is not whole hours from UTC, or that is set back, can lie in two windows, and
    has a row in each.
    """
    timezone = context.parameters["timezone"]
    if is_utc(timezone):
        return context.rows(IN_UTC)
    window_start = window_start_sql("started_at", "day")
    return context.rows(BY_CLOCK.format(window_start=window_start, timezone=quote_literal(timezone)))
