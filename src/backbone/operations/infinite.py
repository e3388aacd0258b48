"""Infinite dates and instants in what a query shows; Python and Arrow write them as some other day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backbone.contract import quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa


def is_instant(kind: str) -> bool:
    """Whether a column's type is that of an instant, a local time or a date; a list of them is not.

    Examples
    --------
    >>> [is_instant(kind) for kind in ("TIMESTAMP WITH TIME ZONE", "DATE", "DATE[]", "BIGINT")]
    [True, True, False, False]
    """
    return kind.startswith(("TIMESTAMP", "DATE")) and not kind.endswith("]")


def instants_as_text(sql: str, columns: Sequence[tuple[str, str]]) -> str:
    """The query with dates and instants as the engine writes them, in UTC and without the offset.

    Parameters
    ----------
    columns : names and types of the query's columns.
    """
    listed = [
        f"regexp_replace(cast({name} as varchar), '\\+00$', '') as {name}"
        for name in (quote_identifier(name) for name, kind in columns if is_instant(kind))
    ]
    return f"select * replace ({', '.join(listed)}) from ({sql}) as written" if listed else sql


def with_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch itself, or with texts in place of each column that has an infinite value.

    Examples
    --------
    >>> import pyarrow as pa
    >>> days = pa.array([20458, 2**31 - 1, None], pa.int32()).cast(pa.date32())
    >>> with_words(pa.record_batch({"day": days}))["day"].to_pylist()
    ['2026-01-05', 'infinity', None]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column in batch.columns:
        is_date = pa.types.is_date32(column.type)
        if is_date or pa.types.is_timestamp(column.type):
            whole, most = (pa.int32(), 2**31 - 1) if is_date else (pa.int64(), 2**63 - 1)
            values = column.cast(whole)
            ends = [pc.equal(values, pa.scalar(end, whole)) for end in (most, -most)]
            if any(pc.any(end).as_py() for end in ends):
                written = pc.cast(column, pa.string())
                for end, word in zip(ends, ("infinity", "-infinity"), strict=True):
                    written = pc.if_else(end, word, written)
                column = written
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
