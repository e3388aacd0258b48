"""What the sample data of all pipelines have in common: how they are asked for, cut into files and broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv


def refuse_nonsense(scale: int, seed: int) -> None:
    """Refuse a sample that can't be drawn.

    Raises
    ------
    ValueError
        When scale < 1 or seed < 0.
    """
    if scale < 1 or seed < 0:
        raise ValueError(
            f"expected scale >= 1 and seed >= 0, found scale {scale} and seed {seed}. "
            "Nothing was written. Next: give a whole number of at least 1 as scale and 0 as seed."
        )


def spans(
    seconds: npt.NDArray[np.int64], begin: datetime, each: timedelta, number: int
) -> Iterator[tuple[datetime, slice]]:
    """Where the rows of each span of time lie, and when it starts.

    Parameters
    ----------
    seconds : of the rows since `begin`, in order.

    Examples
    --------
    >>> days = spans(np.array([5, 90_000, 90_001]), datetime(2026, 1, 1), timedelta(days=1), 2)
    >>> [(start.day, part.start, part.stop) for start, part in days]
    [(1, 0, 1), (2, 1, 3)]
    """
    starts = np.arange(number + 1) * int(each.total_seconds())
    ends = np.searchsorted(seconds, starts).tolist()
    for n in range(number):
        yield begin + n * each, slice(ends[n], ends[n + 1])


def drop(rows: pa.Table, folder: Path, name: str, start: datetime) -> None:
    """Drop rows into a folder of temporal landing as a file that is named after a day."""
    folder.mkdir(parents=True, exist_ok=True)
    csv.write_csv(rows, folder / f"{name}-{start:%Y-%m-%d}.csv", csv.WriteOptions(quoting_style="needed"))


def changed(rows: pa.Table, **values: Any) -> pa.Table:
    """The rows with other values, one for all or one a row, in the columns named.

    Examples
    --------
    >>> changed(pa.table({"user": ["a", "b"], "n": [1, 2]}), n=[3, None], user="").to_pylist()
    [{'user': '', 'n': 3}, {'user': '', 'n': None}]
    """
    for name, value in values.items():
        place, field = rows.schema.get_field_index(name), rows.schema.field(name)
        column = [value] * rows.num_rows if value is None or isinstance(value, int | str) else value
        rows = rows.set_column(place, field, pa.array(column, type=field.type))
    return rows
