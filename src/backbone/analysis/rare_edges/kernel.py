"""The detector for many edges at a time: equal to `reference.py`, bit for bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from backbone.analysis.groups import Groups
from backbone.analysis.kernels.compiled import as_written
from backbone.analysis.rare_edges.counts import MOST
from backbone.analysis.rare_edges.hours import format_hour, hours_of, per_hour
from backbone.analysis.rare_edges.rule import Rule
from backbone.analysis.rare_edges.state import NEVER, EdgeState, Values, read_only

HOUR, CONNECTIONS, POSITION, ALERTS, NEXT = "hour", "connections", "position", "alerts", "next_seen"
NEW = -1  # the position of an edge that was not known

ALERT = np.dtype(
    [
        ("row", np.int64),  # of the result
        ("hour", np.int64),
        ("value", np.int64),
        ("expected", np.float64),
        ("since_first_seen", np.int64),
        ("since_last_alert", np.int64),  # 0 where there was none
        ("maximum", np.int64),
        ("maximum_at", np.int64),
    ]
)
FINE, TOO_FEW, TOO_MANY, NOT_ON_THE_HOUR, NOT_LATER, TWICE = range(6)
NO_FLOOR = -math.inf
NEVER_RETIRED = 1 << 62


class RuleNumbers(NamedTuple):
    """A rule as numbers alone: `NO_FLOOR` and `NEVER_RETIRED` stand for None."""

    training_hours: int
    cooldown_hours: int
    slope: float
    intercept: float
    floor: float
    retire_hours: int

    @classmethod
    def of(cls, rule: Rule) -> RuleNumbers:
        """Of the types that the kernel is compiled for, whatever kind of numbers the rule has."""
        return cls(
            int(rule.training_hours),
            int(rule.cooldown_hours),
            float(rule.slope),
            float(rule.intercept),
            NO_FLOOR if rule.floor is None else float(rule.floor),
            NEVER_RETIRED if rule.retire_hours is None else int(rule.retire_hours),
        )


class EdgeHours(NamedTuple):
    """The hourly counts of many edges, an edge after the other.

    Parameters
    ----------
    offsets : shape (edges + 1,); where the rows of each edge begin and end.
    units : shape (rows,); when each hour begins.
    per_hour : how many units make an hour.
    connections : shape (rows,).
    position : shape (rows,); of the edge among those known, or `NEW`. Empty where none is known.
    """

    offsets: Values
    units: Values
    per_hour: int
    connections: Values
    position: Values


class EdgeRows(NamedTuple):
    """Room for the rows of the result, shape (rows,) each.

    Parameters
    ----------
    edge : whose row it is.
    state : of the edge after the hour of the row.
    following : the hour in which the edge is seen next, or `NEVER`.
    """

    edge: Values
    state: EdgeState
    following: Values

    @classmethod
    def empty(cls, rows: int) -> EdgeRows:
        edge, following = (np.empty(rows, dtype=np.int64) for _ in range(2))
        return cls(edge, EdgeState.empty(rows), following)


@dataclass(frozen=True)
class RareEdgeKernel:
    """One row per edge: its state after the last of its hours, and its alerts as a list.

    With `each_hour`, one row per edge and hour: the state after that hour, its alert, if it is one, and when
    the edge is seen next.

    A group is an edge; its values are `hour` (increasing; as `hour_type` holds it, or a number of hours) and
    `connections`, of which those of one hour are summed. Where edges are known already, `position` is an
    edge's index in `known`, or `NEW`, and hours are after the last one that any of them was seen in.

    Parameters
    ----------
    hour_type : of the hours in the result.
    known : the state of the edges before; None at the beginning.
    each_hour : a row for every hour of an edge, not for the last one alone.
    since : with `each_hour`, of the hours before this one only alerts and the last of each edge have a row.

    Raises
    ------
    ValueError
        When connections are not positive, an hour is not whole or not after those of `known`, or `known` has
        an edge twice.
    """

    rule: Rule
    hour_type: pa.DataType
    known: EdgeState | None = None
    each_hour: bool = False
    since: int = NEVER

    def schema(self, keys: pa.Schema) -> pa.Schema:
        return pa.schema(
            [
                *keys,
                pa.field(POSITION, pa.int64()),
                *EdgeState.fields(self.hour_type),
                pa.field(ALERTS, pa.list_(pa.struct(alert_fields(self.hour_type)))),
                *([pa.field(NEXT, self.hour_type)] if self.each_hour else []),
            ]
        )

    def __call__(self, groups: Groups) -> pa.RecordBatch:
        known = EdgeState.empty(0) if self.known is None else self.known
        rows = EdgeRows.empty(len(groups.values[HOUR]) if self.each_hour else len(groups))
        position = np.empty(0, dtype=np.int64) if self.known is None else groups.values[POSITION]
        alerts, trouble, row, n_rows = _watch(
            EdgeHours(
                read_only(groups.offsets),
                read_only(groups.values[HOUR]),
                per_hour(self.hour_type),
                read_only(groups.values[CONNECTIONS]),
                read_only(position),
            ),
            EdgeState(*map(read_only, known)),
            self._covered,
            RuleNumbers.of(self.rule),
            self.each_hour,
            self.since,
            rows,
        )
        if trouble != FINE:
            raise ValueError(self._message(trouble, groups, row))
        group, following = rows.edge[:n_rows], rows.following[:n_rows]
        state = EdgeState(*(values[:n_rows] for values in rows.state))
        keys = groups.keys.take(pa.array(group)) if self.each_hour else groups.keys
        place = np.full(len(groups), NEW) if self.known is None else position[groups.offsets[:-1]]
        return pa.RecordBatch.from_arrays(
            [
                *keys.columns,
                pa.array(place[group]),
                *state.columns(self.hour_type),
                _lists(alerts, n_rows, self.hour_type),
                *(
                    [hours_of(following, self.hour_type, missing=following == NEVER)]
                    if self.each_hour
                    else []
                ),
            ],
            schema=self.schema(groups.keys.schema),
        )

    @property
    def _covered(self) -> int:
        """The last hour that the known edges have been fed."""
        return NEVER if self.known is None else int(self.known.last_seen.max(initial=NEVER))

    def _message(self, trouble: int, groups: Groups, row: int) -> str:
        at = format_hour(int(groups.values[HOUR][row]), self.hour_type)
        where = f"{at} at {_edge(groups, row)}"
        if trouble == TOO_FEW:
            return f"expected connections of 1 or more, found {groups.values[CONNECTIONS][row]} in {where}"
        if trouble == TOO_MANY:
            return f"expected at most 2**53 connections in an hour, found more in {where}"
        if trouble == NOT_ON_THE_HOUR:
            return f"expected whole hours (of UTC), found {where}; truncate them to the hour"
        if trouble == NOT_LATER:
            last = format_hour(self._covered * per_hour(self.hour_type), self.hour_type)
            return (
                f"expected hours after {last}, the last one of the state, found {where}; "
                "feed hours in their order, each of them once and whole"
            )
        return f"expected an edge in one row of the state, found several of {_edge(groups, row)}"


def alert_fields(hour: pa.DataType) -> list[pa.Field]:
    """What an alert tells, beside its edge."""
    kinds = {
        "hour": hour,
        "value": pa.int64(),
        "expected": pa.float64(),
        "ratio": pa.float64(),
        "hours_since_first_seen": pa.int64(),
        "hours_since_last_alert": pa.int64(),
        "previous_maximum": pa.int64(),
        "previous_maximum_at": hour,
    }
    return [pa.field(name, kind) for name, kind in kinds.items()]


# What it tells beside the hour, which is that of its row wherever every hour has one.
ALERT_NAMES = tuple(field.name for field in alert_fields(pa.int64()) if field.name != "hour")


def _lists(alerts: Values, rows: int, hour: pa.DataType) -> pa.Array:
    """The alerts of each row of the result."""
    value, expected, since = alerts["value"], alerts["expected"], alerts["since_last_alert"]
    sensible = expected > 0.0
    with np.errstate(over="ignore"):
        ratio = np.divide(value, expected, out=np.zeros(len(alerts)), where=sensible)
    columns = [
        hours_of(alerts["hour"], hour),
        pa.array(value),
        pa.array(expected),
        pa.array(ratio, mask=~sensible),
        pa.array(alerts["since_first_seen"]),
        pa.array(since, mask=since == 0),
        pa.array(alerts["maximum"]),
        hours_of(alerts["maximum_at"], hour),
    ]
    ends = np.cumsum(np.bincount(alerts["row"], minlength=rows))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    listed = pa.StructArray.from_arrays(columns, fields=alert_fields(hour))
    return pa.ListArray.from_arrays(pa.array(offsets), listed)


def _edge(groups: Groups, row: int) -> str:
    group = int(np.searchsorted(groups.offsets, row, side="right")) - 1
    return " > ".join(str(column[group]) for column in groups.keys.columns)


@as_written
def _decay(hours: int, rule: RuleNumbers) -> float:
    multiple = rule.intercept + rule.slope * hours / 24.0
    return multiple if multiple > rule.floor else rule.floor


@as_written
def _watch(
    hours: EdgeHours,
    known: EdgeState,
    covered: int,
    rule: RuleNumbers,
    each_hour: bool,
    since: int,
    rows: EdgeRows,
) -> tuple[Values, int, int, int]:
    """Fill `rows`, from the hours of each edge after those that are covered.

    The result: the alerts, what is wrong and in which row, and how many rows are filled.
    """
    offsets, units, per_hour, connections, position = hours
    training_hours = rule.training_hours
    group, found, following = rows
    alerts = np.empty(64, dtype=ALERT)
    n_alerts = 0
    out = 0
    decay_1 = _decay(1, rule)
    for edge in range(len(offsets) - 1):
        row, end = offsets[edge], offsets[edge + 1]
        at = position[row] if len(position) else NEW
        hour = units[row] // per_hour
        if hour <= covered:
            return alerts[:0], NOT_LATER, row, 0
        if at == NEW:
            first = last = hour
            maximum, maximum_at, last_alert = 0, first, NEVER
            n, mean, m2, expected = 0, 0.0, 0.0, 0.0
        else:
            first, last = known.first_seen[at], known.last_seen[at]
            maximum, maximum_at, last_alert = known.maximum[at], known.maximum_at[at], known.last_alert[at]
            n, mean, m2 = known.n_hours[at], known.mean[at], known.squared_deviations[at]
            expected = known.expected[at]
        max_at = max(training_hours, maximum_at - first)
        rare_at = 0 if last_alert == NEVER else last_alert - first
        while row < end:
            unit = units[row]
            hour = unit // per_hour
            if hour * per_hour != unit:
                return alerts[:0], NOT_ON_THE_HOUR, row, 0
            count = 0
            while row < end and units[row] == unit:
                if connections[row] < 1:
                    return alerts[:0], TOO_FEW, row, 0
                if connections[row] > MOST - count:
                    return alerts[:0], TOO_MANY, row, 0
                if len(position) and position[row] != at:
                    return alerts[:0], TWICE, row, 0
                count += connections[row]
                row += 1
            if hour - last > rule.retire_hours:
                first = hour
                maximum, maximum_at, last_alert = 0, first, NEVER
                n, mean, m2, expected = 0, 0.0, 0.0, 0.0
                max_at, rare_at = training_hours, 0
            last = hour
            x = float(count)
            h = hour - first
            is_alert = False

            n += 1
            delta = x - mean
            mean += delta / n
            m2 += delta * (x - mean)

            if h < training_hours:
                if count > maximum:
                    maximum, maximum_at = count, hour
                expected = decay_1 * maximum
            else:
                sd = math.sqrt(m2 / n)
                decayed = _decay(h - max_at, rule) * maximum
                if x > expected and h - rare_at > rule.cooldown_hours:
                    if n_alerts == len(alerts):
                        more = np.empty(2 * n_alerts, dtype=ALERT)
                        more[:n_alerts] = alerts
                        alerts = more
                    alert = alerts[n_alerts]
                    n_alerts += 1
                    is_alert = True
                    alert.row, alert.hour, alert.value, alert.expected = out, hour, count, expected
                    alert.since_first_seen = h
                    alert.since_last_alert = 0 if last_alert == NEVER else h - rare_at
                    alert.maximum, alert.maximum_at = maximum, maximum_at
                    last_alert, rare_at = hour, h
                    n, mean, m2, sd = 0, 0.0, 0.0, 0.0
                if decayed < decay_1 * x:
                    expected = decay_1 * x + sd
                    maximum, maximum_at, max_at = count, hour, h
                else:
                    expected = decayed + sd

            later = units[row] // per_hour if row < end else NEVER
            if row == end or (each_hour and (hour >= since or later >= since or is_alert)):
                group[out], following[out] = edge, later
                found.first_seen[out], found.last_seen[out] = first, hour
                found.maximum[out], found.maximum_at[out] = maximum, maximum_at
                found.last_alert[out], found.expected[out] = last_alert, expected
                found.n_hours[out], found.mean[out], found.squared_deviations[out] = n, mean, m2
                out += 1
    return alerts[:n_alerts], FINE, 0, out
