"""Files and folders in the zones that no run put there, and those that a run left which died.

Hidden files, such as `.gitkeep`, are nobody's business.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from backbone.dataset import DATASET_NAME, ZONES
from backbone.errors import BackboneError
from backbone.lake.checkpoint import BESIDE
from backbone.lake.data_files import logged_files
from backbone.lake.finding import MAINTAIN, REPAIR, Finding, What
from backbone.lake.log import CHECKPOINT, COMMIT, LAST_CHECKPOINT, LOG
from backbone.lake.table import PARTITION, Lake

DELIVERIES = ("temporal", "persistent")  # folders of landing that are no tables
OWN_NAME = re.compile(r"[0-9a-f]{32}\.parquet")
DAY = re.compile(rf"{PARTITION}=\d{{4}}-\d\d-\d\d")
UNFINISHED = re.compile(r"_commit_.*\.tmp|.*\.json\.tmp")
SUMS = re.compile(r"\d{20}\.crc")


def unexpected(
    lake: Lake, damaged: Collection[str], others: Collection[Path], unclear: Collection[str] = ()
) -> Iterator[Finding]:
    """What is in the zones and belongs to no table.

    Parameters
    ----------
    damaged : tables whose log does not say which files are theirs.
    others : further folders of the project that are written to, such as those of exported lists.
    unclear : tables with a pinned version that can't be read: which files it names is not known.
    """
    for zone in ZONES:
        for path in _listed(lake.project / zone):
            if (zone == "landing" and path.name in DELIVERIES) or path in others:
                continue
            dataset = f"{zone}.{path.name}"
            if dataset in damaged:
                continue
            if not _is_folder(path) or not DATASET_NAME.fullmatch(path.name):
                yield of_stray(lake.project, path)
            elif not lake.exists(dataset):
                # No upkeep looks into it, as it is no table.
                is_begun = _is_begun(path)
                yield of_left(lake.project, path, REPAIR) if is_begun else of_stray(lake.project, path)
            elif lake.last_receipt(dataset) is None:
                yield of_stray(lake.project, path)
            else:
                yield from _in_table(lake, dataset, path, is_clear=dataset not in unclear)


def of_stray(project: Path, path: Path) -> Finding:
    """A file or folder that no run put there."""
    return Finding(
        What.UNEXPECTED,
        "",
        _shown(project, path),
        "nothing of this name",
        "a folder" if _is_folder(path) else "a file",
        "No run put it there, and none reads it.",
        REPAIR,
    )


def of_left(project: Path, path: Path, next_step: str = MAINTAIN) -> Finding:
    """A file or folder that a run left which died."""
    return Finding(
        What.LEFT,
        "",
        _shown(project, path),
        "no file that no version names",
        "one that a run left which died, or that was in a commit that was lost",
        "It does no harm.",
        next_step,
    )


def _in_table(lake: Lake, dataset: str, place: Path, *, is_clear: bool) -> Iterator[Finding]:
    own: list[Path] = []
    for path in _listed(place):
        if path.name == LOG:
            yield from _in_log(lake.project, path)
        elif path.name == BESIDE:
            own.append(path)
        elif DAY.fullmatch(path.name) and _is_folder(path):
            for file in _listed(path):
                own.append(file)
        else:
            own.append(path)
    named = _named(lake, dataset) if own else set()
    others = [path for path in own if str(path) not in named]
    kept = _named_before(lake, dataset) if others else set()
    for path in others:
        if not _is_ours(path):
            if str(path) not in (kept or ()):
                yield of_stray(lake.project, path)
        elif is_clear and kept is not None and str(path) not in kept:
            yield of_left(lake.project, path)


def _is_ours(path: Path) -> bool:
    """Whether a run gives such a name."""
    return (OWN_NAME.fullmatch(path.name) is not None and not _is_folder(path)) or path.name == BESIDE


def _in_log(project: Path, folder: Path) -> Iterator[Finding]:
    for path in _listed(folder):
        known = COMMIT.fullmatch(path.name) or CHECKPOINT.fullmatch(path.name) or SUMS.fullmatch(path.name)
        if (known or path.name == LAST_CHECKPOINT) and not _is_folder(path):
            continue
        yield of_left(project, path) if UNFINISHED.fullmatch(path.name) else of_stray(project, path)


def _named(lake: Lake, dataset: str) -> set[str]:
    """Every file that the present version or a commit in the log names."""
    place = lake.path(dataset)
    found: set[str] = set()
    with suppress(BackboneError):  # a damaged checkpoint is a finding of its own
        found.update(file.path for file in logged_files(lake, dataset)[1])
    log = lake.log(dataset)
    for version in log.versions:
        try:
            for line in log.path(version).read_bytes().splitlines():
                action = json.loads(line) if line.startswith((b'{"add"', b'{"remove"')) else {}
                for part in action.values():
                    found.add(f"{place}/{unquote(part['path'])}")
        except (FileNotFoundError, IsADirectoryError, ValueError):
            continue
    return found


def _named_before(lake: Lake, dataset: str) -> set[str] | None:
    """The files of versions with which a part of the log begins, such as pinned ones.

    None where one of them can't be read, so that it is not known.
    """
    log = lake.log(dataset)
    versions = {*log.versions}
    try:
        return {
            file
            for version in log.checkpoints
            if version - 1 not in versions
            for file in lake.read(dataset, version).files
        }
    except BackboneError:
        return None


def _is_begun(folder: Path) -> bool:
    """Whether a folder holds only what a run writes before a table's first commit."""
    for path in _listed(folder):
        inner = [path.name for path in _listed(path)] if DAY.fullmatch(path.name) else [path.name]
        if path.name in (LOG, BESIDE):
            inner = [name for name in (p.name for p in _listed(path)) if not UNFINISHED.fullmatch(name)]
            if path.name == BESIDE:
                inner = []
        if any(not OWN_NAME.fullmatch(name) for name in inner):
            return False
    return True


def _listed(folder: Path) -> list[Path]:
    """What is in a folder and not hidden, by name."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _shown(project: Path, path: Path) -> str:
    return path.relative_to(project).as_posix()
