"""Counts on edges with bursts and silences, and what the reference function makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from backbone.analysis.rare_edges.reference import Alert, Edge, watch
from backbone.analysis.rare_edges.rule import Rule

EDGE = ("source", "destination")
EPOCH = datetime(1970, 1, 1)
QUICK = Rule(training_hours=20, cooldown_hours=3, slope=-0.8, intercept=2.0)


def edge_counts(edges: int = 40, hours: int = 200, seed: int = 0) -> pa.Table:
    """Rows in the order of edge and hour, hours as numbers; some edges have one hour, one has gaps."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str, int, int]] = []
    for edge in range(edges):
        first = int(rng.integers(0, hours // 2)) if edge else 0
        share = rng.choice([0.05, 0.3, 0.9])
        level = rng.integers(1, 40)
        name = (f"host-{edge // 3:03}", f"service-{edge % 3}")
        for hour in range(first, hours):
            if hour > first and (rng.random() > share or edge == edges - 1):
                continue
            burst = rng.integers(2, 30) if rng.random() < 0.03 else 1
            rows.append((*name, hour, int(burst * (1 + rng.poisson(level)))))
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(("source", "destination", "hour", "connections"), columns, strict=True)))


def shuffled(counts: pa.Table, seed: int = 0) -> pa.Table:
    return counts.take(np.random.default_rng(seed).permutation(counts.num_rows))


def instants(counts: pa.Table, kind: pa.DataType, start: int = 490_000) -> pa.Table:
    """The same with hours as instants."""
    units = {"s": 3_600, "ms": 3_600_000, "us": 3_600_000_000, "ns": 3_600_000_000_000}[kind.unit]
    hours = (counts["hour"].to_numpy() + start) * units
    return counts.set_column(2, "hour", pa.array(hours).cast(kind))


def by_reference(counts: pa.Table, rule: Rule) -> dict[tuple[Any, Any], tuple[Edge, list[Alert]]]:
    """What the plain function makes of every edge; hours are numbers or instants."""
    rows = sorted(
        (row["source"], row["destination"], number_of(row["hour"]), row["connections"])
        for row in counts.to_pylist()
    )
    found = {}
    for edge, its in groupby(rows, key=itemgetter(0, 1)):
        summed = [(hour, sum(row[3] for row in same)) for hour, same in groupby(its, key=itemgetter(2))]
        found[edge] = watch(summed, rule)
    return found


def number_of(hour: Any) -> Any:
    """The number of an hour."""
    if not isinstance(hour, datetime):
        return hour
    since = hour - (EPOCH if hour.tzinfo is None else EPOCH.replace(tzinfo=UTC))
    return since // timedelta(hours=1)


def assert_as_reference(state: pa.Table, alerts: pa.Table, counts: pa.Table, rule: Rule) -> None:
    """State and alerts equal those of the reference function, edge by edge and bit by bit."""
    expected = by_reference(counts, rule)
    rows = {(row["source"], row["destination"]): row for row in state.to_pylist()}
    assert rows.keys() == expected.keys()
    alerts_of: dict[tuple[Any, Any], list[Alert]] = {edge: [] for edge in rows}
    for row in alerts.to_pylist():
        values = {name: number_of(value) for name, value in row.items() if name not in EDGE}
        alerts_of[row["source"], row["destination"]].append(Alert(**values))
    for name, (edge, its) in expected.items():
        row = {column: number_of(value) for column, value in rows[name].items()}
        assert alerts_of[name] == its
        assert row == dict(zip(EDGE, name, strict=True)) | {
            "first_seen": edge.first_seen,
            "last_seen": edge.last_seen,
            "maximum": edge.max,
            "maximum_at": edge.seen_at,
            "last_alert": edge.first_seen + edge.rare_at if edge.rare_at else None,
            "expected": edge.expected,
            "n_hours": edge.n,
            "mean": edge.mean,
            "squared_deviations": edge.m2,
        }
