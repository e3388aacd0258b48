"""Hours as they are given, instants or numbers, and as the numbers that are counted with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PER_HOUR = {"s": 3_600, "ms": 3_600_000, "us": 3_600_000_000, "ns": 3_600_000_000_000}


def per_hour(kind: pa.DataType) -> int:
    """How many units of a type make an hour: an integer is the number of an hour.

    Raises
    ------
    ValueError
        When it is neither an instant nor an integer.

    Examples
    --------
    >>> per_hour(pa.timestamp("ms", tz="UTC")), per_hour(pa.int32())
    (3600000, 1)
    """
    if pa.types.is_timestamp(kind):
        return PER_HOUR[kind.unit]
    if pa.types.is_integer(kind):
        return 1
    raise ValueError(f"expected hours as instants (timestamps) or whole numbers, found {kind}")


def hour_numbers(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Shape (rows,): whole hours since the origin of their type.

    Parameters
    ----------
    column : of instants or integers, without nulls.
    """
    return np.asarray(column.cast(pa.int64()).to_numpy() // per_hour(column.type), dtype=np.int64)


def hours_of(
    numbers: npt.NDArray[np.int64], kind: pa.DataType, *, missing: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """Numbers of hours as a column of a type; null where one is missing.

    Examples
    --------
    >>> hours_of(np.array([0, 25]), pa.timestamp("s")).to_pylist()
    [datetime.datetime(1970, 1, 1, 0, 0), datetime.datetime(1970, 1, 2, 1, 0)]
    """
    if missing is not None:
        numbers = np.where(missing, 0, numbers)
    return pa.array(numbers * per_hour(kind), mask=missing).cast(kind)


def format_hour(units: int, kind: pa.DataType) -> str:
    """How a message tells an hour, or what is not one.

    Parameters
    ----------
    units : of the type, since its origin.

    Examples
    --------
    >>> format_hour(7, pa.int32())
    '7'
    >>> format_hour(3_600_000_000_001, pa.timestamp("ns"))
    '1970-01-01 01:00:00 and 1 ns'
    """
    if not pa.types.is_timestamp(kind) or kind.unit != "ns":
        return str(pa.array([units]).cast(kind)[0])
    # Python has no instants of nanoseconds.
    micros, nanos = divmod(units, 1_000)
    at = pa.array([micros]).cast(pa.timestamp("us", kind.tz))[0]
    return f"{at}" + (f" and {nanos} ns" if nanos else "")
