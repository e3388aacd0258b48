"""Counts whose edges are told by numbers: to sort these takes a fraction of what sorting their names does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backbone.analysis.rare_edges.counts import EDGE, HourlyCounts
from backbone.engines.held import fresh

NUMBER = "edge"


@contextmanager
def numbered(counts: HourlyCounts) -> Iterator[tuple[str, str]]:
    """Number the edges of some counts in the order of their names.

    Yields
    ------
    A table with the columns source, destination and `edge`, their number, which stays; and one of the counts
    with edge, hour and connections, which goes.
    """
    engine, edges, rows = counts.rows.engine, fresh("edges"), fresh("numbered")
    listed = ", ".join(EDGE)
    engine.create(
        edges,
        f"select {listed}, row_number() over (order by {listed}) - 1 as {NUMBER} "
        f"from (select distinct {listed} from ({counts.sql}) as c) as d",
    )
    engine.create(
        rows,
        f"select e.{NUMBER}, c.hour, c.connections from ({counts.sql}) as c "
        f"join {edges} as e on e.source = c.source and e.destination = c.destination",
    )
    try:
        yield edges, rows
    finally:
        engine.drop(rows)
