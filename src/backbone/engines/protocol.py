"""What an engine can do: a dozen verbs over relations. Models, steps, checks and kernels speak only this.

A text of SQL names relations as the engine calls them (`Relation.name`), is written in DuckDB's dialect
within the allow-list of `engines/sql` or made with the engine's `functions`, and gets values as parameters,
`$name` in the text. No verb changes what an earlier relation means. `engines/laws` states what every
engine obeys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from backbone.engines.relation import Relation, Within
from backbone.engines.sql.functions import SqlFunctions
from backbone.lake.publish import Staged
from backbone.lake.table import TableVersion

if TYPE_CHECKING:
    import pyarrow as pa

Parameters = Mapping[str, Any]


class Staging(Protocol):
    """A relation in the making: the rows of one query after the other."""

    def add(self, sql: str, parameters: Parameters | None = None) -> int:
        """Append a query's rows, its columns cast to those of the relation in their order; how many."""

    def finish(self) -> Relation:
        """The relation; nothing is added to it any more."""


class GroupTask(Protocol):
    """What is to be done with rows that arrive group by group; a value that another process can be sent.

    `values` are what the rows hold beside the columns of `by`: names to SQL over the query's columns.
    `order` are the columns that order the rows of a group.
    """

    @property
    def by(self) -> Sequence[str]: ...

    @property
    def values(self) -> Mapping[str, str]: ...

    @property
    def order(self) -> Sequence[str]: ...

    def schema(self, keys: pa.Schema) -> pa.Schema:
        """The columns of the result, where groups are identified by `keys`: known before there is a row."""

    def run(
        self, batches: Iterator[pa.RecordBatch], *, threads: int, scratch: Path, notes: list[str]
    ) -> Iterator[pa.RecordBatch]:
        """The result rows, in the order of the groups; the first batch may be empty and has their columns.

        Parameters
        ----------
        batches : at least one, with the columns of `by` and `values`; in the order of `by`, then of `order`.
        notes : gets what a reader of the receipt should know.

        Raises
        ------
        OutOfOrder
            When a group comes again, or before one that it should come after.
        """


class Engine(Protocol):
    """Binds versions of tables, stages what models and steps compute, and writes it to be published."""

    @property
    def functions(self) -> SqlFunctions:
        """The SQL functions that engines spell in different ways."""

    @property
    def threads(self) -> int:
        """How many threads a kernel may use in this process."""

    @property
    def scratch(self) -> Path:
        """A folder for data that does not fit into memory."""

    def bind(
        self, rows: TableVersion | Relation, within: Within | None = None, name: str | None = None
    ) -> Relation:
        """A version of a table, or another relation, or a range of either; nothing is read yet.

        Parameters
        ----------
        name : `zone.table`; SQL may call its columns by the table's name. That of the version by default.
        """

    def put(self, data: Any, columns: Sequence[str] | None = None) -> Relation:
        """Data from outside.

        Parameters
        ----------
        data : anything that exports an Arrow stream, which is read once; or the path or paths of Parquet
            files, which are read when they are asked for.
        columns : those that are wanted; all by default.

        Raises
        ------
        EngineFailed
            When a file can't be read.
        """

    def stage(self, sql: str, parameters: Parameters | None = None) -> Relation:
        """The rows of a query, computed now."""

    def staging(self, schema: pa.Schema) -> AbstractContextManager[Staging]:
        """To stage the rows of several queries as one relation with these columns.

        What is not finished when the context ends is gone.
        """

    def map_groups(
        self,
        sql: str,
        task: GroupTask,
        parameters: Parameters | None = None,
        *,
        select: str = "*",
        to_file: bool = False,
    ) -> Relation:
        """What a task makes of a query's rows, group by group.

        Rows that are in order already are not sorted. If they prove not to be, all is done again, so the
        task may be run twice. Rows that have to be sorted are ordered by all other columns too, so that the
        result does not depend on the order in which they are stored.

        Parameters
        ----------
        sql : a query with the columns that the task names; those of its `by` are not null.
        select : expressions over the columns of the task's result: what is staged of it.
        to_file : stage it as the file that a table without windows is published as.
        """

    def describe(self, sql: str, parameters: Parameters | None = None) -> pa.Schema:
        """Names and types of a query's columns, without running it. A sum of integers is an int64."""

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """The rows of a small result: counts and checks."""

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """A result of any size as Arrow batches. Streams are independent of each other."""

    def is_ascending(self, sql: str) -> bool:
        """Whether each row of a query is larger than the one before it; one with a null or a NaN is not."""

    def are_distinct(self, sql: str) -> bool:
        """Whether no row of a query occurs twice; nulls are equal."""

    def write(
        self,
        rows: Relation,
        folder: Path,
        *,
        order: Sequence[str] = (),
        in_order: bool = False,
        partitioned: bool = False,
    ) -> Staged:
        """Write a relation's rows as Parquet files below `folder`, to be published.

        Parameters
        ----------
        order : the columns to sort by; in stored order, if none.
        in_order : whether the rows are stored in this order already.
        partitioned : by the day of `window_start`, which is a further column of what is published.
        """

    def drop(self, *relations: Relation) -> None:
        """Free what relations hold; those that were made from them by `stage` stay."""

    def close(self) -> None:
        """Free what the engine holds."""
