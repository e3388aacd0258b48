"""Datasets as Delta tables: where they lie, which version they are at, which files a version holds."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from backbone.dataset import ZONES, Dataset, Receipt
from backbone.errors import BackboneError
from backbone.lake.barrier import Barrier
from backbone.lake.log import COMMIT, LOG, RESTART, SAME_ROWS, LoggedCommit, TableLog, commit_name
from backbone.storage_refused import raise_refusal

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

PARTITION = "window_date"


@dataclass(frozen=True)
class TableVersion:
    """One version of a dataset: the files it holds and the columns they share.

    `files` are paths. `columns` maps names to Delta types (`long`, `decimal(12,3)`, `timestamp`, …) in the
    table's order.
    """

    dataset: str
    version: int
    files: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    partitioned: bool

    def of_days(self, days: Container[str]) -> TableVersion:
        """The same with the files of some days alone (`2026-02-03`); all, of a table not kept by day."""
        return replace(self, files=tuple(f for f in self.files if day_of(f) in days or not self.partitioned))

    def of_files(self, files: Sequence[str]) -> TableVersion:
        """The same with some of its files alone."""
        return replace(self, files=tuple(files))

    def between(self, start: datetime, end: datetime) -> TableVersion:
        """The same with the files of the days of `[start, end)` alone; all, of a table not kept by day."""
        first, last = (
            at.astimezone(UTC).date().isoformat() for at in (start, end - timedelta(microseconds=1))
        )
        files = tuple(f for f in self.files if first <= day_of(f) <= last or not self.partitioned)
        return replace(self, files=files)


def day_of(file: str) -> str:
    """The day whose rows a file of a partitioned table holds; nothing for a file of another table.

    Examples
    --------
    >>> day_of("/data/exploitation/edge_hour/window_date=2026-02-03/0a1b.parquet")
    '2026-02-03'
    """
    folder = file.rpartition("/")[0].rpartition("/")[
        2
    ]  # of thousands of files: a pattern takes ten times as long
    name, _, day = folder.partition("=")
    return day if name == PARTITION else ""


class Lake:
    """The Delta tables of one project; a dataset's name is `zone.table`, its place `zone/table/`.

    Attributes
    ----------
    barrier : what has to be on disk before the next commit.
    first : of tables that are gone, the number that their next version gets.
    """

    def __init__(self, project: Path, barrier: Barrier | None = None) -> None:
        self.project = project
        self.barrier = Barrier() if barrier is None else barrier
        self._opened: dict[str, DeltaTable] = {}
        self._versions: dict[str, int] = {}  # the last that was seen of each
        self._found: dict[str, str] = {}  # a commit of each dataset, which need not be searched for again
        self._shown: dict[str, int] = {}  # of damaged tables, the last whole version
        self.first: dict[str, int] = {}

    def path(self, dataset: str) -> Path:
        found = Dataset.of(dataset)
        return self.project / found.zone / found.name

    def exists(self, dataset: str) -> bool:
        """Whether the dataset has a version; a log without a commit is what a dead run left."""
        if self._shown.get(dataset, 0) < 0:
            return False
        found = self._found.get(dataset)
        if found is None or not Path(found).exists():
            found = _any_commit(self._log(dataset))
            if found is None:
                return False
            self._found[dataset] = found
        return True

    def _log(self, dataset: str) -> str:
        """The folder of its commits, as text: it is asked for some hundred times a run."""
        return f"{self.project}/{dataset.replace('.', '/', 1)}/{LOG}"

    def log(self, dataset: str) -> TableLog:
        """The files of its log."""
        return TableLog(Path(self._log(dataset)))

    def show(self, dataset: str, version: int) -> None:
        """Read a damaged table at its last whole version; with -1 it counts as not there."""
        self.forget(dataset)
        self._shown[dataset] = version

    def is_shown(self, dataset: str) -> bool:
        """Whether a table is read at its last whole version, as `show` has it."""
        return dataset in self._shown

    def forget(self, dataset: str) -> None:
        """Look at a dataset again whose log has been changed otherwise than by a commit."""
        for known in (self._opened, self._versions, self._found, self._shown):
            known.pop(dataset, None)

    def has(self, dataset: str, version: int) -> bool:
        """Whether a version has been committed; asked by the commit's name, which opens nothing."""
        return Path(f"{self._log(dataset)}/{commit_name(version)}").exists()

    def open(self, dataset: str, version: int | None = None) -> DeltaTable:
        """A version of a table; the present one, of which only the commits not seen yet are read."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if version is None:
            version = self._shown.get(dataset)
        try:
            if version is not None:
                return DeltaTable(str(self.path(dataset)), version=version)
            table = self._opened.get(dataset)
            # Asked by name: to list a log takes longer with each of its commits.
            if table is None or not self.has(dataset, table.version()):
                table = self._opened[dataset] = DeltaTable(str(self.path(dataset)))
            elif self.has(dataset, table.version() + 1):
                table.update_incremental()
        except DeltaError as error:
            raise_refusal(error)
            what = "its log" if version is None else f"version {version}"
            raise BackboneError(
                dataset,
                f"expected to read {what}, found: {' '.join(str(error).split())[:200]}",
                "Nothing was changed.",
                "backbone check shows what is damaged"
                if version is None
                else f"backbone history {dataset} lists the versions that are there",
            ) from error
        return table

    def version(self, dataset: str) -> int:
        """The version readers see now; -1 where there is no such table yet.

        Found by the names of the commits: what a table's log says is read only by who asks for more.
        """
        if not self.exists(dataset):
            return -1
        if dataset in self._shown:
            return self._shown[dataset]
        known = self._versions.get(dataset)
        if known is None or not self.has(dataset, known):
            known = self.log(dataset).versions[-1]
        while self.has(dataset, known + 1):
            known += 1
        self._versions[dataset] = known
        return known

    def datasets(self) -> list[str]:
        """Every dataset that exists, in the order of the zones."""
        found = (f"{zone}.{table}" for zone in ZONES for table in sorted(_listed(self.project / zone)))
        return [dataset for dataset in found if self.exists(dataset)]

    def read(self, dataset: str, version: int | None = None) -> TableVersion:
        """A version of a dataset; the present one by default.

        Raises
        ------
        BackboneError
            When there is no such dataset.
        """
        if not self.exists(dataset):
            raise BackboneError(dataset, "there is no such table", "", "backbone status lists what is there")
        return _version_of(dataset, self.open(dataset, version))

    def as_of(self, dataset: str, instant: datetime) -> TableVersion | None:
        """The version readers saw at an instant; None when the table did not exist.

        Raises
        ------
        BackboneError
            When that version has expired. The tables `operations.*` are left out instead.
        """
        newest, after = self.version(dataset), None
        log = self.log(dataset)
        for version in reversed(log.versions):
            commit = log.commit(version) if version <= newest else None
            if commit is None or commit.at is None:
                continue
            if after is not None and after.version != version + 1 and not _is_restart(after):
                break
            if commit.at <= instant:
                return self.read(dataset, version)
            after = commit
        if after is None or after.version == 0 or Dataset.of(dataset).zone == "operations":
            return None
        raise BackboneError(
            dataset,
            f"expected the version of {instant:%Y-%m-%d %H:%M}, which has expired; the oldest one that is "
            f"kept is version {after.version}, of {after.at:%Y-%m-%d %H:%M}",
            "Nothing was changed.",
            "ask for a later instant; [maintain] keep_days in backbone.toml says how long versions are kept",
        )

    def last_receipt(self, dataset: str) -> Receipt | None:
        """The receipt of the last commit that made the rows; None where no commit has one."""
        log = self.log(dataset)
        found = (log.commit(version).receipt for version in reversed(log.versions))
        return next((r for r in found if r is not None and r.stage not in SAME_ROWS), None)

    def commits(self, dataset: str, after: int = -1) -> Iterator[LoggedCommit]:
        """The commits after a version that are in the log, oldest first; of a damaged one the whole ones."""
        newest = self._shown.get(dataset)
        for commit in self.log(dataset).commits(after):
            if newest is not None and commit.version > newest:
                return
            yield commit

    def receipts(self, dataset: str, after: int = -1) -> Iterator[tuple[int, datetime, Receipt]]:
        """The receipts in the commits after a version: `(version, committed at, receipt)`, oldest first."""
        for commit in self.commits(dataset, after):
            if commit.receipt is not None and commit.at is not None:
                yield commit.version, commit.at, commit.receipt


def columns_of(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """The columns that a table of this schema has, as `TableVersion.columns` gives them."""
    from deltalake import Schema

    return tuple((f.name, _type_name(f.type)) for f in Schema.from_arrow(schema).fields)


def _listed(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _any_commit(log: str) -> str | None:
    try:
        with os.scandir(log) as entries:
            return next((entry.path for entry in entries if COMMIT.fullmatch(entry.name)), None)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_restart(commit: LoggedCommit) -> bool:
    return commit.receipt is not None and commit.receipt.stage == RESTART


def _version_of(dataset: str, table: DeltaTable) -> TableVersion:
    return TableVersion(
        dataset,
        table.version(),
        tuple(unquote(uri.removeprefix("file://")) for uri in table.file_uris()),
        tuple((f.name, _type_name(f.type)) for f in table.schema().fields),
        table.metadata().partition_columns == [PARTITION],
    )


def _type_name(delta_type: object) -> str:
    from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType

    if isinstance(delta_type, PrimitiveType):
        return delta_type.type
    if isinstance(delta_type, ArrayType):
        return f"array<{_type_name(delta_type.element_type)}>"
    if isinstance(delta_type, MapType):
        return f"map<{_type_name(delta_type.key_type)},{_type_name(delta_type.value_type)}>"
    if isinstance(delta_type, StructType):
        return "struct<" + ",".join(f"{f.name}:{_type_name(f.type)}" for f in delta_type.fields) + ">"
    raise TypeError(f"no Delta type: {delta_type!r}")
