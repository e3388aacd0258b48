"""Rows that break the contract, with the line they came from and every reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from backbone.contracts.contract import quote_literal
from backbone.engines.duckdb.database import Database
from backbone.formatted.conform import RECORD, Check, is_good
from backbone.formatted.parse_result import ParseResult
from backbone.formatted.reasons import failing_fields, reasons_sql
from backbone.formatted.unpivot_sql import SHOWN

if TYPE_CHECKING:
    import pyarrow as pa

STAGED = "stage_quarantine"
AT_A_TIME = 200_000
EMPTY = (
    "select cast(null as varchar) as _batch, cast(null as bigint) as line, cast(null as bigint) as _row, "
    "cast(null as varchar) as raw, cast(null as varchar[]) as reasons where false"
)


def quarantine_rows(database: Database, parsed: ParseResult, batch: str) -> int:
    """Append a batch's bad records and broken lines to the staged quarantine; returns how many.

    `line` is the physical line of the file on which the record begins, null where a file has no lines;
    `_row` the record's position, null for a line that is no record.
    """
    return _bad_records(database, {batch: parsed}, quote_literal(batch)) + _broken_lines(
        database, {batch: parsed}
    )


def quarantine_group(database: Database, parsed: Mapping[str, ParseResult]) -> None:
    """Append the bad records and broken lines of files staged as one table, with a column `_batch`."""
    _bad_records(database, parsed, "p._batch")
    _broken_lines(database, parsed)


def _broken_lines(database: Database, parsed: Mapping[str, ParseResult]) -> int:
    """Append the lines that are no records."""
    import pyarrow as pa

    broken = [(batch, line) for batch, file in sorted(parsed.items()) for line in file.broken]
    if broken:
        lines = pa.table(
            {
                "batch": pa.array([batch for batch, _ in broken], pa.string()),
                "line": pa.array([b.line for _, b in broken], pa.int64()),
                "raw": pa.array([b.raw.decode("utf-8", "replace") for _, b in broken], pa.string()),
                "reason": pa.array([f"the line {b.reason}" for _, b in broken], pa.string()),
            }
        )
        database.take("stage_broken", lines)
        database.insert(
            STAGED, "select batch, line, null, raw, [reason] from stage_broken order by batch, line"
        )
        database.drop("stage_broken")
    return len(broken)


def _bad_records(database: Database, parsed: Mapping[str, ParseResult], batch: str) -> int:
    """Append the records that are not good, so many at a time that their texts fit into memory.

    Parameters
    ----------
    batch : SQL of a row's batch, over the table `p`.
    """
    first = next(iter(parsed.values()))
    table, checks = first.table, first.checks
    failing = None
    if first.grammar is None:
        if not database.fetch(f"select 1 from {table} where _bad is not null limit 1"):
            return 0
        sql = reasons_sql(
            checks,
            failing_fields(database, table),
            f"{table} p where p._bad is not null",
            [batch, "p._line", "p._row", f"p.{RECORD}"],
        )
        return database.insert(STAGED, f"{sql} order by r.o0, r.o2")
    record, is_cell = ("_row", "false") if first.width is None else ("_record", _is_cell(checks))
    found, last = 0, ("", -1)
    while rows := database.fetch(
        f"select {batch}, _row, {record}, {is_cell} from {table} p where _bad is not null "
        f"and ({batch} > $batch or ({batch} = $batch and _row > $last)) order by all limit {AT_A_TIME}",
        {"batch": last[0], "last": last[1]},
    ):
        if failing is None:
            failing = failing_fields(database, table)
        database.take("stage_located", _located(parsed, rows))
        sql = reasons_sql(
            checks,
            failing,
            f"{table} p join stage_located l on l.batch = {batch} and l.row = p._row",
            ["l.batch", "l.line", "l.row", "l.raw"],
        )
        database.insert(STAGED, f"{sql} order by r.o0, r.o2")
        found, last = found + len(rows), rows[-1][:2]
    database.drop("stage_located")
    return found


def _is_cell(checks: Sequence[Check]) -> str:
    """SQL of whether a bad row is a cell of a record that is good itself."""
    cells = [i for i, check in enumerate(checks) if check.named_by is not None]
    return "(" + " or ".join(f"p.{is_good(i, len(checks))} = 'false'" for i in cells) + ")"


def _located(parsed: Mapping[str, ParseResult], rows: Sequence[tuple[str, int, int, bool]]) -> pa.Table:
    """Line and raw text of some rows of text files, in rising order.

    Parameters
    ----------
    rows : of each its batch, its position and that of its record, and whether it is a cell: several cells
        may be of one record, and only the beginning of its text is given for them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = []
    for batch, of_batch in groupby(rows, key=itemgetter(0)):
        some = list(of_batch)
        place = {record: at for at, record in enumerate(dict.fromkeys(row[2] for row in some))}
        part = parsed[batch].located(list(place))
        if any(row[3] for row in some):
            shown = pc.utf8_slice_codeunits(part["raw"], 0, SHOWN)
            part = pa.concat_tables([part, part.set_column(2, "raw", shown)])
            part = part.take(pa.array([place[row[2]] + len(place) * row[3] for row in some]))
        part = part.set_column(0, "row", pa.array([row[1] for row in some], pa.int64()))
        parts.append(part.append_column("batch", pa.array([batch] * len(part), pa.string())))
    return pa.concat_tables(parts)
