"""Run the kernel over counts inside the engine that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from backbone.analysis.group_task import KernelTask, map_groups
from backbone.analysis.rare_edges.counts import EDGE, HourlyCounts
from backbone.analysis.rare_edges.kernel import NEW, POSITION, RareEdgeKernel
from backbone.analysis.rare_edges.known import KnownEdges
from backbone.analysis.rare_edges.numbered import NUMBER, numbered
from backbone.analysis.rare_edges.rule import Rule
from backbone.analysis.rare_edges.state import NEVER
from backbone.engines.relation import Relation

NO_COLUMNS: Mapping[str, str] = {}


def watch_counts(rule: Rule, known: KnownEdges, counts: HourlyCounts) -> pa.Table:
    """What the kernel makes of the counts: a row for every edge that they hold, in the order of edges."""
    engine = counts.rows.engine
    if counts.begin_in_order():
        made: tuple[Relation, ...] = (_by_name(rule, known, counts),)
        sql = f"select * from {made[0]}"
    else:
        made = watch_numbered(rule, known, counts)
        sql = (
            "select e.source, e.destination, s.* "
            f"from {made[0]} as s join {made[1]} as e using ({NUMBER}) order by s.{NUMBER}"
        )
    try:
        found = engine.stream(sql).read_all()
        return found.drop_columns([NUMBER]) if NUMBER in found.column_names else found
    finally:
        engine.drop(*made)


def watch_numbered(
    rule: Rule,
    known: KnownEdges,
    counts: HourlyCounts,
    edge_columns: Mapping[str, str] = NO_COLUMNS,
    *,
    each_hour: bool = False,
    since: int = NEVER,
) -> tuple[Relation, Relation]:
    """The same by the numbers of the edges, and a table of these with their names.

    Parameters
    ----------
    edge_columns : further columns of that table: their names, and SQL over source and destination.
    each_hour : a row for each edge and hour, not one for each edge.
    since : the number of an hour; of those before it only alerts have a row.
    """
    engine, by = counts.rows.engine, (NUMBER,)
    kernel = _kernel(rule, known, counts, each_hour, since)
    with numbered(counts, edge_columns) as (edges, rows):
        try:
            with _with_position(known, f"select * from {rows}", by, counts, edges) as (sql, values):
                return map_groups(engine, sql, KernelTask(kernel, by, values, ("hour",))), edges
        except ValueError:
            engine.drop(edges, _by_name(rule, known, counts))  # refuses the same, by the edge's name
            raise


def _by_name(rule: Rule, known: KnownEdges, counts: HourlyCounts) -> Relation:
    """Stage what the kernel makes of the counts, sorted by the names of the edges."""
    kernel = _kernel(rule, known, counts)
    with _with_position(known, counts.sql, EDGE, counts) as (sql, values):
        return map_groups(counts.rows.engine, sql, KernelTask(kernel, EDGE, values, ("hour",)))


def _kernel(
    rule: Rule, known: KnownEdges, counts: HourlyCounts, each_hour: bool = False, since: int = NEVER
) -> RareEdgeKernel:
    state = known.state if len(known) else None
    return RareEdgeKernel(rule, counts.seen["hour"], state, each_hour, since)


@contextmanager
def _with_position(
    known: KnownEdges, rows: str, by: Sequence[str], counts: HourlyCounts, edges: Relation | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """A query of counts with the position of their edges among those that are known, and the kernel's values.

    Parameters
    ----------
    rows : a query of counts.
    by : the columns that identify an edge.
    edges : where that is a number, the table with the names of each.
    """
    if not len(known):
        yield rows, counts.values
        return
    engine = counts.rows.engine
    table = engine.put(known.keys.append_column(POSITION, [np.arange(len(known))]))
    keys = f"select * from {table}"
    if edges is not None:
        keys = (
            f"select e.{NUMBER}, k.{POSITION} from {table} as k join {edges} as e using (source, destination)"
        )
    matched = " and ".join(f"k.{name} = c.{name}" for name in by)
    sql = (
        f"select c.*, coalesce(k.{POSITION}, {NEW}) as {POSITION} from ({rows}) as c "
        f"left join ({keys}) as k on {matched}"
    )
    try:
        yield sql, counts.values | {POSITION: POSITION}
    finally:
        engine.drop(table)
