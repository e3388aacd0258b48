"""Which files there are, below a drop folder or where a pattern points, and what could not be looked at."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backbone.landing.names import NO_DATA


@dataclass
class Listing:
    """What was found in a folder.

    Attributes
    ----------
    files : the files, sorted.
    no_files : links in a drop folder, pipes, sockets and devices, which are not read.
    failed : what could not be looked into or at, and why.
    """

    files: list[Path] = field(default_factory=list)
    no_files: list[Path] = field(default_factory=list)
    failed: dict[Path, OSError] = field(default_factory=dict)


def list_dropped(root: Path) -> Listing:
    """The files below a drop folder, without links and without folders that begin with a dot."""
    found = Listing()
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listed:
                entries = list(listed)
        except OSError as error:
            found.failed[folder] = error
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.name in NO_DATA:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders += [] if entry.name.startswith(".") else [path]
            elif entry.is_file(follow_symlinks=False):
                found.files.append(path)
            else:
                found.no_files.append(path)
    found.files.sort()
    return found


def list_matching(pattern: str) -> Listing:
    """The files that match a glob, links to files too."""
    found = Listing(failed=dict(_unlisted(pattern)))
    for path in sorted(Path(p) for p in glob.glob(pattern, recursive=True)):  # noqa: PTH207
        try:
            mode = path.stat().st_mode
        except OSError as error:
            found.failed[path] = error
            continue
        if stat.S_ISREG(mode):
            found.files.append(path)
        elif not stat.S_ISDIR(mode):
            found.no_files.append(path)
    return found


def _unlisted(pattern: str) -> Iterator[tuple[Path, OSError]]:
    """The folders in which a glob has to look and can't: `glob` itself takes them for empty."""
    parts = Path(pattern).parts
    first = len(fixed_prefix(pattern).parts)
    for i, part in enumerate(parts[first:], first):
        above = Path(*parts[: i + 1 if part == "**" else i])
        for folder in glob.glob(os.path.join(above, ""), recursive=True):  # noqa: PTH118, PTH207
            try:
                if is_magic(part):
                    os.scandir(folder).close()
                else:
                    (Path(folder) / unescaped(part)).lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                yield Path(folder), error


def is_folder(path: Path) -> bool:
    """Whether there is a folder.

    Raises
    ------
    OSError
        When that can't be known, for want of the right to look.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def fixed_prefix(pattern: str) -> Path:
    """The folder above the first part of a glob that has a wildcard.

    Examples
    --------
    >>> str(fixed_prefix("/data/vendor/reviews-*.csv")), str(fixed_prefix("/data/*/2026/x.csv"))
    ('/data/vendor', '/data')
    """
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if is_magic(part)), len(parts) - 1)
    return Path(*(unescaped(part) for part in parts[:fixed]))


def is_magic(part: str) -> bool:
    """Whether a pattern, or a part of one, has a wildcard."""
    return glob.has_magic(unescaped(part, "x"))


def unescaped(part: str, put: str = r"\1") -> str:
    """A part of a pattern with each sign that `glob.escape` put in brackets as itself, or as `put`."""
    return re.sub(r"\[([*?[])\]", put, part)
