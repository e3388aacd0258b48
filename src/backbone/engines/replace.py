"""Replace the rows of a table that meet a condition by staged rows, in one commit."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

from backbone.contract import quote_identifier
from backbone.dataset import Receipt
from backbone.engines.protocol import Engine
from backbone.lake.pieces import pieces
from backbone.lake.publish import Staged, publish
from backbone.lake.table import PARTITION, Lake, TableVersion, columns_of


def replace_rows(
    lake: Lake,
    engine: Engine,
    dataset: str,
    staged: Sequence[Staged],
    receipt: Receipt,
    *,
    transaction: str | tuple[str, int],
    scratch: Path,
    where: str | None,
    days: Container[str] | None = None,
) -> int:
    """Publish staged rows in place of those that meet a condition, and return the version.

    Files without such rows stay as they are; of the others, the rows that stay are written anew. Small files
    that have become many are written anew with them: joined in a commit of its own, they would make a version
    that no receipt tells of. Where the staged rows have other columns than the table, all rows that stay are:
    with the new columns, null where they had none of that name.

    Parameters
    ----------
    staged : at least one; all share the table's schema.
    where : SQL over the table's columns; `false` appends, None replaces the whole table.
    days : those of a partitioned table that can hold such rows, the only ones whose files are opened; all
        by default.
    """
    files = [path for part in staged for path in part.files]
    rows = sum(part.rows for part in staged)
    remove: list[str] | None = None
    if where is not None and lake.exists(dataset):
        table = lake.read(dataset)
        columns = columns_of(staged[0].schema)
        same = columns == table.columns
        remove = (
            []
            if where == "false"
            else engine.files_holding(table if days is None else table.of_days(days), where)
        )
        if same:
            held = set(remove)
            remove += [file for file in pieces(table, files) if file not in held]
        touched = tuple(remove) if same else table.files
        if touched:
            kept = replace(table, dataset=f"kept.{dataset.replace('.', '_')}", files=touched)
            engine.read(kept)
            rest = f"{kept.dataset} where not coalesce({where}, false)"
            # The day is left out, as the engine tells it anew.
            own = [column for column in columns if column[0] != PARTITION]
            listed = ", ".join(quote_identifier(name) for name, _ in own)
            query = f"select {listed} from {rest}" if same else _recast(engine, rest, table, own)
            survivors = engine.write(query, scratch, partitioned=table.partitioned)
            files.extend(survivors.files)
            rows += survivors.rows
        if not same:
            remove = None
    whole = Staged(tuple(files), rows, staged[0].schema, staged[0].partitioned)
    return publish(lake, dataset, whole, receipt, transaction=transaction, remove=remove)


def _recast(engine: Engine, rest: str, table: TableVersion, columns: Sequence[tuple[str, str]]) -> str:
    """A query of rows of a table as another set of columns."""
    there = {name for name, _ in table.columns}
    listed = ", ".join(quote_identifier(name) if name in there else "null" for name, _ in columns)
    engine.read(TableVersion("kept.none", -1, (), tuple(columns), False))
    engine.create("stage_kept", "select * from kept.none")
    engine.insert("stage_kept", f"select {listed} from {rest}")
    return "select * from stage_kept"
