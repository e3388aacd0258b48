"""The log of a table, read by the names and texts of its files: no table has to be opened for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backbone.dataset import Receipt

RECEIPT_KEY = "backbone"
LOG = "_delta_log"
LAST_CHECKPOINT = "_last_checkpoint"
COMMIT = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
DIGITS = 20  # of the version, in the names of commits and checkpoints
RESTART = "restart"
"""The stage of a commit that goes on from the last whole version of a damaged table."""
MAINTAIN = "maintain"
"""The stage of a commit that joins small files."""
SAME_ROWS = (RESTART, MAINTAIN)
"""Stages whose commits hold the rows of an earlier version, and whose receipts say nothing of them."""


def commit_name(version: int) -> str:
    return f"{version:020}.json"


def checkpoint_name(version: int) -> str:
    return f"{version:020}.checkpoint.parquet"


@dataclass(frozen=True)
class LoggedCommit:
    """One commit of a table as its file says it.

    Parameters
    ----------
    digest : tells this text from every other, 16 hexadecimal digits.
    receipt : None where the commit carries none.
    problem : why the file is no commit; empty where it is one.
    text : the receipt as it was written.
    """

    version: int
    digest: str
    at: datetime | None = None
    receipt: Receipt | None = None
    problem: str = ""
    text: str | None = None


@dataclass(frozen=True)
class TableLog:
    """The folder `_delta_log` of a table."""

    folder: Path

    @property
    def versions(self) -> list[int]:
        """The versions that have a commit file, in order; whole or not."""
        return self._numbers(".json")

    @property
    def checkpoints(self) -> list[int]:
        """The versions that have a checkpoint, in order; whole or not."""
        return self._numbers(".checkpoint.parquet")

    @property
    def named_checkpoint(self) -> int:
        """The version of the checkpoint that the log names as its last; -1 where it names none."""
        try:
            return int(json.loads((self.folder / LAST_CHECKPOINT).read_bytes())["version"])
        except (OSError, ValueError, TypeError, KeyError):
            return -1

    def empty(self, upto: int) -> list[int]:
        """The versions whose commit file is empty, up to one, in order."""
        found = []
        for version in self.versions:
            try:
                if version <= upto and not os.stat(self.path(version)).st_size:  # noqa: PTH116 - of hundreds
                    found.append(version)
            except (FileNotFoundError, NotADirectoryError):  # cleaned up since
                continue
        return found

    @property
    def openable(self) -> list[int]:
        """The versions that readers can open, by the names that are there, in order."""
        checkpoints, found = {-1, *self.checkpoints}, [-1]
        for version in self.versions:
            if version in checkpoints or version - 1 == found[-1]:
                found.append(version)
        return found[1:]

    def _numbers(self, ending: str) -> list[int]:
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries if entry.name.endswith(ending)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        length = DIGITS + len(ending)  # some forty times a run: a pattern takes thrice as long
        return sorted(int(n[:DIGITS]) for n in names if len(n) == length and n[:DIGITS].isdecimal())

    def path(self, version: int) -> Path:
        return self.folder / commit_name(version)

    def digest(self, version: int) -> str | None:
        """The digest of a commit's text; None where there is no such file."""
        try:
            return digest_of(self.path(version).read_bytes())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def commit(self, version: int) -> LoggedCommit:
        """A commit with its receipt.

        Raises
        ------
        FileNotFoundError
            When there is none.
        """
        try:
            text = self.path(version).read_bytes()
        except IsADirectoryError:
            return LoggedCommit(version, "", problem="it is a folder")
        digest = digest_of(text)
        problem, info = _commit_info(text)
        if problem or info is None:
            return LoggedCommit(version, digest, problem=problem)
        try:
            milliseconds, text_of_receipt = info.get("timestamp"), info.get(RECEIPT_KEY)
            at = None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
            receipt = None if text_of_receipt is None else Receipt.from_json(text_of_receipt)
        except (ValueError, TypeError, KeyError, OverflowError):
            return LoggedCommit(version, digest, problem="its receipt can't be read")
        return LoggedCommit(version, digest, at, receipt, text=text_of_receipt)

    def commits(self, after: int = -1) -> Iterator[LoggedCommit]:
        """The commits after a version, oldest first; those that are no commits too."""
        for version in self.versions:
            if version > after:
                yield self.commit(version)


def digest_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


def _commit_info(text: bytes) -> tuple[str, dict[str, Any] | None]:
    """Why a text is no commit, or nothing; and what it says of itself."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return "it is empty", None
    info: dict[str, Any] | None = None
    try:
        for line in lines:
            if line.startswith(b'{"commitInfo"'):
                info = json.loads(line)["commitInfo"]
            elif not line.endswith(b"}") or line is lines[-1]:
                json.loads(line)
    except (ValueError, KeyError, TypeError):
        return "it ends in the middle of a line, or holds something else than a commit", None
    return "", info
