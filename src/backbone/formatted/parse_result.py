"""A file that the database has read: its staged rows, and what was seen of it on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.raw_file import RawFile
from backbone.errors import BatchRefused

if TYPE_CHECKING:
    import pyarrow as pa

    from backbone.formatted.conform import Check
    from backbone.formatted.csv.grammar import Grammar
    from backbone.formatted.csv.lines import Lines
    from backbone.formatted.csv.split import Broken


@dataclass(frozen=True)
class ParseResult:
    """A file staged as a table with `_row`, `_line` and those of `ConformSql`.

    `records` counts its rows; `broken` are the lines of the file that are no records. `ignored_columns` are
    those of the file that no field reads, `missing_columns` the optional ones that it lacks. `absent_keys`
    are those that no record of a JSON file has; any record may lack one, so that they are not missing.
    `passed` counts the lines that the settings say are no records, by kind. `width` is the number of columns
    that become rows, where the settings say so, and `cells` are their names: the table has the rows that the
    records make then, and `_record` is the position of a row's record.
    """

    table: str
    records: int
    checks: tuple[Check, ...]
    broken: list[Broken]
    file: RawFile
    grammar: Grammar | None
    lines: Lines | None
    ignored_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    absent_keys: tuple[str, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)
    width: int | None = None
    cells: tuple[str, ...] | None = None

    def rows(self, left_out: Mapping[str, int]) -> int:
        """How many rows its records make, without the cells that are left out, counted by reason."""
        return self.records * (1 if self.width is None else self.width) - sum(left_out.values())

    def located(self, rows: Sequence[int]) -> pa.Table:
        """Row, line and raw text of some records of a text file, given by position in rising order."""
        import numpy as np
        import pyarrow as pa

        from backbone.formatted.csv.locate import texts

        assert self.grammar is not None and self.lines is not None
        wanted = np.array(rows, dtype=np.int64)
        raw = texts(self.file.path, self.grammar, wanted)
        return pa.table({"row": wanted, "line": self.lines.of(wanted), "raw": pa.array(raw, pa.string())})


def number_lines(
    database: Database, table: str, records: int, lines: Lines, width: int | None = None
) -> None:
    """Give a loaded table its column `_line`."""
    if lines.distance is not None:
        database.number_lines(table, lines.distance, width)
        return
    import pyarrow as pa

    schema = pa.schema([("_row", pa.int64()), ("_line", pa.int64())])
    batches = (pa.record_batch(list(part), schema) for part in lines.batches(records, width=width or 1))
    database.number_lines(table, pa.RecordBatchReader.from_batches(schema, batches), width)


def unaccountable(where: str, found: str) -> BatchRefused:
    """The refusal of a file whose records the reader and the count see differently."""
    return BatchRefused(
        where,
        f"it can't be split into records with certainty ({found})",
        "Nothing of it is formatted; it is kept in persistent landing.",
        'declare how it is written: delimiter, quote, escape, skip (quote = "" for none)',
    )
