"""The edges that are known already: a table of states, as it is kept, made ready to go on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbone.analysis.rare_edges.counts import EDGE, HourlyCounts, plain
from backbone.analysis.rare_edges.state import EdgeState
from backbone.engines.rows import Rows

CHUNKS = 100  # of the keys, which grow by one a call; all else is written anew anyway


@dataclass(frozen=True)
class KnownEdges:
    """Edges and what is known of them.

    Parameters
    ----------
    keys : the columns source and destination, of the types that the engine hands over.
    state : shape (edges,) each.
    """

    keys: pa.Table
    state: EdgeState

    def __len__(self) -> int:
        return int(self.keys.num_rows)

    def updated(self, keys: pa.Table, position: npt.NDArray[np.int64], state: EdgeState) -> KnownEdges:
        """The same with some edges changed and some new, which follow by the hour they were first seen in.

        An edge that started anew is new: it stands where it would, had it never been seen before.

        Parameters
        ----------
        keys, state : of the changed and the new edges, in the order of the edges.
        position : where each of them is in these; negative for a new one.
        """
        restarted = position[position >= 0]
        restarted = restarted[self.state.first_seen[restarted] != state.first_seen[position >= 0]]
        if len(restarted):
            stays = np.ones(len(self), dtype=np.bool_)
            stays[restarted] = False
            moved = np.append(np.where(stays, np.cumsum(stays) - 1, -1), -1)
            left = KnownEdges(self.keys.filter(pa.array(stays)), self.state.of_rows(stays))
            return left.updated(keys, moved[np.maximum(position, -1)], state)
        new = np.flatnonzero(position < 0)
        new = new[np.argsort(state.first_seen[new], kind="stable")]
        place = position.copy()
        place[new] = len(self) + np.arange(len(new))
        keys = self.keys if not len(new) else pa.concat_tables([self.keys, keys.take(new)])
        if keys.column(0).num_chunks > CHUNKS:
            keys = keys.combine_chunks()
        return KnownEdges(keys, self.state.updated(place, state))

    def table(self, counts: HourlyCounts) -> pa.Table:
        """One row per edge, its columns of the types that they are of in the counts as given."""
        keys = self.keys.cast(pa.schema(counts.keys))
        return pa.table([*keys.columns, *self.state.columns(counts.given["hour"])], schema=_schema(counts))


def known_edges(state: Any, counts: HourlyCounts) -> KnownEdges:
    """The edges of a state, to go on from with some counts.

    Parameters
    ----------
    state : a table as `KnownEdges.table` makes it, as anything that exports an Arrow stream, the path or
        paths of Parquet files, or `Rows`; None for no edge.

    Raises
    ------
    ValueError
        When a column is missing, is not of the kind that it is of in the counts, or holds a null.
    """
    schema = _schema(counts)
    keys = pa.schema([pa.field(name, counts.seen[name]) for name in EDGE])
    if state is None:
        return KnownEdges(keys.empty_table(), EdgeState.empty(0))
    table = _with_integer_hours(_table(state, counts), schema.field("last_alert").type)
    if missing := [name for name in schema.names if name not in table.column_names]:
        raise ValueError(f"expected a state as update() returns it, found none of its {', '.join(missing)}")
    for field in schema:
        found = plain(table.schema.field(field.name).type)
        if _kind(found) != _kind(field.type):
            raise ValueError(
                f"expected {field.name!r} of the state to be {field.type}, as in the counts; found {found}"
            )
        if table.column(field.name).null_count and field.name != "last_alert":
            raise ValueError(f"expected a value of {field.name!r} for every edge of the state, found none")
    return KnownEdges(table.select(EDGE).cast(keys), EdgeState.of(table))


def _schema(counts: HourlyCounts) -> pa.Schema:
    return pa.schema([*counts.keys, *EdgeState.fields(counts.given["hour"])])


def _table(state: Any, counts: HourlyCounts) -> pa.Table:
    if isinstance(state, pa.Table):
        return state
    if isinstance(state, Rows):
        return state.table()
    if hasattr(state, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(state).read_all()
    rows = Rows.of(counts.rows.engine, counts.rows.engine.put(state))
    try:
        return rows.table()
    finally:
        rows.drop()


def _with_integer_hours(table: pa.Table, hour: pa.DataType) -> pa.Table:
    """The state with numbers of hours as they were, where nulls among them have made them fractions.

    So pandas does, and an edge without an alert has a null.
    """
    name = "last_alert"
    if name not in table.column_names or not pa.types.is_integer(hour):
        return table
    found = table.column(name)
    if not pa.types.is_floating(found.type):
        return table
    given = pc.if_else(pc.is_nan(found), pa.scalar(None, found.type), found)
    try:
        hours = given.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise ValueError(f"expected whole hours as {name!r} of the state, found others: {error}") from error
    return table.set_column(table.column_names.index(name), name, hours)


def _kind(kind: pa.DataType) -> str:
    """What types that can stand for each other have in common."""
    if pa.types.is_integer(kind):
        return "a whole number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_timestamp(kind):
        return "an instant" if kind.tz else "a time without a zone"
    return str(kind)
