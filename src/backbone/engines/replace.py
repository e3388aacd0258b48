"""Replace the rows of a table that meet a condition by staged rows, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backbone.dataset import Receipt
from backbone.engines.protocol import Engine
from backbone.lake.publish import Staged, publish
from backbone.lake.table import Lake


def replace_rows(
    lake: Lake,
    engine: Engine,
    dataset: str,
    staged: Sequence[Staged],
    receipt: Receipt,
    *,
    transaction: str,
    scratch: Path,
    where: str | None,
) -> int:
    """Publish staged rows in place of those that meet a condition, and return the version.

    Files without such rows stay as they are; of the others, the rows that stay are written anew.

    Parameters
    ----------
    staged : at least one; all share the table's schema.
    where : SQL over the table's columns; `false` appends, None replaces the whole table.
    """
    files = [path for part in staged for path in part.files]
    rows = sum(part.rows for part in staged)
    remove: list[str] | None = None
    if where is not None and lake.exists(dataset):
        table = lake.read(dataset)
        remove = [] if where == "false" else engine.files_holding(table, where)
        if remove:
            kept = replace(table, dataset=f"kept.{dataset.replace('.', '_')}", files=tuple(remove))
            engine.read(kept)
            survivors = engine.write(
                f"select * from {kept.dataset} where not coalesce({where}, false)",
                scratch,
                partitioned=table.partitioned,
            )
            files.extend(survivors.files)
            rows += survivors.rows
    whole = Staged(tuple(files), rows, staged[0].schema, staged[0].partitioned)
    return publish(lake, dataset, whole, receipt, transaction=transaction, remove=remove)
