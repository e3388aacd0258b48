"""Keep a project small: fold receipts, let versions expire, and remove what nothing refers to.

A process that dies at any point leaves all versions that are kept, and the next one goes on: what goes is
found by what is there, and never before what takes its place is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from backbone.dataset import Dataset
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError
from backbone.lake.expiry import NEWEST, KeptVersions, first_kept
from backbone.lake.log import LoggedCommit
from backbone.lake.trim import trim_log
from backbone.lake.unreferenced import remove_files, unreferenced
from backbone.ledger.folded import fold, has_receipts
from backbone.ledger.index import Index
from backbone.ledger.lost_pins import LostPin, lost_pins
from backbone.ledger.pins import pinned_versions, pins
from backbone.upkeep.leave_out_commits import leave_out_commits

T = TypeVar("T")
EVERY_COMMITS = 50  # of operations.receipt: a run that makes one of these does the cheap part
LONG_LOG = 50  # commits; a shorter log is left alone by runs
FEW = 5  # versions of a table of the ledger that may be too many
AT_ONCE = 500  # commits of a table that one run folds


@dataclass
class Freed:
    """What went of a table: files of its log and data files, and their bytes."""

    dataset: str
    joined: int = 0
    log_files: int = 0
    data_files: int = 0
    bytes: int = 0

    @property
    def files(self) -> int:
        return self.log_files + self.data_files


@dataclass(frozen=True)
class _Table:
    """A table with the commits in its log, and the oldest version of them that is kept."""

    dataset: str
    first: int
    expired: tuple[LoggedCommit, ...]
    pinned: frozenset[int]


@dataclass
class Upkeep:
    """What a process that holds the project's lock frees.

    A table that can't be shortened is left as it is, and the others are done.

    Parameters
    ----------
    keep : the versions of tables that do not expire yet; of `operations.*` the newest few are kept.
    warnings : what was found to be damaged.
    failures : of tables that were left as they are.
    lost : pins whose versions can't be read any more. Which data files these name is not known, so none of
        their tables go.
    """

    work: LocalWork
    index: Index
    keep: KeptVersions
    progress: Callable[[str], None] = lambda text: None
    freed: dict[str, Freed] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: list[BackboneError] = field(default_factory=list)
    lost: list[LostPin] = field(default_factory=list)

    def is_due(self) -> bool:
        """Whether a run that has published is to shorten long logs."""
        version = self.work.lake.version("operations.receipt")
        return version > 0 and version % EVERY_COMMITS == 0

    def shorten_long_logs(self) -> None:
        """The part that a run does: of tables with a long log."""
        names = [name for name in self._names() if len(self.work.lake.log(name).versions) > LONG_LOG]
        self.shorten(names, AT_ONCE)

    def shorten(self, names: Iterable[str] | None = None, at_once: int | None = None) -> None:
        """Fold the receipts of versions that have expired, shorten logs, and remove what they alone had.

        Parameters
        ----------
        names : the tables; all by default.
        at_once : how many versions of a table expire at most.
        """
        names = self._names() if names is None else list(names)
        if not names:
            return
        lake = self.work.lake
        names = [name for name in names if self._tried(self._leave_out_commits, name)]
        found = pins(lake, self.work.database)
        self.lost = lost_pins(lake, found)
        pinned, tables = pinned_versions(found), list[_Table]()
        for name in names:
            self._tried(lambda name: tables.append(self._table(name, pinned, at_once)), name)
        self._fold(tables)
        for table in tables:
            self.progress(f"maintain {table.dataset}")
            self._tried(self._free, table)
        self.index.update()
        self.index.write()

    def _tried(self, task: Callable[[T], None], of: T) -> bool:
        """Whether a task has succeeded; a table of which it has not is left as it is."""
        try:
            task(of)
        except BackboneError as error:
            self.failures.append(error)
            return False
        return True

    def _leave_out_commits(self, dataset: str) -> None:
        """Before anything is folded: a receipt that can't be read would be taken for none."""
        warning = leave_out_commits(self.work, self.index, dataset)
        self.warnings += [warning] if warning else []

    def _free(self, table: _Table) -> None:
        """Remove what nobody can ask for of one table."""
        lake, freed = self.work.lake, self.of(table.dataset)
        files, size = trim_log(lake, table.dataset, table.first, table.pinned)
        freed.log_files += files
        freed.bytes += size
        if any(lost.pin.dataset == table.dataset for lost in self.lost):
            return
        gone = unreferenced(lake, table.dataset, table.first, table.pinned)
        freed.data_files += len(gone)
        freed.bytes += remove_files(gone)

    def of(self, dataset: str) -> Freed:
        return self.freed.setdefault(dataset, Freed(dataset))

    def _names(self) -> list[str]:
        return self.work.lake.datasets()

    def _table(self, dataset: str, pinned: Mapping[str, set[int]], at_once: int | None) -> _Table:
        of_ledger = Dataset.of(dataset).zone == "operations"
        commits = list(self.work.lake.commits(dataset))
        openable = {*self.work.lake.log(dataset).openable}
        there = [commit for commit in commits if commit.version in openable]
        first = first_kept(there, KeptVersions(0, NEWEST) if of_ledger else self.keep)
        expired = [commit for commit in commits if commit.version < first]
        if of_ledger and len(expired) <= FEW:  # else what this says in the ledger would always be too much
            first, expired = there[0].version, []
        if at_once is not None and len(expired) > at_once:
            first = next(c.version for c in there if c.version >= expired[at_once].version)
            expired = [commit for commit in expired if commit.version < first]
        return _Table(dataset, first, tuple(expired), frozenset(pinned.get(dataset, ())))

    def _fold(self, tables: Sequence[_Table]) -> None:
        """Have the receipts of what expires on disk in the table of folded ones."""
        if not any(table.expired for table in tables):
            return
        last = self.index.folded.last()
        commits = [
            (table.dataset, commit)
            for table in tables
            if has_receipts(table.dataset)
            for commit in table.expired
            if commit.version > last.get(table.dataset, -1)
        ]
        if commits:
            self.progress(f"fold {len(commits):,} receipts")
            fold(self.work, commits)
