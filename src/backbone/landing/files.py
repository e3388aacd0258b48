"""Files as sources: dropped into temporal landing, or found by a path or glob and read in place."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backbone.errors import SourceUnavailable
from backbone.landing.manifest import Manifest
from backbone.landing.persistent import Arrival, Feed, PersistentLanding, origin_of

UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart")
NO_DATA = (".DS_Store", ".gitignore", ".gitkeep", ".keep")
SETTLE_S = 0.5
TEMPORAL = Path("landing") / "temporal"


@dataclass
class Sighting:
    """Files seen in this run that are still being written, and so are left for the next."""

    waiting: list[Path] = field(default_factory=list)

    def settled(self, paths: list[Path]) -> list[Path]:
        """The files that nobody is writing: no unfinished name, and neither size nor time changing.

        A name that begins with a dot is unfinished: so rsync and others call what they are writing.
        A file untouched for longer than `SETTLE_S` seconds is taken at once; younger ones are watched
        together for that long.
        """
        finished = [p for p in paths if not p.name.lower().endswith(UNFINISHED) and p.name[0] != "."]
        self.waiting.extend(p for p in paths if p not in set(finished))
        before = {p: _mark(p) for p in finished}
        if any(time.time() - mark[1] / 1e9 < SETTLE_S for mark in before.values()):
            time.sleep(SETTLE_S)
        settled = [p for p in finished if p.exists() and _mark(p) == before[p]]
        self.waiting.extend(p for p in finished if p not in set(settled))
        return settled


def take_dropped(landing: PersistentLanding, feed: Feed, sighting: Sighting) -> Iterator[Arrival]:
    """Move what was dropped into `landing/temporal/SOURCE/` to its place in persistent landing."""
    root = landing.project / TEMPORAL / feed.source
    if not root.is_dir():
        return
    dropped = sorted(
        p
        for p in root.rglob("*")
        if p.is_file()
        and not p.is_symlink()
        and p.name not in NO_DATA
        and not any(x.startswith(".") for x in p.relative_to(root).parts[:-1])
    )
    for path in sighting.settled(dropped):
        name = path.relative_to(root).as_posix()
        origin = origin_of(path)
        arrived_at, target = landing.place(feed.source, name)
        shutil.move(path, target)
        yield Arrival(feed.source, name, arrived_at, target, origin)


def copy_in_place(
    landing: PersistentLanding, feed: Feed, known: Manifest, sighting: Sighting
) -> Iterator[Arrival]:
    """Copy what a path or glob finds, unless it is untouched since it was last read."""
    pattern = os.path.expanduser(feed.settings.path or "")  # noqa: PTH111 - a pattern is no path
    if not os.path.isabs(pattern):  # noqa: PTH117
        pattern = os.path.normpath(landing.project / pattern)
    prefix = fixed_prefix(pattern)
    if not prefix.is_dir():
        raise SourceUnavailable(
            f"source {feed.source}",
            f"expected files at {feed.settings.path}, found no folder {prefix}",
            "Nothing was taken over from it.",
            f"mend [sources.{feed.source}] path in backbone.toml, or make the folder",
        )
    latest = known.latest_delivery()
    found = sorted(Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file())  # noqa: PTH207
    changed = [
        p
        for p in found
        if (last := latest.get((feed.source, _name(p, prefix)))) is None or last.origin != origin_of(p)
    ]
    for path in sighting.settled(changed):
        name = _name(path, prefix)
        origin = origin_of(path)
        arrived_at, target = landing.place(feed.source, name)
        part = target.with_name(target.name + ".part")
        try:
            shutil.copy2(path, part)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        part.rename(target)
        yield Arrival(feed.source, name, arrived_at, target, origin)


def fixed_prefix(pattern: str) -> Path:
    """The folder above the first part of a glob that has a wildcard.

    Examples
    --------
    >>> str(fixed_prefix("/data/vendor/reviews-*.csv")), str(fixed_prefix("/data/*/2026/x.csv"))
    ('/data/vendor', '/data')
    """
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:fixed])


def _name(path: Path, prefix: Path) -> str:
    return path.relative_to(prefix).as_posix()


def _mark(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
