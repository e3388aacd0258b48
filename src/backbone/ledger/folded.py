"""`operations.commit`: the receipts of commits that are no longer in the logs of their tables.

A log that grew with every commit would make each run slower than the one before, and hold a file for each.
So old commits are folded: a row each, from which the ledger can be made again. Only then their files go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backbone.dataset import Dataset, Receipt
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError, StorageRefused
from backbone.lake.log import RESTART, LoggedCommit
from backbone.lake.publish import Staged
from backbone.lake.store import NOTHING
from backbone.lake.table import Lake
from backbone.ledger.known import FROM, LOST
from backbone.ledger.tables import schema

DATASET = "operations.commit"


@dataclass(frozen=True)
class History:
    """The commits of a dataset, oldest first, and the versions whose receipts are gone, as ranges."""

    commits: tuple[LoggedCommit, ...]
    lost: tuple[tuple[int, int], ...]


class Folded:
    """The folded receipts of a project, read through a database."""

    def __init__(self, lake: Lake, database: Database) -> None:
        self._lake, self._database = lake, database

    def last(self) -> dict[str, int]:
        """By dataset, the last version that is folded."""
        rows = self._fetch("select dataset, max(version) from {0} group by dataset", {})
        return {dataset: int(version) for dataset, version in rows}

    def receipt(self, dataset: str, version: int) -> Receipt | None:
        """The receipt of a version; None where it is not folded, or has none."""
        sql = "select receipt from {0} where dataset = $dataset and version = $version"
        rows = self._fetch(sql, {"dataset": dataset, "version": version})
        return Receipt.from_json(rows[0][0]) if rows and rows[0][0] is not None else None

    def versions(self, dataset: str) -> set[int] | None:
        """The versions of a dataset that are folded; None where that can't be read."""
        sql = "select distinct version from {0} where dataset = $dataset"
        if not self._lake.exists(DATASET):
            return set()
        rows = self._fetch_or_none(sql, {"dataset": dataset})
        return None if rows is None else {int(version) for (version,) in rows}

    def receipts(self, dataset: str) -> list[Receipt]:
        """Those of all its folded commits, also of versions that hold no more, the oldest first."""
        rows = self._fetch(
            "select receipt from {0} where dataset = $dataset and receipt is not null order by version",
            {"dataset": dataset},
        )
        return [Receipt.from_json(text) for (text,) in rows]

    def history(self, dataset: str) -> History:
        """All commits of a dataset of which anything is known: the folded ones, then those in its log."""
        rows = self._fetch(
            "select distinct version, committed_at, digest, receipt from {0} "
            "where dataset = $dataset order by version, digest desc",
            {"dataset": dataset},
        )
        folded = {row[0]: _commit(*row) for row in rows}
        logged = {commit.version: commit for commit in self._lake.commits(dataset) if not commit.problem}
        commits = [(folded | logged)[version] for version in sorted({*folded, *logged})]
        return _valid(commits, rebuilt_whole=Dataset.of(dataset).zone == "formatted")

    def _fetch(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        if not self._lake.exists(DATASET):
            return []
        return self._fetch_or_none(sql, parameters) or []

    def _fetch_or_none(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]] | None:
        """The rows; None where files are damaged: the receipts in them are lost, see `History.lost`."""
        try:
            self._database.read(self._lake.read(DATASET))
            return self._database.fetch(sql.format(DATASET), parameters)
        except StorageRefused:
            raise
        except BackboneError:
            return None


def _commit(version: int, at: Any, digest: str, text: str | None) -> LoggedCommit:
    receipt = None if text is None else Receipt.from_json(text)
    return LoggedCommit(version, digest, at.astimezone(UTC), receipt, text=text)


def _valid(commits: Iterable[LoggedCommit], *, rebuilt_whole: bool) -> History:
    """What still holds of the commits of a dataset.

    A table that was gone begins again after the versions it had, and one that was damaged goes on from an
    earlier version: what lies between holds no more.

    Parameters
    ----------
    rebuilt_whole : where receipts are lost, none holds before a commit that replaces the whole table. Else
        rows would be taken for new that are in it already.
    """
    found: list[LoggedCommit] = []
    lost: list[tuple[int, int]] = []
    expected, is_broken = 0, False
    for commit in commits:
        receipt = commit.receipt
        stage = "" if receipt is None else receipt.stage
        if stage == LOST:
            found, lost, expected, is_broken = [], [], commit.version + 1, False
            continue
        if stage == RESTART and receipt is not None:
            good = int(receipt.measures.get(FROM, commit.version))
            found, expected = [c for c in found if c.version <= good], commit.version
        whole = receipt is not None and receipt.replaces_all
        if commit.version > expected and not whole:
            lost.append((expected, commit.version - 1))
            is_broken = rebuilt_whole
        if whole:
            is_broken = False
        if is_broken:
            found = []
        else:
            found.append(commit)
        expected = commit.version + 1
    return History(tuple(found), tuple(lost))


def fold(work: LocalWork, commits: Iterable[tuple[str, LoggedCommit]]) -> None:
    """Append commits, each with its dataset, to the table, in one commit that is on disk afterwards."""
    _append(
        work,
        [
            {
                "dataset": name,
                "version": c.version,
                "committed_at": c.at,
                "digest": c.digest,
                "receipt": c.text,
            }
            for name, c in commits
        ],
    )


def note_lost(work: LocalWork, tables: Iterable[tuple[str, int]]) -> None:
    """Note that nothing of some tables is left of their versions up to one."""
    now = datetime.now(UTC)
    _append(
        work,
        [
            {
                "dataset": dataset,
                "version": version,
                "committed_at": now,
                "digest": "",
                "receipt": Receipt("", LOST, dataset, "", replaces_all=True).to_json(),
            }
            for dataset, version in tables
        ],
    )


def has_receipts(dataset: str) -> bool:
    """Whether receipts of a table are kept for good: all but those of the ledger, which is made from them."""
    return Dataset.of(dataset).zone != "operations" or dataset in (DATASET, "operations.pin")


def create_folded(work: LocalWork) -> None:
    """Make an empty table."""
    _append(work, [])


def _append(work: LocalWork, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    version = work.lake.version(DATASET) + 1
    work.scratch.mkdir(parents=True, exist_ok=True)
    file = work.scratch / f"commit-{version}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema("commit")), file, compression="zstd")
    receipt = Receipt(work.run_id, "fold", DATASET, "", rows_read=len(rows), rows_written=len(rows))
    staged = Staged((file,) if rows else (), len(rows), schema("commit"))
    work.store.replace([staged], receipt, ("fold", version), NOTHING)
    work.lake.barrier.wait()
