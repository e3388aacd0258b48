"""Persistent landing: every version of every file, unchanged, by source and arrival time."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backbone.lake.barrier import Barrier
from backbone.landing.names import is_of_an_editor, is_text, is_unfinished
from backbone.ledger.manifest import Manifest
from backbone.settings import ConnectionSettings
from backbone.source_settings import SourceSettings

PERSISTENT = Path("landing") / "persistent"
ARRIVAL = "%Y-%m-%dT%H%M%S.%fZ"
ARRIVAL_LENGTH = len("2026-01-31T235959.000000Z")
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

    `window_start` and `window_end` are those of a query's result; `moved_from` is where a dropped file was;
    `adopted` says that a dead run placed it.
    """

    source: str
    name: str
    arrived_at: datetime
    path: Path
    origin: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None
    moved_from: Path | None = None
    adopted: bool = False

    @property
    def fetched(self) -> bool:
        """Whether a query's result rather than somebody's delivery."""
        return self.name == WHOLE or self.window_start is not None


class PersistentLanding:
    """The folder `landing/persistent/SOURCE/ARRIVED_AT/NAME` of a project.

    Attributes
    ----------
    barrier : what has to be on disk before the arrivals are recorded.
    strays : what `unrecorded` found that no run put there, and passed over.
    failed : folders that it could not list, and why.
    """

    def __init__(self, project: Path, manifest: Manifest, barrier: Barrier | None = None) -> None:
        self.project = project
        self.barrier = Barrier() if barrier is None else barrier
        self.root = project / PERSISTENT
        self.strays: list[Path] = []
        self.failed: dict[Path, OSError] = {}
        self._sources = {b.source for b in manifest.batches}
        self._last = max((b.arrived_at for b in manifest.batches), default=datetime.min.replace(tzinfo=UTC))

    def place(self, source: str, name: str) -> tuple[datetime, Path]:
        """An arrival time after every one before it, and the path of the file; its folder is made."""
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        path = self.root / source / self._last.strftime(ARRIVAL) / name
        try:
            self.barrier.make_folder(path.parent)
        except OSError:
            self.clear(source, path)
            raise
        return self._last, path

    def clear(self, source: str, path: Path) -> None:
        """Remove a file from its place, and the folders that are empty without it."""
        with suppress(OSError):  # where the place could not be made, there is nothing to remove
            path.unlink()
        folder, top = path.parent, self.root / source
        with suppress(OSError):
            while folder != top:
                if os.path.isdir(folder):  # noqa: PTH112 - of a name that is too long, Path raises
                    folder.rmdir()
                folder = folder.parent

    def unrecorded(self, sources: Collection[str] | None = None, *, tidy: bool = True) -> Iterator[Arrival]:
        """Whole files that a dead run placed and did not record.

        A run records all its arrivals in one commit, so these arrived after all that are recorded. What
        else is there is noted in `strays`; folders of arrivals that are recorded are not looked into.

        Parameters
        ----------
        sources : the project's sources; every folder is one's when None.
        tidy : remove half-written files.
        """
        recorded, latest = self._last, max(self._last, datetime.now(UTC)) + timedelta(days=1)
        for source in self._listed(self.root):
            if not source.is_dir() or not (sources is None or source.name in {*sources, *self._sources}):
                self._note_stray(source)
                continue
            for folder in self._listed(source, after=recorded.strftime(ARRIVAL)):
                arrived_at = arrival_of_name(folder.name)
                known = arrived_at is not None and recorded < arrived_at < latest
                if arrived_at is None or not known or folder.is_symlink() or not folder.is_dir():
                    self._note_stray(folder)
                    continue
                try:
                    whole = self._whole(folder, tidy=tidy)
                except OSError as error:
                    self.failed[folder] = error
                    continue
                for path in whole:
                    self._note_placed(path)
                    self._last = max(self._last, arrived_at)
                    name = path.relative_to(folder).as_posix()
                    yield Arrival(
                        source.name,
                        name,
                        arrived_at,
                        path,
                        origin_of(path),
                        *window_of_name(name),
                        adopted=True,
                    )

    def _note_placed(self, path: Path) -> None:
        """Have a file synced with all its names before it is recorded: the run that placed it died before."""
        self.barrier.add(path)
        for folder in path.parents:
            self.barrier.add_folder(folder)
            if folder == self.project:
                break

    def _whole(self, folder: Path, *, tidy: bool) -> list[Path]:
        """The files in the folder of an arrival that landing can have put there."""
        found = []
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                self._note_stray(path)
            elif path.is_file():
                if path.name.endswith(".part"):
                    if tidy:
                        path.unlink()
                elif is_unfinished(path.name) or not is_text(path.relative_to(folder).as_posix()):
                    self._note_stray(path)
                else:
                    found.append(path)
        delivered = [path for path in found if not is_of_an_editor(path.name)] or found
        for path in found:
            if path not in delivered:
                self._note_stray(path)
        return delivered

    def _listed(self, folder: Path, after: str = "") -> list[Path]:
        """What is in a folder under names after one, by name, and names of another length than that one.

        Of the many others no path is made.
        """
        try:
            with os.scandir(folder) as entries:
                names = [
                    entry.name for entry in entries if entry.name > after or len(entry.name) != ARRIVAL_LENGTH
                ]
        except FileNotFoundError:
            return []
        except OSError as error:
            self.failed[folder] = error
            return []
        return [folder / name for name in sorted(names)]

    def _note_stray(self, path: Path) -> None:
        if path.name not in (".gitignore", ".gitkeep", ".keep"):
            self.strays.append(path)


def arrival_of_name(name: str) -> datetime | None:
    """The instant that the name of an arrival's folder gives; None for another name."""
    try:
        found = datetime.strptime(name, ARRIVAL).replace(tzinfo=UTC)
    except ValueError:
        return None
    return found if len(name) == ARRIVAL_LENGTH else None


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
