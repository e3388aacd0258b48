"""The pipeline: one source, three tables, by the hour."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from backbone import InRange, NotNull, Pipeline, Retention, Source, SqlModel, Step
from backbone.pipelines.rare_edges import contracts, edge_states

EDGE = ["source", "destination"]
# The same as of RareEdgeDetector, whose import takes a second; a test compares them.
PARAMETERS = {
    "training_hours": 720,
    "cooldown_hours": 24,
    "slope": -0.04448,
    "intercept": 3.6,
    "floor": -math.inf,
    "retire_days": 0,
    "state_days": 7,
}
MOST_DAYS = 36_500  # a hundred years: no instant that is counted with lies outside what can be written
MOST_HOURS = 24 * MOST_DAYS
MOST_TIMES = 1e6


def _is_integer(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


VALIDATORS = {
    "every": ("hour", lambda every: every == "hour"),
    "training_hours": (
        f"a whole number from 1 to {MOST_HOURS}",
        lambda hours: _is_integer(hours, 1, MOST_HOURS),
    ),
    "cooldown_hours": (
        f"a whole number from 0 to {MOST_HOURS}",
        lambda hours: _is_integer(hours, 0, MOST_HOURS),
    ),
    "slope": ("a number from -1e6 to 1e6", lambda slope: abs(slope) <= MOST_TIMES),
    "intercept": ("a number from -1e6 to 1e6", lambda times: abs(times) <= MOST_TIMES),
    "floor": ("a number to 1e6, or -inf for none", lambda floor: floor <= MOST_TIMES),
    "retire_days": (
        f"a whole number from 0 (0 for never) to {MOST_DAYS}",
        lambda days: _is_integer(days, 0, MOST_DAYS),
    ),
    "state_days": (
        f"a whole number from 0 (0 for ever) to {MOST_DAYS}",
        lambda days: _is_integer(days, 0, MOST_DAYS),
    ),
}

CONNECTION = Source("connection", contracts.Connection, event_time="started_at")
EDGE_HOUR = SqlModel(
    "edge_hour",
    "edge_hour.sql",
    grain=EDGE,
    all_windows_at_once=True,
    conserves={"connections": "sum(coalesce(connections, 1)) from formatted.connection"},
)
EDGE_STATE = Step(
    "edge_state",
    edge_states.watch_edges,
    reads=["exploitation.edge_hour"],
    grain=EDGE,
    previous=True,
    parameters=[name for name in PARAMETERS if name != "state_days"],
    retention=Retention("state_days", keep_where="alert_value is not null"),
    conserves={"seen": "count(*) from exploitation.edge_hour"},
    checks=[NotNull("expected"), InRange("maximum", least=1)],
)
RARE_EDGE = SqlModel(
    "rare_edge",
    str(Path(__file__).with_name("rare_edge.sql")),
    grain=EDGE,
    all_windows_at_once=True,
    conserves={"*": "count(*) from exploitation.edge_state where alert_value is not null"},
)

pipeline = Pipeline(
    "rare_edges",
    every="hour",
    sources=[CONNECTION],
    steps=[EDGE_HOUR, EDGE_STATE, RARE_EDGE],
    parameters=PARAMETERS,
    validators=VALIDATORS,
)
