"""A kernel's work on the groups of a query's rows, as a value that any engine can carry out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbone.analysis.groups import Groups, Kernel, LargeGroups, map_chunks, undivided
from backbone.engines.order import OutOfOrder, ascends
from backbone.engines.protocol import Engine
from backbone.engines.relation import Relation


class AscendingKeys:
    """Hold groups to the order of their keys, from one chunk to the next."""

    def __init__(self) -> None:
        self._last: pa.RecordBatch | None = None

    def checked(self, groups: Groups) -> Groups:
        """The same groups.

        Raises
        ------
        OutOfOrder
            When one of them does not come after the one before it.
        """
        keys = groups.keys
        if keys.num_columns and keys.num_rows:
            before = [] if self._last is None else [self._last]
            if not ascends([*before, keys]):
                raise OutOfOrder
            self._last = keys.slice(keys.num_rows - 1)
        return groups


@dataclass(frozen=True)
class KernelTask:
    """What a kernel makes of every group, on all cores of a process; see `GroupTask`.

    Groups that come again or out of order are refused, as not every engine keeps to the order it was asked
    for. A group that is larger than a chunk is noted: it is worked on from disk and by one core.

    Parameters
    ----------
    kernel : from complete groups to result rows.
    by : the columns that identify a group; with none, all rows are one group.
    values : what the kernel is given: names to SQL over the query's columns.
    order : the columns that order the rows of a group.
    parts : as for `map_chunks`.
    """

    kernel: Kernel
    by: Sequence[str]
    values: Mapping[str, str]
    order: Sequence[str] = ()
    parts: Callable[[Groups], Iterable[Groups]] = field(default=undivided)

    def schema(self, keys: pa.Schema) -> pa.Schema:
        """The columns of the result, where groups are identified by `keys`."""
        return self.kernel.schema(keys)

    def run(
        self, batches: Iterator[pa.RecordBatch], *, threads: int, scratch: Path, notes: list[str]
    ) -> Iterator[pa.RecordBatch]:
        sizes: list[int] = []
        ascending = AscendingKeys()
        yield from map_chunks(
            self.kernel,
            batches,
            self.by,
            threads=threads,
            large=LargeGroups(scratch, sizes.append),
            parts=lambda groups: self.parts(ascending.checked(groups)),
        )
        if sizes and self.by:  # that all rows are many when they are one group is no news
            found = "a group of" if len(sizes) == 1 else f"{len(sizes):,} groups of up to"
            notes.append(
                f"{found} {max(sizes):,} rows did not fit into a chunk: "
                "each was worked on from disk, by one core"
            )


def map_groups(
    engine: Engine,
    sql: str,
    task: KernelTask,
    parameters: Mapping[str, Any] | None = None,
    *,
    select: str = "*",
    to_file: bool = False,
) -> Relation:
    """As `Engine.map_groups`, whose notes are logged as warnings."""
    found = engine.map_groups(sql, task, parameters, select=select, to_file=to_file)
    for note in found.notes:
        logging.getLogger("backbone").warning(note)
    return found
