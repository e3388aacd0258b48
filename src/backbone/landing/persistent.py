"""Persistent landing: every version of every file, unchanged, by source and arrival time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backbone.landing.manifest import Manifest
from backbone.settings import ConnectionSettings, SourceSettings

PERSISTENT = Path("landing") / "persistent"
ARRIVAL = "%Y-%m-%dT%H%M%S.%fZ"
WHOLE = "whole.parquet"
STAMP = "%Y-%m-%dT%H"
WINDOW_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)--(\d{4}-\d\d-\d\dT\d\d)\.parquet")


@dataclass(frozen=True)
class Feed:
    """What feeds one source: its settings, its connection, and how often a query is extracted."""

    source: str
    settings: SourceSettings
    connection: ConnectionSettings | None = None
    every: str | None = None


@dataclass(frozen=True)
class Arrival:
    """A file in its place in persistent landing, not yet recorded.

    `window_start` and `window_end` are those of a query's result.
    """

    source: str
    name: str
    arrived_at: datetime
    path: Path
    origin: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None

    @property
    def fetched(self) -> bool:
        """Whether a query's result rather than somebody's delivery."""
        return self.name == WHOLE or self.window_start is not None


class PersistentLanding:
    """The folder `landing/persistent/SOURCE/ARRIVED_AT/NAME` of a project."""

    def __init__(self, project: Path, manifest: Manifest) -> None:
        self.project = project
        self.root = project / PERSISTENT
        self._last = max((b.arrived_at for b in manifest.batches), default=datetime.min.replace(tzinfo=UTC))

    def place(self, source: str, name: str) -> tuple[datetime, Path]:
        """An arrival time after every one before it, and the path of the file; its folder is made."""
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        path = self.root / source / self._last.strftime(ARRIVAL) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return self._last, path

    def unrecorded(self) -> Iterator[Arrival]:
        """Whole files that a dead run placed and did not record; its half-written ones are removed.

        A run records all its arrivals in one commit, so these arrived after all that are recorded.
        """
        recorded = self._last.strftime(ARRIVAL)
        for folder in [f for source in _listed(self.root) for f in _listed(source, after=recorded)]:
            for path in sorted(folder.rglob("*")):
                if path.name.endswith(".part"):
                    path.unlink()
                elif path.is_file():
                    name = path.relative_to(folder).as_posix()
                    arrived_at = datetime.strptime(folder.name, ARRIVAL).replace(tzinfo=UTC)
                    self._last = max(self._last, arrived_at)
                    source = folder.parent.name
                    yield Arrival(source, name, arrived_at, path, origin_of(path), *window_of_name(name))


def _listed(folder: Path, after: str = "") -> list[Path]:
    """What lies in a folder under names after one, by name; of the many others no path is made."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [folder / name for name in sorted(entry.name for entry in entries if entry.name > after)]


def window_of_name(name: str) -> tuple[datetime | None, datetime | None]:
    """The window that an extracted file's name says; (None, None) for other files."""
    match = WINDOW_NAME.fullmatch(name)
    if match is None:
        return None, None
    start, end = (datetime.strptime(text, STAMP).replace(tzinfo=UTC) for text in match.groups())
    return start, end


def origin_of(path: Path) -> str:
    """What identifies an untouched file: its size and modification time, which copies keep."""
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}"
