"""The algorithm as it is fed in the seed's design: one edge at a time, its entry read and written as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from backbone.analysis.rare_edges.reference import Alert, Edge, feed
from backbone.analysis.rare_edges.rule import Rule

RULE = Rule()


def fed(entry: str | None, hour: int, connections: int) -> tuple[str, Alert | None]:
    """The next entry of an edge, from the one before it."""
    edge = Edge(hour, hour) if entry is None else Edge(**json.loads(entry))
    alert = feed(edge, hour, connections, RULE)
    return json.dumps(asdict(edge)), alert
