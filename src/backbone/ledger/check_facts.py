"""The tables of the ledger, compared with what the receipts in the logs say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from backbone.dataset import Dataset
from backbone.engines.duckdb.database import Database
from backbone.lake.finding import DEEP_REPAIR, Finding, What
from backbone.lake.table import Lake
from backbone.ledger.facts import facts_of_commit
from backbone.ledger.folded import Folded
from backbone.ledger.tables import OF_RECEIPTS, columns, schema


def compare_facts(lake: Lake, database: Database) -> Iterator[Finding]:
    """The tables that say something else of a version than its receipt, as far as they say something of it.

    Commits after the last one that is indexed are left to the next run. Of versions whose commits are gone
    from the log nothing can be said, and so of those that hold no more, as receipts before them are lost.
    """
    import pyarrow as pa

    if not lake.exists("operations.receipt"):
        return
    folded = Folded(lake, database)
    for table in OF_RECEIPTS:
        database.read(lake.read(f"operations.{table}"))
    indexed = dict(database.fetch("select dataset, max(version) from operations.receipt group by dataset"))
    folded = Folded(lake, database)
    rows: dict[str, list[dict[str, object]]] = {table: [] for table in OF_RECEIPTS}
    versions: set[tuple[str, int]] = set()
    for dataset in lake.datasets():
        if Dataset.of(dataset).zone == "operations":
            continue
        in_log = {*lake.log(dataset).versions}
        for commit in folded.history(dataset).commits:
            if commit.version not in in_log or commit.receipt is None:
                continue
            if commit.version <= indexed.get(dataset, -1):
                versions.add((dataset, commit.version))
                for table, row in facts_of_commit(dataset, commit):
                    rows[table].append(row)
    for table in OF_RECEIPTS:
        listed = ", ".join(name for name, _ in columns(table))
        stored = database.stream(f"select {listed} from operations.{table}").read_all().to_pylist()
        by_receipts = pa.Table.from_pylist(rows[table], schema(table)).to_pylist()
        there = Counter(repr(row) for row in stored if _place(table, row) in versions)
        said = Counter(map(repr, by_receipts))
        missing, more = (said - there).total(), (there - said).total()
        if missing or more:
            yield Finding(
                What.LEDGER,
                f"operations.{table}",
                f"operations.{table}",
                f"{said.total():,} rows as the receipts in the logs have them",
                f"that {missing:,} are missing or differ, and {more:,} are not in the receipts",
                "The tables and their receipts are whole; the ledger is made from them.",
                DEEP_REPAIR,
            )


def _place(table: str, row: dict[str, object]) -> tuple[object, object]:
    """The table and version that a row is about."""
    dataset = f"formatted.{row['source']}" if table == "batch" else row["dataset"]
    return dataset, row["version"]
