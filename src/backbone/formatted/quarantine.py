"""Rows that break the contract, with the line they came from and every reason."""

from __future__ import annotations

from collections.abc import Mapping

from backbone.contract import quote_literal
from backbone.engines.protocol import Engine
from backbone.formatted.parsed import Parsed

STAGED = "stage_quarantine"
AT_A_TIME = 200_000
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

    bad = _bad_records(engine, parsed, quote_literal(batch))
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
    return bad + len(parsed.broken)


def quarantine_group(engine: Engine, parsed: Mapping[str, Parsed]) -> None:
    """Append the bad records of files that were staged as one table, with a column `_batch`."""
    first = next(iter(parsed.values()))
    if first.grammar is None:
        _bad_records(engine, first, "_batch")
        return
    bad = engine.fetch(f"select distinct _batch from {first.table} where _reasons is not null order by 1")
    for (batch,) in bad:
        _bad_records(engine, parsed[batch], "_batch", f"_batch = {quote_literal(batch)}")


def _bad_records(engine: Engine, parsed: Parsed, named: str, those: str = "true") -> int:
    """Append the records with reasons, so many at a time that their texts fit into memory."""
    if parsed.grammar is None:
        line = "_line" if parsed.file.format == "jsonl" else "null"
        return engine.insert(
            STAGED,
            f"select {named}, {line}, _row, _raw, _reasons from {parsed.table} "
            "where _reasons is not null order by _row",
        )
    found, last = 0, -1
    while rows := engine.fetch(
        f"select _row from {parsed.table} where _reasons is not null and _row > $last and {those} "
        f"order by _row limit {AT_A_TIME}",
        {"last": last},
    ):
        engine.take("stage_located", parsed.located([row for (row,) in rows]))
        engine.insert(
            STAGED,
            f"select {named}, l.line, l.row, l.raw, p._reasons "
            f"from {parsed.table} p join stage_located l on l.row = p._row "
            f"where {those} order by l.row",
        )
        found, last = found + len(rows), rows[-1][0]
    engine.drop("stage_located")
    return found
