"""How much higher the next maximum of an edge is, by how long it took to come: the line behind the decay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from backbone.analysis.rare_edges.counts import MOST, HourlyCounts
from backbone.analysis.rare_edges.hours import format_hour, per_hour

# Of an edge, a count after the training that is higher than all before it: by which multiple it is higher,
# and how many hours after the last maximum. Those of the training count from its end, as in the detector.
NEW_MAXIMA = """
with hourly as (
    select source, destination, {hour} as hour, sum(connections) as x
    from ({rows}) as t group by source, destination, {hour}
), aged as (
    select source, destination, x, hour - min(hour) over (partition by source, destination) as h from hourly
), compared as (
    select *, max(x) over (partition by source, destination order by h
                           rows between unbounded preceding and 1 preceding) as highest
    from aged
), maxima as (
    select *, coalesce(lag(h) over (partition by source, destination order by h), $training) as highest_at
    from compared where h >= $training and x > highest
)
select cast(h - highest_at as bigint) as hours, cast(x as double) / cast(highest as double) as multiple
from maxima order by source, destination, h
"""


class Decay(NamedTuple):
    """A line: the multiple of the maximum that is expected, by the time since the maximum.

    Parameters
    ----------
    slope : per day.
    intercept : at once.
    n_maxima : how many new maxima it was estimated from.
    """

    slope: float
    intercept: float
    n_maxima: int


def fit_decay(counts: HourlyCounts, training_hours: int) -> Decay:
    """Estimate the line from history by least squares.

    Wherever a count of an edge exceeds all of its counts before, there is a point: the multiple by which it
    does, against the days since the maximum that it exceeds. Maxima of the training count from its end.

    Raises
    ------
    ValueError
        When there are not two new maxima that took different times to come, or counts are such as the
        detector refuses: not positive, too large, or of what is not a whole hour.
    """
    kind = counts.seen["hour"]
    hour = "cast(hour as bigint)"
    if pa.types.is_timestamp(kind):
        # The engine can't tell the microseconds of instants that it counts in nanoseconds.
        hour = counts.rows.engine.functions.hour("cast(hour as timestamptz)" if kind.tz else "hour")
    engine = counts.rows.engine
    extremes = f"select min(coalesce(connections, 0)), max(connections) from ({counts.sql}) as t"
    least, most = engine.fetch(extremes)[0]
    if least is not None and least < 1:
        raise ValueError(f"expected connections of 1 or more, found {least}")
    if most is not None and most > MOST:
        raise ValueError(f"expected at most 2**53 connections in an hour, found {most}")
    _refuse_parts(counts)
    sql = NEW_MAXIMA.format(hour=hour, rows=counts.sql)
    maxima = engine.stream(sql, {"training": training_hours}).read_all()
    days, multiple = maxima.column("hours").to_numpy() / 24.0, maxima.column("multiple").to_numpy()
    if len(np.unique(days)) < 2:
        raise ValueError(
            f"expected new maxima at different times after the first {training_hours} hours of the edges, "
            f"found {len(days)}; give a longer history"
        )
    from_mean = days - days.mean()
    slope = float(from_mean @ (multiple - multiple.mean()) / (from_mean @ from_mean))
    return Decay(slope, float(multiple.mean() - slope * days.mean()), len(days))


def _refuse_parts(counts: HourlyCounts) -> None:
    """Hold instants to be whole hours, as precisely as they are given."""
    kind = counts.seen["hour"]
    for batch in counts.rows.engine.stream(f"select distinct hour from ({counts.sql}) as t"):
        at = batch.column(0)
        units = at.cast(pa.int64()).to_numpy(zero_copy_only=False)
        wrong = units[units % per_hour(kind) != 0]
        if len(wrong):
            found = format_hour(int(wrong[0]), kind)
            raise ValueError(f"expected whole hours (of UTC), found {found}; truncate them to the hour")
