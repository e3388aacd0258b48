"""Batches as an Arrow stream that another library reads while they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def arrow_stream(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatchReader]:
    """At least one batch as a stream; what goes wrong in making them is raised as it is, whatever reads it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> def broken():
    ...     yield pa.record_batch({"user": [1, 2]})
    ...     raise ZeroDivisionError
    >>> with arrow_stream(broken()) as rows:
    ...     rows.read_all()
    Traceback (most recent call last):
    ZeroDivisionError
    """
    import pyarrow as pa

    first, failed = next(batches), list[BaseException]()

    def others() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except BaseException as error:
            failed.append(error)
            raise

    try:
        yield pa.RecordBatchReader.from_batches(first.schema, chain([first], others()))
    except Exception:
        if failed:
            raise failed[0] from None
        raise
