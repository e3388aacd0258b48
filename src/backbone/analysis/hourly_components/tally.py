"""Count where there is a place for each cell: rows need not be sorted, and are not kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.hourly_components.hour_matrix import Integers
from backbone.analysis.kernels.compiled import compiled

Hours: TypeAlias = npt.NDArray[np.int16]

HOURS = 24
PLACES = 32_000_000  # at most, of four bytes each
PER_ROW = 4  # as many places cost no more than sorting a row
MOST = 2**31  # that all amounts add up to is less


def fits(users: int, days: int, rows: int) -> bool:
    """Whether the cells of all users and days have a place each.

    Examples
    --------
    >>> fits(10_000, 14, 10_000_000), fits(1_000_000, 14, 10_000_000)
    (True, False)
    """
    return HOURS * users * days <= min(PLACES, PER_ROW * rows)


def tally(
    batches: Iterable[pa.RecordBatch], users: int, first: int, days: int, weighted: bool
) -> pa.RecordBatchReader:
    """The cells in the order of hours, users and days, each hour a batch.

    Parameters
    ----------
    batches : rows of `hour`, `code` and `day`, and of whole `amount`s where they are weighted, in any order,
        on which whole sums do not depend.
    first, days : the range of the days.
    """
    sums = np.zeros((HOURS, users, days), dtype=np.int32)
    for batch in batches:
        hour, code, day, *amount = (column.to_numpy() for column in batch.columns)
        if weighted:
            _add(hour, code, day, amount[0], first, sums)
        else:
            _count(hour, code, day, first, sums)
    kinds = {"hour": pa.int16(), "code": pa.int32(), "day": pa.int32(), "events": pa.int32()}
    schema = pa.schema(kinds.items())
    return pa.RecordBatchReader.from_batches(schema, _cells(sums, first, schema))


def _cells(sums: Integers, first: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for hour, its in enumerate(sums):
        place = np.flatnonzero(its)
        code, day = np.divmod(place.astype(np.int32), np.int32(its.shape[1]))
        columns = (np.full(len(place), hour, dtype=np.int16), code, day + np.int32(first), its.ravel()[place])
        yield pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=schema)


@compiled
def _count(hour: Hours, code: Integers, day: Integers, first: int, sums: Integers) -> None:
    for i in range(np.uint64(len(hour))):
        sums[np.uint16(hour[i]), np.uint32(code[i]), np.uint32(day[i] - first)] += 1


@compiled
def _add(hour: Hours, code: Integers, day: Integers, amount: Integers, first: int, sums: Integers) -> None:
    for i in range(np.uint64(len(hour))):
        sums[np.uint16(hour[i]), np.uint32(code[i]), np.uint32(day[i] - first)] += amount[i]
