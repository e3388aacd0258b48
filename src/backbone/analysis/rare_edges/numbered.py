"""Counts whose edges have numbers: to sort these takes a fraction of what sorting their names does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from backbone.analysis.rare_edges.counts import EDGE, HourlyCounts
from backbone.engines.relation import Relation

NUMBER = "edge"


@contextmanager
def numbered(counts: HourlyCounts, edge_columns: Mapping[str, str]) -> Iterator[tuple[Relation, Relation]]:
    """Number the edges of some counts in the order of their names.

    Parameters
    ----------
    edge_columns : further columns of the edges, by their names: SQL over source and destination.

    Yields
    ------
    A table with the columns source, destination, `edge`, their number, and `edge_columns`, which stays; and
    one of the counts with edge, hour and connections, which goes.
    """
    engine = counts.rows.engine
    listed = ", ".join(EDGE)
    further = "".join(f", {expression} as {name}" for name, expression in edge_columns.items())
    edges = engine.stage(
        f"select {listed}, row_number() over (order by {listed}) - 1 as {NUMBER}{further} "
        f"from (select distinct {listed} from ({counts.sql}) as c) as d",
    )
    rows = engine.stage(
        f"select e.{NUMBER}, c.hour, c.connections from ({counts.sql}) as c "
        f"join {edges} as e on e.source = c.source and e.destination = c.destination",
    )
    try:
        yield edges, rows
    finally:
        engine.drop(rows)
