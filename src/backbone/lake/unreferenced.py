"""Files in a table's folder that no version refers to which can still be read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from backbone.lake.table import PARTITION, Lake

# Names that publishing gives. What else lies in a table's folder was put there by somebody else, and stays.
OURS = re.compile(r"[0-9a-f]{32}\.parquet")
DAY = re.compile(rf"{PARTITION}=\d{{4,}}-\d\d-\d\d")


def unreferenced(lake: Lake, dataset: str, first: int, pinned: Collection[int]) -> list[Path]:
    """The files of dead runs and expired versions. Only who holds the project's lock may ask and remove them.

    Parameters
    ----------
    first : the oldest version that is kept, with all after it.
    pinned : earlier versions that are kept.

    Raises
    ------
    BackboneError, OSError, ValueError
        When a version that is kept can't be read: what it refers to is not known, and nothing may go.
    """
    place = lake.path(dataset)
    there = list(_data_files(place))
    if not there:
        return []
    needed: set[str] = set()
    for version in {first, *pinned, lake.version(dataset)}:
        needed.update(lake.read(dataset, version).files)
    log = lake.log(dataset)
    for version in log.versions:
        if version > first:
            needed.update(f"{place}/{added}" for added in _added(log.path(version)))
    return [Path(file) for file in there if file not in needed]


def remove_files(files: Collection[Path]) -> int:
    """Remove files, and the folders of days that are empty without them; returns their bytes."""
    freed = 0
    for file in files:
        freed += file.stat().st_size
        file.unlink()
    for folder in {file.parent for file in files}:
        if DAY.fullmatch(folder.name):
            with suppress(OSError):  # it is not empty
                folder.rmdir()
    return freed


def _data_files(place: Path) -> Iterator[str]:
    with os.scandir(place) as entries:
        for entry in entries:
            if DAY.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with os.scandir(entry.path) as files:
                    yield from (file.path for file in files if OURS.fullmatch(file.name))
            elif OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry.path


def _added(commit: Path) -> Iterator[str]:
    for line in commit.read_bytes().splitlines():
        if line.startswith(b'{"add"'):
            yield unquote(json.loads(line)["add"]["path"])


def is_leftover_of_log(name: str) -> bool:
    """Whether the table library has left a half-written commit."""
    return name.startswith("_commit_") and name.endswith(".json.tmp")
