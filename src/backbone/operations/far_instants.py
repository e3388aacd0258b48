"""Times that Python and Arrow can't write: infinity, and those outside of the years 1 to 9999."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

FIRST, LAST = "0001-01-01", "9999-12-31T23:59:59.999999"


def has_far(column: pa.Array) -> bool:
    """Whether a column of dates or times has one that Arrow would write as another."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_timestamp(column.type) or pa.types.is_date32(column.type)):
        return False
    found = pc.min_max(_numbers(column)).as_py()
    first, last = _bounds(column.type)
    return found["min"] is not None and (found["min"] < first or found["max"] > last)


def as_text(column: pa.Array) -> pa.Array:
    """A column of dates or times as text: as Arrow writes them, and those as well that it can't.

    They are written as in the other formats of a query.

    Examples
    --------
    >>> import pyarrow as pa
    >>> far = pa.array([0, 2932897, -735233, 2**31 - 1, None], pa.int32()).cast(pa.date32())
    >>> as_text(far).to_pylist()
    ['1970-01-01', '10000-01-01', '0044-01-01 (BC)', 'infinity', None]
    """
    import pyarrow as pa

    unit = _unit(column.type)
    first, last = _bounds(column.type)
    most = np.iinfo(np.int32 if unit == "D" else np.int64).max
    zone = "Z" if pa.types.is_timestamp(column.type) and column.type.tz else ""
    texts: list[str | None] = []
    for number, written in zip(
        _numbers(column).to_pylist(), column.cast(pa.string()).to_pylist(), strict=True
    ):
        if number is None or first <= number <= last:
            texts.append(written)
        elif abs(number) == most:
            texts.append("infinity" if number > 0 else "-infinity")
        else:
            texts.append(_far(str(np.array(number).astype(f"datetime64[{unit}]"))) + zone)
    return pa.array(texts, pa.string())


def _far(text: str) -> str:
    """A finite time as NumPy writes it, in which the year 0 is 1 BC."""
    on, _, at = text.partition("T")
    year, _, day = on.lstrip("-").partition("-")
    if on.startswith("-") or int(year) == 0:
        on = f"{int(year) + 1:04}-{day} (BC)"
    return f"{on} {at}" if at else on


def _numbers(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    return column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())


def _unit(kind: pa.DataType) -> str:
    import pyarrow as pa

    return "D" if pa.types.is_date32(kind) else str(kind.unit)


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    unit = _unit(kind)
    if unit == "ns":  # which can't be outside of these years, but infinite
        most = np.iinfo(np.int64).max
        return -most + 1, most - 1
    first, last = (np.datetime64(text, "us").astype(f"datetime64[{unit}]") for text in (FIRST, LAST))
    return int(first.astype(np.int64)), int(last.astype(np.int64))
