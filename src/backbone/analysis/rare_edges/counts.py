"""Hourly counts of connections, as they are given and as the kernel is to see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from backbone.analysis.column_kinds import is_integer
from backbone.analysis.rare_edges.hours import per_hour
from backbone.engines import own_engine
from backbone.engines.order import OutOfOrder, in_order
from backbone.engines.rows import Rows

EDGE = ("source", "destination")
COLUMNS = (*EDGE, "hour", "connections")
MOST = 1 << 53  # connections in an hour: up to here a double holds every whole number
LAST_HOUR = (1 << 63) - 1  # the largest number that the kernel is given
FIRST_ROWS = 20_000
NARROW = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())


@dataclass(frozen=True)
class HourlyCounts:
    """Rows with the columns source, destination, hour and connections.

    Parameters
    ----------
    seen : the type of each of the columns as the engine hands them over.
    given : their types as they were given, which results have again; of encoded texts that of the text.
    """

    rows: Rows
    seen: Mapping[str, pa.DataType]
    given: Mapping[str, pa.DataType]

    @property
    def sql(self) -> str:
        return f"select {', '.join(COLUMNS)} from ({self.rows.sql}) as t"

    @property
    def keys(self) -> list[pa.Field]:
        return [pa.field(name, self.given[name]) for name in EDGE]

    def begin_in_order(self) -> bool:
        """Whether the first rows are in the order of edge and hour, as then all of them may be."""
        first = self.rows.engine.stream(f"select * from ({self.sql}) as c limit {FIRST_ROWS}")
        try:
            for _ in in_order(first, (*EDGE, "hour")):
                pass
        except OutOfOrder:
            return False
        return True

    @property
    def values(self) -> dict[str, str]:
        """What the kernel is given, as SQL; what is missing is 0 connections, which it refuses."""
        hour = "hour" if pa.types.is_timestamp(self.seen["hour"]) else "cast(hour as bigint)"
        x = "connections"
        if self.seen[x] not in NARROW:  # the kernel refuses what is cut off, and says of which edge it is
            x = f"greatest(least({x}, {MOST + 1}), {-MOST})"
        return {"hour": hour, "connections": f"coalesce(cast({x} as bigint), 0)"}


@contextmanager
def hourly_counts(data: Any, memory_limit: str, threads: int | None) -> Iterator[HourlyCounts]:
    """Look at counts before any of them is used.

    Parameters
    ----------
    data : anything that exports an Arrow stream, the path or paths of Parquet files, or `Rows`.

    Raises
    ------
    ValueError
        When a column is missing or of the wrong kind, or a row has no source, destination or hour.
    """
    if isinstance(data, Rows):
        yield _described(data, {})
        return
    given: dict[str, pa.DataType] = {}
    if hasattr(data, "__arrow_c_stream__"):
        data = data if isinstance(data, pa.Table) else pa.RecordBatchReader.from_stream(data)
        _refuse_missing(data.schema.names)
        given = {name: plain(data.schema.field(name).type) for name in COLUMNS}
    with own_engine(memory_limit, threads) as engine:
        yield _described(Rows.of(engine, engine.put(data, COLUMNS if given else None)), given)


def _described(rows: Rows, given: Mapping[str, pa.DataType]) -> HourlyCounts:
    types = rows.engine.describe(rows.sql)
    _refuse_missing(types.names)
    found = types.field("connections").type
    if not (is_integer(found) or (pa.types.is_decimal(found) and found.scale == 0)):
        raise ValueError(f"expected whole numbers in 'connections', found {found}; cast them to integers")
    listed = ", ".join(COLUMNS)
    schema = rows.engine.stream(f"select {listed} from ({rows.sql}) as t where false").schema
    seen = {name: schema.field(name).type for name in COLUMNS}
    per_hour(seen["hour"])
    counts = HourlyCounts(rows, seen, seen | dict(given))
    _refuse_nameless(counts)
    if seen["hour"] == pa.uint64():
        _refuse_too_late(counts)
    return counts


def plain(kind: pa.DataType) -> pa.DataType:
    """A type, or that of the values that it encodes."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _refuse_missing(names: Iterable[str]) -> None:
    if missing := [name for name in COLUMNS if name not in names]:
        raise ValueError(
            f"expected the columns {', '.join(COLUMNS)}; found {', '.join(names)}, "
            f"without {', '.join(missing)}"
        )


def _refuse_nameless(counts: HourlyCounts) -> None:
    missing = " or ".join(f"{name} is null" for name in (*EDGE, "hour"))
    found = counts.rows.engine.fetch(f"select count(*) from ({counts.rows.sql}) as t where {missing}")[0][0]
    if found:
        raise ValueError(
            f"expected a source, a destination and an hour in every row, found {found} rows without; "
            "leave them out, or name what is not known"
        )


def _refuse_too_late(counts: HourlyCounts) -> None:
    latest = counts.rows.engine.fetch(f"select max(hour) from ({counts.rows.sql}) as t")[0][0]
    if latest is not None and latest > LAST_HOUR:
        raise ValueError(f"expected numbers of hours to {LAST_HOUR}, found {latest}")
