"""Run a kernel over rows that an engine holds, group by group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from backbone.analysis.groups import Groups, Kernel, map_chunks, whole
from backbone.engines.held import fresh
from backbone.engines.protocol import Engine


def map_groups(
    engine: Engine,
    sql: str,
    by: Sequence[str],
    values: Mapping[str, str],
    kernel: Kernel,
    *,
    order: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    parts: Callable[[Groups], Iterable[Groups]] = whole,
) -> str:
    """Stage what a kernel makes of every group of a query's rows, on all cores.

    A group that is larger than a chunk is told of: it is worked on from disk and by one core.

    Parameters
    ----------
    sql, by, values, order, parameters : as for `Engine.map_groups`; with `by` empty all rows are one group.
    parts : as for `map_chunks`.

    Returns
    -------
    The name of the staged table.
    """
    staged = fresh("groups")
    work = partial(
        map_chunks,
        kernel,
        by=by,
        threads=engine.threads,
        scratch=engine.scratch,
        large=_told if by else _untold,
        parts=parts,
    )
    engine.map_groups(staged, sql, by, values, work, order=order, parameters=parameters)
    return staged


def _told(rows: int) -> None:
    logging.getLogger("backbone").warning(
        "a group of %s rows is larger than a chunk: it is worked on from disk, by one core", f"{rows:,}"
    )


def _untold(rows: int) -> None:
    """That all rows together are many is no news."""
