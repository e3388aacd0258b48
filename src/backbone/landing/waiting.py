"""What a run would take over, found without reading or moving anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from backbone.asked import Asked
from backbone.dataset import Window
from backbone.landing.files import TEMPORAL, Sighting, changed_in_place
from backbone.landing.listing import list_dropped
from backbone.landing.names import is_unfinished
from backbone.landing.persistent import Feed, PersistentLanding
from backbone.landing.queries import due_windows, has_windows
from backbone.ledger.manifest import Manifest


@dataclass(frozen=True)
class Waiting:
    """What waits in one source.

    Parameters
    ----------
    files, bytes : dropped files, those that a path finds anew or changed, and those that a dead run left. A
        file may turn out to have the bytes of its current version.
    windows : those that its query is to be run for; `again` is how many of them it has been run for before.
    is_asked : its query has no windows. It is asked at every run, and counts where its result has changed.
    """

    files: int = 0
    bytes: int = 0
    windows: tuple[Window, ...] = ()
    again: int = 0
    is_asked: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.windows)


def waiting(project: Path, feed: Feed, manifest: Manifest, asked: Asked) -> Waiting:
    """What waits in a source.

    Raises
    ------
    SourceUnavailable, SettingsError
        When its path leads nowhere, or its query has windows and nothing says which is the first.
    """
    sighting = Sighting(feed.source, project)
    root = project / TEMPORAL / feed.source
    paths: list[Path] = []
    if root.is_dir():
        paths += sighting.files(list_dropped(root), root)
    if feed.settings.path is not None:
        paths += changed_in_place(project, feed, manifest, sighting)
    found = _counted(path for path in paths if not is_unfinished(path.name))
    query = feed.settings.query
    if query is None:
        return found
    if not has_windows(query):
        return replace(found, is_asked=True)
    windows = tuple(due_windows(feed, manifest, asked))
    done = {(b.window_start, b.window_end) for b in manifest.current().values() if b.source == feed.source}
    again = sum((window.start, window.end) in done for window in windows)
    return replace(found, windows=windows, again=again)


def left_by_a_dead_run(project: Path, manifest: Manifest, sources: Collection[str]) -> dict[str, Waiting]:
    """By source, the files in persistent landing that are not recorded yet."""
    paths: dict[str, list[Path]] = {}
    for arrival in PersistentLanding(project, manifest).unrecorded(sources, tidy=False):
        paths.setdefault(arrival.source, []).append(arrival.path)
    return {source: _counted(found) for source, found in paths.items()}


def _counted(paths: Iterable[Path]) -> Waiting:
    sizes = []
    for path in paths:
        try:
            sizes.append(path.stat().st_size)
        except OSError:
            sizes.append(0)
    return Waiting(len(sizes), sum(sizes))
