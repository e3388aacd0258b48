"""Find rows in the files of a table, and write the remaining ones again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backbone.engines.duckdb.database import Database
from backbone.lake.publish import Staged
from backbone.lake.store import DeltaStore
from backbone.lake.table import PARTITION, Lake, TableVersion
from backbone.quoting import quote_identifier


@dataclass(frozen=True)
class DuckdbRewriter:
    """The `Rewriter` of a Delta store, on a local database."""

    database: Database

    def files_holding(self, table: TableVersion, where: str) -> list[str]:
        return self.database.files_holding(table, where)

    def remaining(
        self, table: TableVersion, where: str, columns: Sequence[tuple[str, str]], folder: Path
    ) -> Staged:
        database = self.database
        part = replace(table, dataset=f"remaining.{table.dataset.replace('.', '_')}")
        database.read(part)
        rest = f"{part.dataset} where not coalesce({where}, false)"
        own = [column for column in columns if column[0] != PARTITION]  # the day is derived again
        if tuple(columns) == table.columns:
            listed = ", ".join(quote_identifier(name) for name, _ in own)
            return database.write(f"select {listed} from {rest}", folder, partitioned=table.partitioned)
        there = {name for name, _ in table.columns}
        listed = ", ".join(quote_identifier(name) if name in there else "null" for name, _ in own)
        database.read(TableVersion("remaining.none", -1, (), tuple(own), False))
        database.create("stage_remaining", "select * from remaining.none")
        database.insert("stage_remaining", f"select {listed} from {rest}")
        return database.write("select * from stage_remaining", folder, partitioned=table.partitioned)


def delta_store(lake: Lake, database: Database, scratch: Path) -> DeltaStore:
    """The published tables of a project, whose files a local database rewrites."""
    return DeltaStore(lake, DuckdbRewriter(database), scratch)
