"""What is known of every edge: as the table that is kept, and as the arrays that the kernel works on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.rare_edges.hours import hour_numbers, hours_of

NEVER = int(np.iinfo(np.int64).min)  # the hour of an alert that there has not been

HOURS = ("first_seen", "last_seen", "maximum_at", "last_alert")
FLOATS = ("expected", "mean", "squared_deviations")

Values = npt.NDArray[Any]


class EdgeState(NamedTuple):
    """Shape (edges,) each; hours are numbers of hours.

    Parameters
    ----------
    first_seen, last_seen : the first and the last hour with connections.
    maximum, maximum_at : the count that the expectation decays from, and the hour in which it was counted.
    last_alert : `NEVER` where there has been none.
    expected : more than this in the next hour is unusual.
    n_hours, mean, squared_deviations : of the counts since the last alert: their number, their mean, and the
        sum of their squared deviations from it.
    """

    first_seen: Values
    last_seen: Values
    maximum: Values
    maximum_at: Values
    last_alert: Values
    expected: Values
    n_hours: Values
    mean: Values
    squared_deviations: Values

    @classmethod
    def empty(cls, edges: int) -> EdgeState:
        """Room for so many edges."""
        kinds = (np.float64 if name in FLOATS else np.int64 for name in cls._fields)
        return cls(*(np.empty(edges, dtype=kind) for kind in kinds))

    @classmethod
    def of(cls, table: pa.Table) -> EdgeState:
        """The arrays of a table with the columns of `fields`; read-only."""
        found = []
        for name in cls._fields:
            column = table.column(name)
            values: Values
            if name == "last_alert":
                never = column.is_null().to_numpy()
                values = hour_numbers(column.fill_null(pa.scalar(0).cast(column.type)))
                values[never] = NEVER
            else:
                values = hour_numbers(column) if name in HOURS else column.to_numpy()
            found.append(read_only(values))
        return cls(*found)

    @classmethod
    def fields(cls, hour: pa.DataType) -> list[pa.Field]:
        """The columns of a table, where hours are of a type."""
        kinds = dict.fromkeys(HOURS, hour) | dict.fromkeys(FLOATS, pa.float64())
        return [pa.field(name, kinds.get(name, pa.int64())) for name in cls._fields]

    def columns(self, hour: pa.DataType) -> list[pa.Array]:
        """The columns of a table, its hours of a type."""
        found = []
        for name, values in zip(self._fields, self, strict=True):
            if name in HOURS:
                missing = values == NEVER if name == "last_alert" else None
                found.append(hours_of(values, hour, missing=missing))
            else:
                found.append(pa.array(values))
        return found

    def of_rows(self, rows: Values) -> EdgeState:
        """The same of some edges only, told by a mask or by their places."""
        return EdgeState(*(read_only(values[rows]) for values in self))

    def updated(self, place: Values, state: EdgeState) -> EdgeState:
        """The same with other values at some places, those from its end on without a gap."""
        edges = max(len(self.first_seen), int(place.max(initial=-1)) + 1)
        both = EdgeState.empty(edges)
        for values, before, after in zip(both, self, state, strict=True):
            values[: len(before)] = before
            values[place] = after
        return both


def read_only(values: Values) -> Values:
    """The same values, of the one kind of array that the kernel is compiled for."""
    view = values.view()
    view.flags.writeable = False
    return view
