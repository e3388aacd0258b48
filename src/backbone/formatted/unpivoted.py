"""The account of columns that became rows: how many rows the records of a file made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backbone.engines.duckdb.database import Database
from backbone.formatted.lines_passed_over import MOST_FILES
from backbone.formatted.parse_result import ParseResult


@dataclass(frozen=True)
class Unpivoted:
    """The records of a file, the columns of each that became rows, and the rows, good and bad."""

    records: int
    columns: int
    rows: int


def left_out(
    database: Database, parsed: Mapping[str, ParseResult], batch: str
) -> Mapping[str, Mapping[str, int]]:
    """By batch, how many cells of its staged records make no row, by reason.

    Parameters
    ----------
    batch : SQL of the batch of a staged row.
    """
    first = next(iter(parsed.values()))
    found: dict[str, dict[str, int]] = {}
    for which, why, count in [] if first.width is None else database.left_out(first.table, batch):
        found.setdefault(which, {})[why] = count
    return found


def unpivoted_notes(files: Mapping[str, Unpivoted]) -> list[str]:
    """A remark for each file, or one for all where there are many.

    Examples
    --------
    >>> unpivoted_notes({"a.csv": Unpivoted(3, 24, 70), "b.csv": Unpivoted(1, 1, 1)})
    ['a.csv: 3 records with 24 columns made 70 rows', 'b.csv: 1 record with 1 column made 1 row']
    """
    if len(files) <= MOST_FILES:
        return [
            f"{name}: {_counted(f.records, 'record')} with {_counted(f.columns, 'column')} made "
            f"{_counted(f.rows, 'row')}"
            for name, f in sorted(files.items())
        ]
    records, rows = (sum(found) for found in zip(*((f.records, f.rows) for f in files.values()), strict=True))
    return [
        f"{len(files):,} files: {_counted(records, 'record')} made {_counted(rows, 'row')} of their columns"
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
