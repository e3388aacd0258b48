"""The step `hourly_count`: the events of every user, by day and hour of a clock."""

from __future__ import annotations

from backbone import Rows, StepContext, is_utc

HOUR_US = 3_600_000_000
SHIFT_DAYS = 800_000  # so that a division rounds down before 1970 too

# Hours are numbered: one number to group by, and no calendar for every row.
IN_UTC = """
select
    {window_start} as window_start,
    user_name,
    cast({midnight} as date) as day,
    cast(n % 24 as smallint) as hour,
    events
from (
    select user_name, n, count(*) as events from (
        select user_name, {hour} as n from formatted.user_activity
    ) as h group by user_name, n
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
    select {window_start} as window_start, user_name, {local} as local from formatted.user_activity
) as c
group by window_start, user_name, cast(local as date), cast(extract(hour from local) as smallint)
"""


def count_hours(context: StepContext) -> Rows:
    """One row per user and hour with events, in the window (UTC) of the events.

    An hour of a clock that is not whole hours from UTC, or that is set back, can lie in two windows, and
    has a row in each.
    """
    timezone, sql = context.parameters["timezone"], context.functions
    if is_utc(timezone):
        hours = f"({sql.epoch_us('started_at')} + {SHIFT_DAYS * 24 * HOUR_US})"
        day_us = f"({sql.divided('n', 24)} - {SHIFT_DAYS}) * {24 * HOUR_US}"
        return context.rows(
            IN_UTC.format(
                window_start=sql.instant_of(day_us),
                midnight=sql.utc_time(day_us),
                hour=sql.divided(hours, HOUR_US),
            )
        )
    window_start, local = sql.window_start("started_at", "day"), sql.local_time("started_at", timezone)
    return context.rows(BY_CLOCK.format(window_start=window_start, local=local))
