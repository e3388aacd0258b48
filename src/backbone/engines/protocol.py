"""What an engine can do. The zones speak to engines only through this.

SQL is written in DuckDB's dialect within the portable subset that `engines/sql/parse.py` enforces; an
engine that speaks another dialect translates it. Values travel as parameters, `$name` in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from backbone.lake.publish import Staged
from backbone.lake.table import TableVersion

if TYPE_CHECKING:
    import pyarrow as pa

Parameters = Mapping[str, Any]

MAX_RECORD = 2_000_000
"""Bytes of the longest record of a CSV file; DuckDB's own default (`max_line_size`)."""

TEXT = "_backbone_text"
"""A column that a reader adds to a file's own; a name that no file has."""


@dataclass(frozen=True)
class RawFile:
    r"""A file as it landed, ready to be read: plain (not compressed), and UTF-8 where it is text.

    `columns` are the names of the file's columns, in its order; of CSV only their number counts. `skip` is
    the number of lines before the first record, `newline` how lines end, in the spelling `\n` or `\r\n`.
    """

    path: Path
    format: str
    columns: tuple[str, ...]
    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = '"'
    skip: int = 0
    newline: str = r"\n"


class MalformedFile(Exception):
    """The engine's reader stopped at a record it can't parse."""


class Engine(Protocol):
    """Reads versions of tables, stages what queries and steps compute, and writes it to be published."""

    @property
    def threads(self) -> int:
        """How many threads a kernel may use in this process."""

    @property
    def scratch(self) -> Path:
        """A folder for data that does not fit into memory."""

    def read(self, table: TableVersion) -> None:
        """From now on `zone.table` in SQL means this version."""

    def narrow(self, dataset: str, column: str, start: datetime, end: datetime) -> None:
        """Until it is read again, `zone.table` means its rows with `start <= column < end`."""

    def arrange(self, dataset: str, column: str, start: datetime, end: datetime) -> None:
        """Lay the rows of a range out by time, so that narrowing to many windows of it is fast."""

    def raw_types(self, file: RawFile) -> list[str]:
        """The SQL type of each column of a raw file; VARCHAR throughout for text formats."""

    def load(self, name: str, file: RawFile | pa.RecordBatchReader, levels: Sequence[str]) -> int:
        """Stage a raw file as table `name`, one row per record, and return the number of records.

        `file` may be a stream of the records of a file that was read elsewhere, which has a column `_row`:
        their positions, as below. Each of `levels` is a list of expressions. The first is over the file's
        columns, by position written `raw.c0`, or over those of the stream, and, of a file, over `raw.{TEXT}`,
        which is the whole record as JSON for a file of typed columns and null for text. Every further one is
        over the one before it, written `v.name`. The staged table has a column `_row` before those of the
        last: the record's position in the file, from 0; and a column `_line`, null until `number_lines`.

        Raises
        ------
        MalformedFile
            When a record can't be parsed; nothing is staged.
        """

    def load_files(self, name: str, files: Sequence[RawFile], levels: Sequence[str]) -> list[int]:
        """Stage CSV files that are laid out alike as one table, as `load` does with one.

        Returns
        -------
        The rows of each file; in the table they come in the order of the files and of the records.
        """

    def number_lines(self, name: str, lines: int | pa.RecordBatchReader | None) -> None:
        """Fill the column `_line` of a loaded table: with `_row` and a number, or with null.

        Of a reader's columns, one value for each row, all are added; `_row` and `_line` are among them.
        """

    def load_together(
        self, name: str, files: Sequence[RawFile], labels: Sequence[str], levels: Sequence[str]
    ) -> int:
        """Stage several Parquet files with equal columns as one table, as `load` does with one.

        The staged table has a column `_batch` too, the label of the row's file; `_row` is the record's
        position in its file.
        """

    def create(self, name: str, sql: str, parameters: Parameters | None = None) -> int:
        """Stage the result of a query as table `name`, in place of any before it; returns its rows."""

    def insert(self, name: str, sql: str, parameters: Parameters | None = None) -> int:
        """Append the result of a query to a staged table; returns the rows added."""

    def take(self, name: str, data: pa.RecordBatchReader | pa.Table) -> int:
        """Stage Arrow data as table `name`, in place of any before it; returns its rows."""

    def show(self, name: str, data: Any, columns: Sequence[str] | None = None) -> None:
        """From now on `name` in SQL means data from outside, of which no more than `columns` is wanted.

        `data` is a path or list of paths of Parquet files, or anything that exports an Arrow stream.

        Raises
        ------
        EngineFailed
            When a file can't be read.
        """

    def map_groups(
        self,
        name: str,
        sql: str,
        by: Sequence[str],
        values: Mapping[str, str],
        function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        *,
        order: Sequence[str] = (),
        parameters: Parameters | None = None,
        select: str = "*",
        as_file: bool = False,
    ) -> int:
        """Stage what a function makes of rows that arrive group by group, as table `name`.

        What is in order already is not sorted. Where that proves wrong on the way, all starts anew, so
        `function` may be called twice.

        Parameters
        ----------
        sql : a query with the columns that `by`, `order` and `values` name.
        by : the columns that identify a group; they are not null.
        values : name to expression over the query's columns; evaluated after the sort, so that the narrower
            original is what is sorted.
        function : from the rows, of which it gets at least one batch (that may be empty), with the columns
            `by` and `values`, in the order of `by`, then `order`; to the result, at least one batch.
        order : the columns that order the rows of a group. Rows that have to be sorted are ordered by all
            other columns too, so that the result does not depend on how they lay; rows that lie in order
            are taken as they lie.
        select : SQL of what is staged of the result: expressions over its columns.
        as_file : lay it down as a file, as tables are stored; for what is to be published as it is.

        Returns
        -------
        The rows staged.
        """

    def are_distinct(self, sql: str) -> bool:
        """Whether no row of a query occurs twice; nulls are equal."""

    def is_ascending(self, sql: str) -> bool:
        """Whether each row of a query is larger than the one before it; one with a null or a NaN is not."""

    def rename(self, name: str, new: str) -> None:
        """Call a staged table by another name, in place of any that has it."""

    def drop(self, name: str) -> None:
        """Forget a staged table."""

    def columns(self, sql: str, parameters: Parameters | None = None) -> list[tuple[str, str]]:
        """Names and SQL types of a query's columns, without running it."""

    def is_query(self, sql: str) -> bool:
        """Whether a text is exactly one SELECT, and so changes nothing."""

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """The rows of a small result: counts, checks, lists of batches."""

    def stream(self, sql: str, parameters: Parameters | None = None) -> pa.RecordBatchReader:
        """A result of any size as Arrow batches; read it before the next call."""

    def files_holding(self, table: TableVersion, condition: str) -> list[str]:
        """Those of a version's files that hold a row for which the condition is true."""

    def write(
        self,
        sql: str,
        folder: Path,
        parameters: Parameters | None = None,
        *,
        order: Sequence[str] = (),
        lies_in_order: bool = False,
        partitioned: bool = False,
    ) -> Staged:
        """Write a query's rows as Parquet files below `folder`, to be published.

        Parameters
        ----------
        order : the columns to sort by; as they come, if none.
        lies_in_order : whether the rows come in this order already.
        partitioned : by the day of `window_start`, which is a further column of what is published.
        """

    def write_as_it_lies(self, name: str, folder: Path) -> Staged:
        """Write a staged table, its rows in the order in which they lie; what is a file already is taken."""

    def storable(self, columns: Sequence[tuple[str, str]], where: str) -> list[tuple[str, str]]:
        """The types that a table stores for a query's columns (a sum of integers is a BIGINT)."""

    def close(self) -> None:
        """Free what the engine holds."""
