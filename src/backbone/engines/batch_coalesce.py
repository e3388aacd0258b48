"""Small batches joined into larger ones, where each costs something by itself.

They are joined too, which costs a fraction of what reading them one by one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

COALESCED_BYTES = 16_000_000


def coalesced(batches: Iterable[pa.RecordBatch], at_least: int = COALESCED_BYTES) -> Iterator[pa.Table]:
    """The same rows in tables of so many bytes, in their order; the last one may be smaller.

    Examples
    --------
    >>> import pyarrow as pa
    >>> batch = pa.record_batch({"user": [1, 2]})
    >>> [table.num_rows for table in coalesced([batch] * 5, at_least=20)]
    [4, 4, 2]
    """
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= at_least:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()
