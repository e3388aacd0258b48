"""Run a kernel over rows that an engine holds, group by group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from backbone.analysis.groups import Groups, Kernel, map_chunks, whole
from backbone.engines.as_rows import fresh
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
    select: str = "*",
    as_file: bool = False,
) -> str:
    """Stage what a kernel makes of every group of a query's rows, on all cores.

    Groups that are larger than a chunk are told of: each is worked on from disk and by one core.

    Parameters
    ----------
    sql, by, values, order, parameters, select, as_file : as for `Engine.map_groups`; with `by` empty all rows
        are one group.
    parts : as for `map_chunks`.

    Returns
    -------
    The name of the staged table.
    """
    staged, large = fresh("groups"), list[int]()
    work = partial(
        map_chunks,
        kernel,
        by=by,
        threads=engine.threads,
        scratch=engine.scratch,
        large=large.append,
        parts=parts,
    )
    engine.map_groups(
        staged, sql, by, values, work, order=order, parameters=parameters, select=select, as_file=as_file
    )
    if large and by:  # that all rows together are many is no news
        told = "a group of" if len(large) == 1 else f"{len(large):,} groups of up to"
        logging.getLogger("backbone").warning(
            "%s %s rows did not fit into a chunk: each was worked on from disk, by one core",
            told,
            f"{max(large):,}",
        )
    return staged
