"""The algorithm in plain Python, one edge and one hour at a time: what the kernel is held to, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from backbone.analysis.rare_edges.rule import Rule


@dataclass
class Edge:
    """What is known of an edge after an hour in which it had connections.

    Parameters
    ----------
    first_seen, last_seen : hours, counted from any origin.
    n, mean, m2 : number, mean and sum of squared deviations of the counts since the last alert.
    max, max_at : the count that the expectation decays from, and since when, in hours since `first_seen`;
        a maximum of the training decays from the training's end.
    seen_at : the hour in which `max` was counted.
    rare_at : the last alert, in hours since `first_seen`; 0 until there is one.
    expected : more than this, in an hour after the training, is unusual.
    """

    first_seen: int
    last_seen: int
    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    max: int = 0
    max_at: int = 0
    seen_at: int = 0
    rare_at: int = 0
    expected: float = 0.0


class Alert(NamedTuple):
    """An hour in which an edge carried more than expected."""

    hour: int
    value: int
    expected: float
    ratio: float | None
    hours_since_first_seen: int
    hours_since_last_alert: int | None
    previous_maximum: int
    previous_maximum_at: int


def feed(edge: Edge, hour: int, x: int, rule: Rule) -> Alert | None:
    """Take in an hour with `x` connections; `edge` is changed.

    Parameters
    ----------
    hour : later than `edge.last_seen`, except for the first hour of an edge.
    x : at least 1.
    """
    h = hour - edge.first_seen
    edge.last_seen = hour

    edge.n += 1
    delta = x - edge.mean
    edge.mean += delta / edge.n
    edge.m2 += delta * (x - edge.mean)
    sd = math.sqrt(edge.m2 / edge.n)

    if h < rule.training_hours:
        if x > edge.max:
            edge.max, edge.seen_at = x, hour
        edge.max_at = rule.training_hours
        edge.expected = rule.decay(1) * edge.max
        return None

    alert = None
    since_max = h - edge.max_at
    since_rare = h - edge.rare_at
    if x > edge.expected and since_rare > rule.cooldown_hours:
        alert = Alert(
            hour=hour,
            value=x,
            expected=edge.expected,
            ratio=x / edge.expected if edge.expected > 0.0 else None,
            hours_since_first_seen=h,
            hours_since_last_alert=since_rare if edge.rare_at else None,
            previous_maximum=edge.max,
            previous_maximum_at=edge.seen_at,
        )
        edge.rare_at = h
        edge.n, edge.mean, edge.m2 = 0, 0.0, 0.0
        sd = 0.0
    if rule.decay(since_max) * edge.max < rule.decay(1) * x:
        edge.expected = rule.decay(1) * x + sd
        edge.max, edge.max_at, edge.seen_at = x, h, hour
    else:
        edge.expected = rule.decay(since_max) * edge.max + sd
    return alert


def watch(counts: Iterable[tuple[int, int]], rule: Rule) -> tuple[Edge, list[Alert]]:
    """Feed one edge all of its hours.

    Parameters
    ----------
    counts : hour and connections, in the order of the hours; at least one.

    Examples
    --------
    >>> counts = [(hour, 10) for hour in range(0, 720, 6)] + [(725, 30), (730, 500), (740, 2000)]
    >>> edge, alerts = watch(counts, Rule())
    >>> [(alert.hour, alert.value, round(alert.expected, 2)) for alert in alerts]
    [(730, 500, 109.76)]
    >>> edge.max, edge.max_at, edge.rare_at, edge.n, round(edge.expected, 1)
    (2000, 740, 730, 1, 7196.3)
    """
    edge: Edge | None = None
    alerts = []
    for hour, x in counts:
        retired = rule.retire_hours is not None and edge and hour - edge.last_seen > rule.retire_hours
        if edge is None or retired:
            edge = Edge(first_seen=hour, last_seen=hour)
        alert = feed(edge, hour, x, rule)
        if alert is not None:
            alerts.append(alert)
    assert edge is not None, "expected at least one hour"
    return edge, alerts
