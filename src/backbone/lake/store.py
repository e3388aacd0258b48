"""Where published tables live: read a version, replace rows of it in one commit with its receipt."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backbone.dataset import Receipt
from backbone.lake.log import LoggedCommit
from backbone.lake.pieces import pieces
from backbone.lake.publish import Staged, publish
from backbone.lake.table import Lake, TableVersion, columns_of


@dataclass(frozen=True)
class Replacing:
    """The published rows that give way to staged ones.

    Parameters
    ----------
    where : SQL over the table's columns that is true for them.
    days : those of a partitioned table that can hold such rows, the only ones whose files are opened; all
        by default.
    """

    where: str
    days: Container[str] | None = None


NOTHING = Replacing("false")
"""Staged rows are appended."""


class Store(Protocol):
    """Published tables. Nothing is published but by `replace`."""

    def read(self, dataset: str, version: int | None = None) -> TableVersion:
        """A version of a table; the present one by default."""

    def replace(
        self,
        staged: Sequence[Staged],
        receipt: Receipt,
        transaction: str | tuple[str, int],
        replacing: Replacing | None,
    ) -> int:
        """Publish staged rows and their receipt in one transaction, once.

        Parameters
        ----------
        staged : at least one; all share the columns of the table, which is the receipt's dataset.
        transaction : identifies this publish; one that has already happened is not repeated.
        replacing : the rows that give way; None for all.

        Returns
        -------
        The version that readers see from now on.
        """

    def commits(self, dataset: str, after: int = -1) -> Iterator[LoggedCommit]:
        """The commits after a version with their receipts, oldest first."""


class Rewriter(Protocol):
    """Finds rows in files, and writes the remaining ones again."""

    def files_holding(self, table: TableVersion, where: str) -> list[str]:
        """Those of a version's files that hold a row for which a condition is true."""

    def remaining(
        self, table: TableVersion, where: str, columns: Sequence[tuple[str, str]], folder: Path
    ) -> Staged:
        """Write the rows for which a condition is not true, with these columns, null where they have none."""


@dataclass(frozen=True)
class DeltaStore:
    """Tables as folders of Delta files.

    Parameters
    ----------
    scratch : a folder for files that are about to be published.
    """

    lake: Lake
    rewriter: Rewriter
    scratch: Path

    def read(self, dataset: str, version: int | None = None) -> TableVersion:
        return self.lake.read(dataset, version)

    def commits(self, dataset: str, after: int = -1) -> Iterator[LoggedCommit]:
        return self.lake.commits(dataset, after)

    def replace(
        self,
        staged: Sequence[Staged],
        receipt: Receipt,
        transaction: str | tuple[str, int],
        replacing: Replacing | None,
    ) -> int:
        """See `Store.replace`.

        Files without a row that gives way stay; of the others, the rows that remain are written again. Small
        files that have become many are written again with them: joined in a commit of its own, they would
        make a version without a receipt. Where the staged rows have other columns than the table, all rows
        that remain are.
        """
        dataset = receipt.dataset
        files = [path for part in staged for path in part.files]
        rows = sum(part.rows for part in staged)
        remove: list[str] | None = None
        if replacing is not None and self.lake.exists(dataset):
            table, columns = self.read(dataset), columns_of(staged[0].schema)
            same = columns == table.columns
            touched = self._touched(table, replacing, files) if same else table.files
            if touched:
                part = table.of_files(touched)
                remaining = self.rewriter.remaining(part, replacing.where, columns, self.scratch)
                files.extend(remaining.files)
                rows += remaining.rows
            remove = list(touched) if same else None
        published = Staged(tuple(files), rows, staged[0].schema, staged[0].partitioned)
        return publish(self.lake, dataset, published, receipt, transaction=transaction, remove=remove)

    def join(self, dataset: str, files: Sequence[str], receipt: Receipt) -> int:
        """Write some files of the present version again as one, or as one for each day, and nothing else.

        Returns
        -------
        The version that readers see from now on.
        """
        table = self.read(dataset)
        joined = self.rewriter.remaining(table.of_files(files), "false", table.columns, self.scratch)
        transaction = receipt.stage, table.version + 1
        return publish(self.lake, dataset, joined, receipt, transaction=transaction, remove=files)

    def _touched(self, table: TableVersion, replacing: Replacing, staged: Sequence[Path]) -> list[str]:
        """The files that are written again without the rows that give way."""
        found: list[str] = []
        if replacing.where != "false":
            searched = table if replacing.days is None else table.of_days(replacing.days)
            found = self.rewriter.files_holding(searched, replacing.where)
        known = set(found)
        return found + [file for file in pieces(table, staged) if file not in known]
