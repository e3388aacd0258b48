"""What is in the landing folders and belongs to no source: named in a warning, and passed over."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from backbone.landing.names import NO_DATA
from backbone.landing.persistent import Feed
from backbone.printable import shown

MOST_NAMED = 10


def stray_warnings(project: Path, strays: Sequence[Path]) -> list[str]:
    """A warning that names what is in persistent landing and was put there by no run."""
    if not strays:
        return []
    return [
        f"passed over in persistent landing, as no run put it there: {_listed(project, strays)}; move it "
        "elsewhere, and what should be landed into landing/temporal/SOURCE"
    ]


def no_file_warnings(project: Path, source: str, paths: Sequence[Path]) -> list[str]:
    """A warning that names links, pipes and the like in the folder of a source."""
    if not paths:
        return []
    return [
        f"source {source}: passed over, as it is a link or no file: {_listed(project, paths)}; "
        "deliver the file itself"
    ]


def old_file_warnings(project: Path, feed: Feed, paths: Sequence[Path]) -> list[str]:
    """A warning that names files at a path that have an old time and were put there since."""
    if not paths:
        return []
    return [
        f"source {feed.source}: not looked at, as modified_within is {feed.settings.modified_within!r}, and "
        f"put there since with an older time: {_listed(project, paths)}; touch what should be taken over"
    ]


def unknown_source_warnings(project: Path, temporal: Path, sources: Collection[str]) -> list[str]:
    """A warning that names what was dropped beside the folders of the sources."""
    try:
        with os.scandir(project / temporal) as entries:
            names = sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [
        project / temporal / name
        for name in names
        if name not in sources and name not in NO_DATA and not name.startswith(".")
    ]
    found = [path for path in found if not path.is_dir() or _holds_files(path)]
    if not found:
        return []
    known = ", ".join(sorted(sources)) or "none"
    return [
        f"not taken, as it is in the folder of no source: {_listed(project, found)}; the project's sources "
        f"are {known}, and a file is dropped into landing/temporal/SOURCE"
    ]


def _holds_files(folder: Path) -> bool:
    return any(names for _, _, names in os.walk(folder))


def _listed(project: Path, paths: Sequence[Path]) -> str:
    names = [
        shown(path.relative_to(project) if path.is_relative_to(project) else path)
        for path in paths[:MOST_NAMED]
    ]
    more = f" and {len(paths) - MOST_NAMED:,} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(names) + more
