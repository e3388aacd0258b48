"""What has been written and not yet synced: all of it is on disk before a commit counts on it.

A file system keeps writes and renames in memory for some seconds, in any order. If the power fails then,
files may be empty, cut short or absent, and renames undone. So a commit is written only when the files it
names are on disk, with the folders that hold their names; and what counts on a commit (the next one, or the
removal of what it replaces) comes only when the commit itself is. Tables of one run share these barriers:
the files of the next table are synced together with the commit of the one before.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

FEW = 4  # files that are synced one after another; more by several threads, whose waits overlap


class Barrier:
    """Files and folders that are not known to be on disk.

    Parameters
    ----------
    durable : False to sync nothing: a power cut may then take the last seconds' commits apart.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self._left: dict[str, None] = {}

    def add(self, *files: str | Path) -> None:
        """Note files that were written or have a new name, and the folders that hold their names."""
        for file in files:
            self._files[str(file)] = None
            self._folders[os.path.dirname(file)] = None  # noqa: PTH120 - thousands of files

    def add_folder(self, folder: str | Path) -> None:
        """Note a folder in which names have come or gone."""
        self._folders[str(folder)] = None

    def add_left(self, folder: str | Path) -> None:
        """Note a folder from which a file was moved to another: it is synced after the one it came to.

        Otherwise a power cut between the two may leave the file in neither.
        """
        self._left[str(folder)] = None

    def make_folder(self, folder: Path) -> None:
        """Make a folder with its parents, and note those that hold new names."""
        missing = folder
        while not missing.exists():
            self.add_folder(missing)
            missing = missing.parent
        if missing != folder:
            self.add_folder(missing)
            folder.mkdir(parents=True, exist_ok=True)

    def sync(self, files: Iterable[Path]) -> dict[Path, OSError]:
        """Return when the contents of some files are on disk, before one of them gets another name.

        Returns
        -------
        What was refused, by file: one that can't be opened or synced keeps no other from it.
        """
        refused: dict[Path, OSError] = {}

        def work(file: Path) -> None:
            try:
                _sync_file(str(file))
            except OSError as error:
                refused[file] = error

        if self.durable:
            _all(work, files)
        return refused

    def wait(self) -> None:
        """Return when all that was noted is on disk: first the files, then the folders, last those left.

        Raises
        ------
        OSError
            When the disk refuses. What was noted still is: nothing may count on it.
        """
        if self.durable:
            _all(_sync_file, self._files)
            _all(_sync_folder, [folder for folder in self._folders if folder not in self._left])
            _all(_sync_folder, self._left)
        self._files.clear()
        self._folders.clear()
        self._left.clear()


def _all(work: Callable[[T], None], paths: Iterable[T]) -> None:
    paths = list(paths)
    if len(paths) <= FEW:
        for path in paths:
            work(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8, thread_name_prefix="sync") as pool:
        for _ in pool.map(work, paths):
            pass


def _sync_file(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):  # replaced or removed since
        return
    try:
        _flush(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        _flush(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that sync no folders
            raise
    finally:
        os.close(descriptor)


def _flush(descriptor: int) -> None:
    """Wait for the disk; on macOS `fsync` waits for the drive's own memory only when asked like this."""
    import fcntl

    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)
