"""Rows that break the contract, with the line they came from and every reason."""

from __future__ import annotations

from backbone.contract import quote_literal
from backbone.engines.protocol import Engine
from backbone.formatted.parse import Parsed

STAGED = "stage_quarantine"
EMPTY = (
    "select cast(null as varchar) as _batch, cast(null as bigint) as line, cast(null as bigint) as _row, "
    "cast(null as varchar) as raw, cast(null as varchar[]) as reasons where false"
)


def quarantine_rows(engine: Engine, parsed: Parsed, batch: str) -> int:
    """Append a batch's bad records and broken lines to the staged quarantine; returns how many.

    `line` is the physical line of the file on which the record begins, null where a file has no lines;
    `_row` the record's position, null for a line that is no record.
    """
    import pyarrow as pa

    bad = engine.fetch(f"select count(*) from {parsed.table} where _reasons is not null")[0][0]
    if bad:
        engine.take("stage_located", parsed.located(engine))
        engine.insert(
            STAGED,
            f"select {quote_literal(batch)}, l.line, l.row, l.raw, p._reasons "
            f"from {parsed.table} p join stage_located l on l.row = p._row order by l.row",
        )
        engine.drop("stage_located")
    if parsed.broken:
        lines = pa.table(
            {
                "line": pa.array([b.line for b in parsed.broken], pa.int64()),
                "raw": pa.array([b.raw.decode("utf-8", "replace") for b in parsed.broken], pa.string()),
                "reason": pa.array([f"the line {b.reason}" for b in parsed.broken], pa.string()),
            }
        )
        engine.take("stage_broken", lines)
        engine.insert(
            STAGED,
            f"select {quote_literal(batch)}, line, null, raw, [reason] from stage_broken order by line",
        )
        engine.drop("stage_broken")
    return int(bad) + len(parsed.broken)
