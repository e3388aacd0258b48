"""The pipeline: one source, three tables, by the hour."""

from __future__ import annotations

import math
from pathlib import Path

from backbone.exploitation.checks import InRange, NotNull
from backbone.exploitation.model import Retention, SqlModel, Step
from backbone.pipeline import Limits, Pipeline, Source
from backbone.pipelines.rare_edges import contracts, edge_states

EDGE = ["source", "destination"]
PARAMETERS = {
    "training_hours": 720,
    "cooldown_hours": 24,
    "slope": -0.04448,
    "intercept": 3.6,
    "floor": float("-inf"),
    "retire_days": 0,
    "state_days": 14,
}
LIMITS: Limits = {
    "training_hours": ("a whole number from 1", lambda hours: isinstance(hours, int) and hours >= 1),
    "cooldown_hours": ("a whole number from 0", lambda hours: isinstance(hours, int) and hours >= 0),
    "slope": ("a number", math.isfinite),
    "intercept": ("a number", math.isfinite),
    "floor": ("a number, or -inf for none", lambda floor: floor < math.inf),
    "retire_days": (
        "a whole number from 0 (0 for never)",
        lambda days: isinstance(days, int) and days >= 0,
    ),
    "state_days": (
        "a whole number from 0 (0 for ever)",
        lambda days: isinstance(days, int) and days >= 0,
    ),
}

CONNECTION = Source("connection", contracts.Connection, event_time="started_at")
EDGE_HOUR = SqlModel(
    "edge_hour",
    "edge_hour.sql",
    grain=EDGE,
    together=True,
    conserves={"connections": "sum(coalesce(connections, 1)) from formatted.connection"},
)
EDGE_STATE = Step(
    "edge_state",
    edge_states.watch_edges,
    reads=["exploitation.edge_hour"],
    grain=EDGE,
    previous=True,
    parameters=[name for name in PARAMETERS if name != "state_days"],
    retention=Retention("state_days", besides="alert_value is not null"),
    conserves={"seen": "count(*) from exploitation.edge_hour"},
    checks=[NotNull("expected"), InRange("maximum", least=1)],
)
RARE_EDGE = SqlModel(
    "rare_edge",
    str(Path(__file__).with_name("rare_edge.sql")),
    grain=EDGE,
    together=True,
    conserves={"*": "count(*) from exploitation.edge_state where alert_value is not null"},
)

pipeline = Pipeline(
    "rare_edges",
    every="hour",
    sources=[CONNECTION],
    steps=[EDGE_HOUR, EDGE_STATE, RARE_EDGE],
    parameters=PARAMETERS,
    limits=LIMITS,
)
