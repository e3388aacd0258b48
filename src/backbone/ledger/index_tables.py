"""`operations.*`: what the receipts in the commits say, as tables.

The receipts are the truth. These tables are an index over them, brought up to date by each run: of every
dataset, the commits after the last one indexed are read, and at the end their facts are appended, in one
commit for each table. Meanwhile the run itself sees them too. So a run that died after a commit and before
its end loses nothing: the next one reads that commit. The index is made again from the receipts that are
there where a dataset is gone or begins again (what was indexed of it belongs to no table any more), where one
of its own tables is missing, and where one has other columns than it would have now (an older version of
Backbone made it).

`receipt`: a row per commit. `input`: the versions of the tables that each commit read. `change`: the hours
each commit changed (null for all). `window`: the state of each window after each commit. `batch`: the
accounts of each batch after each commit that changed them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from backbone.contracts.contract import quote_identifier
from backbone.dataset import Dataset, Receipt
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.local_work import LocalWork
from backbone.engines.duckdb.rewriter import delta_store
from backbone.errors import TableDamaged
from backbone.lake.checkpoint import CHECKPOINT_EVERY
from backbone.lake.log import LoggedCommit
from backbone.lake.publish import Staged
from backbone.lake.store import NOTHING, Replacing
from backbone.lake.table import Lake
from backbone.ledger.damage import Broken, Damage, broken_tables, find_damages, make_room
from backbone.ledger.facts import facts_of_commit
from backbone.ledger.folded import Folded, note_lost
from backbone.ledger.known import LOST
from backbone.ledger.lost_manifest import lost_manifest
from backbone.ledger.manifest import DATASET as MANIFEST
from backbone.ledger.tables import LASTING, OF_RECEIPTS, TABLES, columns, is_indexed, schema

# Asked for every table of a project: read from their many small files once.
IN_MEMORY = ("input", "window")
_LASTING = {f"operations.{table}" for table in LASTING}


class IndexTables:
    """The operations tables of one project, read through a database.

    Attributes
    ----------
    damages : the logs that don't say what they said, once `update` has compared them.
    lost : by dataset, ranges of versions whose receipts are gone, once they were looked for.
    broken : those of its own tables that can't be read, and are made again when it is written.
    distrusted : those of them whose files begin and end well.
    """

    def __init__(self, lake: Lake, database: Database, scratch: Path) -> None:
        self._lake, self._database, self._scratch = lake, database, scratch
        self._store = delta_store(lake, database, scratch)
        self._new: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
        self._loaded: set[str] = set()
        self._replaced: set[str] = set()  # tables whose rows go when new ones are written
        self.broken = broken_tables(lake)
        self.distrusted: set[str] = set()
        for table in self.broken:
            lake.show(f"operations.{table}", -1)
        self._stored = {table for table in OF_RECEIPTS if lake.exists(f"operations.{table}")}
        self._was_stored = self._stored
        self._digests: dict[str, dict[int, str]] = {}
        self._is_compared = False
        self.folded = Folded(lake, database)
        self._gone: list[tuple[str, int]] = []
        self.damages: list[Damage] = []
        self.lost: dict[str, tuple[tuple[int, int], ...]] = {}
        self._is_fit = bool(self._stored)  # to be read as it is stored
        for table in sorted(self._stored):
            stored = lake.read(_dataset(table))
            self._is_fit = self._is_fit and stored.columns == columns(table)
            database.read(stored)
        self._is_fit = (
            self._is_fit and self._stored == set(OF_RECEIPTS) and self.broken.keys().isdisjoint(OF_RECEIPTS)
        )
        if self._stored and not self._is_fit:
            self._begin_again()

    @cached_property
    def _last(self) -> dict[str, tuple[int, int]]:
        """By dataset, the last version that is indexed, and the last that replaced the whole table (or 0)."""
        if "receipt" not in self._stored:
            return {}
        rows = self._database.fetch(
            "select dataset, max(version), coalesce(max(version) filter (where replaces_all), 0), "
            "max_by({'version': version, 'digest': digest}, version, $commits) "
            "from operations.receipt group by dataset",
            {"commits": CHECKPOINT_EVERY + 2},
        )
        for dataset, _, _, commits in rows:
            self._digests[dataset] = {commit["version"]: commit["digest"] for commit in commits}
        return {dataset: (version, replaced_in) for dataset, version, replaced_in, _ in rows}

    def complete(self) -> None:
        """For a reader: where the stored tables can't be read as they are, read the receipts instead."""
        if not self._is_fit:
            self.update()

    def update(self) -> int:
        """Read the commits that are not indexed yet; returns how many there were."""
        commits = 0
        try:
            _ = self._last
        except TableDamaged as error:  # within a file that begins and ends well
            self.distrust("receipt", error.problem)
        if not self._is_compared:
            self._compare()
        for dataset in self._of_receipts():
            after, replaced_in = self._last.get(dataset, (-1, 0))
            if self._lake.version(dataset) <= after:
                continue
            for commit in self._commits_after(dataset, after):
                if commit.receipt is None:
                    continue
                commits += 1
                self._forget(dataset)
                replaced_in = commit.version if commit.receipt.replaces_all else replaced_in
                for table, row in facts_of_commit(dataset, commit):
                    self._new[table].append(row)
            self._last[dataset] = max(after, self._lake.version(dataset)), replaced_in
        return commits

    def _commits_after(self, dataset: str, after: int) -> Iterable[LoggedCommit]:
        """The commits of a dataset that are to be indexed; folded ones where none has been yet."""
        if after >= 0:
            return self._store.commits(dataset, after)
        history = self.folded.history(dataset)
        if history.lost:
            self.lost[dataset] = history.lost
        return history.commits

    def _of_receipts(self) -> list[str]:
        """The datasets whose commits carry receipts that are indexed."""
        return [name for name in self._lake.datasets() if is_indexed(name)]

    def _compare(self) -> None:
        """Find the damage of all logs; damaged tables are read at their last whole version from now on."""
        names = {*self._of_receipts(), *self._last, *self._digests}
        known = {name: self._digests.get(name, {}) for name in names}
        found = find_damages(self._lake, dict(sorted(known.items())), old=True)
        self.damages = [d for d in found if d.old < 0 or d.old not in (self.folded.versions(d.dataset) or ())]
        self._is_compared = True
        manifest = None if MANIFEST in known else lost_manifest(self._lake)
        self.damages += [manifest] if manifest is not None else []
        if any(damage.dataset not in _LASTING and damage.old < 0 for damage in self.damages):
            self._begin_again()
        for damage in self.damages:
            if damage.old < 0:
                self._lake.show(damage.dataset, damage.good)

    def next_version(self, dataset: str) -> int:
        """The version that the next commit to a table makes: a number that none has had."""
        lost = [damage.last + 1 for damage in self.damages if damage.dataset == dataset and damage.old < 0]
        return max([self._lake.version(dataset) + 1, self._lake.first.get(dataset, 0), *lost])

    @property
    def missing(self) -> list[str]:
        """Its own tables that are not there, though there are commits that they would say something of.

        None where that of the receipts is: what it names and is gone is broken, and older versions
        of Backbone had fewer tables.
        """
        there = {*self._was_stored, *self.broken}
        if "receipt" in there or all(self._lake.last_receipt(n) is None for n in self._of_receipts()):
            return []
        return [f"operations.{table}" for table in OF_RECEIPTS if table not in there]

    @property
    def is_gone(self) -> bool:
        """Whether it is missing after more than one run: the first run, when it is killed, leaves none."""
        return bool(self.missing) and len({row["run_id"] for row in self._new["receipt"]} - {""}) > 1

    def compare_again(self) -> None:
        """Look for the damage of all logs again, when some of it has been mended."""
        for damage in self.damages:
            self._lake.forget(damage.dataset)
        self._compare()

    def give_up(self, dataset: str, problem: str) -> None:
        """Take a table for one of which no version is left."""
        last = max(self._lake.log(dataset).versions, default=-1)
        self._begin_again()
        self._lake.show(dataset, -1)
        self.damages.append(Damage(dataset, -1, last, problem))

    def rebuild(self) -> None:
        """Make all tables again from the receipts in the logs."""
        self._begin_again()
        self.update()

    def distrust(self, table: str, problem: str) -> None:
        """Take a table of its own for broken, which the ends of its files do not show."""
        self.broken[table] = Broken(problem, is_log=False)
        self.distrusted.add(table)
        self._lake.show(f"operations.{table}", -1)
        self._is_fit = False
        self._begin_again()

    def lose(self, dataset: str, last: int) -> None:
        """Remember the last version of a table that is gone, so that no later one gets its number."""
        row = dict.fromkeys(name for name, _ in columns("receipt"))
        lost = {"dataset": dataset, "version": last, "stage": LOST, "committed_at": datetime.now(UTC)}
        self._new["receipt"].append(
            row | lost | {"digest": "", "fingerprint": "", "notes": [], "warnings": []}
        )
        self._last[dataset] = last, last
        self._gone.append((dataset, last))

    def _begin_again(self) -> None:
        """Forget what is stored: all receipts are read again, and their facts replace the tables."""
        self._stored = set()
        self._last = {}
        self._forget()
        for table in OF_RECEIPTS:
            self._new[table] = []
            self._replaced.add(table)

    def _forget(self, dataset: str | None = None) -> None:
        """Forget answers that a further commit to a dataset, or to any, makes wrong."""

    def add_run(self, row: dict[str, Any]) -> None:
        """Tell of a run, see `run_row`."""
        self._new["run"].append(row)

    def write(self) -> bool:
        """Publish what is new, a commit for each table that it concerns; ask the index before.

        Returns
        -------
        Whether there was something.
        """
        folded = self.folded.last() if self._gone else {}
        gone = [lost for lost in self._gone if lost[0] in folded]
        self._gone.clear()
        if gone:
            note_lost(LocalWork(self._lake, self._database, self._scratch), gone)
            self.update()
        if not self._stored and any(self._new.values()):
            self._replaced.update(OF_RECEIPTS)  # also those without a row, so that none is ever missing
        for table, broken in self.broken.items():
            make_room(self._lake, table, broken)
        self.broken.clear()
        wrote, ahead = False, self._ahead()
        for table in TABLES:
            if self._new[table] or table in self._replaced:
                rows = self._new[table]
                give_way = self._again(table, rows) if table in ahead else NOTHING
                self._append(table, rows, None if table in self._replaced else give_way)
                self._new[table] = []
                wrote = True
        self._replaced.clear()
        return wrote

    def _ahead(self) -> set[str]:
        """The tables to which a writer that died has added facts, and none to the receipts."""
        newest = self._lake.last_receipt(_dataset("receipt"))
        then = {} if newest is None else newest.inputs
        versions = {table: self._lake.version(_dataset(table)) for table in OF_RECEIPTS if table != "receipt"}
        return {table for table, version in versions.items() if version > then.get(_dataset(table), -1)}

    def _again(self, table: str, rows: list[dict[str, Any]]) -> Replacing:
        """What gives way where some of these rows are in a table already: all of the same commits."""
        import pyarrow as pa

        names = ["source" if table == "batch" else "dataset", "version"]
        kinds = pa.schema([schema(table).field(name) for name in names])
        commits = pa.Table.from_pylist([{name: row[name] for name in names} for row in rows], kinds)
        self._database.take(f"again_{table}", commits)
        key = f"({', '.join(names)})"
        return Replacing(f"{key} in (select {key} from again_{table})")

    def _append(self, table: str, rows: list[dict[str, Any]], replacing: Replacing | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        dataset = _dataset(table)
        self._scratch.mkdir(parents=True, exist_ok=True)
        version = self._lake.version(dataset) + 1
        file = self._scratch / f"{table}-{version}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema(table)), file)
        # The receipts come last: by their inputs it is seen when another table has lost its newest commit.
        inputs = {} if table != "receipt" else {f"operations.{name}": 0 for name in OF_RECEIPTS}
        inputs = {name: self._lake.version(name) for name in inputs if name != dataset}
        receipt = Receipt("", "index", dataset, "", inputs=inputs, rows_written=len(rows))
        staged = Staged((file,), len(rows), schema(table))
        self._store.replace([staged], receipt, ("index", version), replacing)

    def facts(self, table: str, column: str | None = None, value: str = "") -> str | None:
        """SQL of the rows of a table, where a column has a value also of those that are not published yet.

        None where there are none. Without a column, all of either.
        """
        listed = ", ".join(quote_identifier(name) for name, _ in columns(table))
        parts = [f"select {listed} from {self._place(table)}"] if table in self._stored else []
        rows = [row for row in self._new[table] if column is None or row[column] == value]
        if rows:  # seldom: what a dead run has left
            import pyarrow as pa

            self._database.take(f"new_{table}", pa.Table.from_pylist(rows, schema(table)))
            parts.append(f"select {listed} from new_{table}")
        return f"({' union all '.join(parts)})" if parts else None

    def _place(self, table: str) -> str:
        """The name by which SQL reads what is stored of a table."""
        if table not in IN_MEMORY:
            return _dataset(table)
        if table not in self._loaded:
            self._database.create(f"stored_{table}", f"select * from {_dataset(table)}")
            self._loaded.add(table)
        return f"stored_{table}"


def _dataset(table: str) -> str:
    return str(Dataset("operations", table))
