"""Data from anywhere as rows that an engine holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from backbone.engines import own_engine
from backbone.engines.rows import Rows


@contextmanager
def as_rows(data: Any, columns: Sequence[str], memory_limit: str, threads: int | None) -> Iterator[Rows]:
    """Data as rows that an engine holds: the engine they are in already, or one for this work alone.

    Parameters
    ----------
    data : anything that exports an Arrow stream, the path or paths of Parquet files, or `Rows`.
    columns : those that are wanted.
    """
    if isinstance(data, Rows):
        yield data
        return
    with own_engine(memory_limit, threads) as engine:
        yield Rows.of(engine, engine.put(data, list(dict.fromkeys(columns))))
