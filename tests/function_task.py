"""A task that is any function of batches, to see what an engine hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class FunctionTask:
    """See `GroupTask`; by default the result is what is handed over."""

    by: Sequence[str]
    values: Mapping[str, str]
    function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]] = iter
    order: Sequence[str] = ()

    def schema(self, keys: pa.Schema) -> pa.Schema:
        raise NotImplementedError("what a function returns is known only when it is called")

    def run(
        self, batches: Iterator[pa.RecordBatch], *, threads: int, scratch: Path, notes: list[str]
    ) -> Iterator[pa.RecordBatch]:
        return self.function(batches)
