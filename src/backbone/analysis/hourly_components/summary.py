"""What was found in each hour, and its components, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from backbone.analysis.hourly_components.principal import Principal

HOURS = pa.schema(
    [
        pa.field("hour", pa.int16()),
        pa.field("status", pa.string()),
        pa.field("days", pa.int32()),
        pa.field("users", pa.int32()),
        pa.field("components", pa.int32()),
        pa.field("variance", pa.float64()),
    ]
)
COMPONENTS = pa.schema(
    [
        pa.field("hour", pa.int16()),
        pa.field("rank", pa.int32()),
        pa.field("cluster", pa.int32()),
        pa.field("variance", pa.float64()),
        pa.field("ratio", pa.float64()),
        pa.field("cumulative", pa.float64()),
    ]
)


def hours_table(hours: Mapping[int, Principal], days: int) -> pa.Table:
    """A row for each of the 24 hours, whatever happened in it.

    Parameters
    ----------
    days : the observations of an hour in which nothing happened.

    Examples
    --------
    >>> hours_table({}, 28).to_pylist()[23]
    {'hour': 23, 'status': 'no_data', 'days': 28, 'users': 0, 'components': 0, 'variance': None}
    """
    rows = []
    for hour in range(24):
        row = {"hour": hour, "status": "no_data", "days": days, "users": 0, "components": 0}
        if hour in hours:
            found = hours[hour]
            row |= {"days": found.days, "users": found.users, "components": len(found.squares)}
            row["status"] = "one_day" if found.days == 1 else "analysed" if found.total else "no_variance"
            row["variance"] = found.total / (found.days - 1) if found.days > 1 else None
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=HOURS)


def components_table(hours: Mapping[int, Principal]) -> pa.Table:
    """A row for each component that is kept, in the order of hours and ranks."""
    tables = [COMPONENTS.empty_table()]
    for hour, found in sorted(hours.items()):
        n = len(found.squares)
        if n:
            ratio = found.squares / found.total
            columns = [
                np.full(n, hour, dtype=np.int16),
                np.arange(1, n + 1, dtype=np.int32),
                found.cluster.astype(np.int32) + 1,
                found.squares / (found.days - 1),
                ratio,
                np.cumsum(ratio),
            ]
            tables.append(pa.Table.from_arrays([pa.array(c) for c in columns], schema=COMPONENTS))
    return pa.concat_tables(tables)
