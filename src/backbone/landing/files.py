"""Files as sources: dropped into temporal landing, or found by a path or glob and read in place."""

from __future__ import annotations

import errno
import glob
import os
import re
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
    """Files seen in this run and left alone: still being written, or with a name that is not UTF-8."""

    waiting: list[Path] = field(default_factory=list)
    misnamed: list[Path] = field(default_factory=list)

    def settled(self, paths: list[Path]) -> list[Path]:
        """The files that nobody is writing: no unfinished name, not open, neither size nor time changing.

        A name that begins with a dot is unfinished: so rsync and others call what they are writing.
        A file untouched for longer than `SETTLE_S` seconds is taken at once; younger ones are watched
        together for that long.
        """
        self.misnamed.extend(p for p in paths if not _is_text(p.name))
        paths = [p for p in paths if p not in set(self.misnamed)]
        finished = [p for p in paths if not p.name.lower().endswith(UNFINISHED) and p.name[0] != "."]
        self.waiting.extend(p for p in paths if p not in set(finished))
        before = {p: _mark(p) for p in finished}
        if any(time.time() - mark[1] / 1e9 < SETTLE_S for mark in before.values()):
            time.sleep(SETTLE_S)
        open_still = _written_now(finished)
        settled = [p for p in finished if p not in open_still and p.exists() and _mark(p) == before[p]]
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
        _move(path, target)
        yield Arrival(feed.source, name, arrived_at, target, origin)


def copy_in_place(
    landing: PersistentLanding, feed: Feed, known: Manifest, sighting: Sighting
) -> Iterator[Arrival]:
    """Copy what a path or glob finds, unless it is untouched since it was last read."""
    pattern = os.path.expanduser(feed.settings.path or "")  # noqa: PTH111 - a pattern is no path
    if not os.path.isabs(pattern):  # noqa: PTH117
        pattern = os.path.normpath(os.path.join(glob.escape(str(landing.project)), pattern))  # noqa: PTH118
    if Path(pattern).is_dir():
        pattern = os.path.join(glob.escape(pattern), "*")  # noqa: PTH118
    prefix = fixed_prefix(pattern)
    if not prefix.is_dir():
        raise SourceUnavailable(
            f"source {feed.source}",
            f"expected files at {feed.settings.path}, found no folder {prefix}",
            "Nothing was taken over from it.",
            f"mend [sources.{feed.source}] path in backbone.toml, or make the folder",
        )
    latest = known.latest_delivery()
    exact = not glob.has_magic(_unescaped(pattern, "x"))
    arrived = any(source == feed.source for source, _ in latest)
    if exact and not arrived and not Path(_unescaped(pattern)).exists():
        raise SourceUnavailable(
            f"source {feed.source}",
            f"expected the file {feed.settings.path}, found none",
            "Nothing was taken over from it.",
            "have it delivered, mend the path, or write a pattern such as name*.csv for files to come",
        )
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
        _copy(path, target)
        yield Arrival(feed.source, name, arrived_at, target, origin)


def _move(path: Path, target: Path) -> None:
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(path, target)  # the drop folder is on another file system
        path.unlink()


def _copy(path: Path, target: Path) -> None:
    """Copy a file so that what has its final name is whole."""
    part = target.with_name(target.name + ".part")
    try:
        shutil.copy2(path, part)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    part.rename(target)


def _written_now(paths: list[Path]) -> set[Path]:
    """Those of some files that a process of this machine holds open for writing, as far as can be seen.

    Linux shows it for the processes of the same user. Elsewhere nothing is known.
    """
    wanted = {os.path.realpath(path): path for path in paths}
    found: set[Path] = set()
    for link in Path("/proc").glob("[0-9]*/fd/*") if wanted else ():
        try:
            path = wanted.get(os.readlink(link))  # noqa: PTH115 - a link's text, which need not exist
            if path is not None:
                flags = (link.parent.parent / "fdinfo" / link.name).read_text().split("flags:")[1].split()[0]
                if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                    found.add(path)
        except (OSError, IndexError, ValueError):
            continue
    return found


def fixed_prefix(pattern: str) -> Path:
    """The folder above the first part of a glob that has a wildcard.

    Examples
    --------
    >>> str(fixed_prefix("/data/vendor/reviews-*.csv")), str(fixed_prefix("/data/*/2026/x.csv"))
    ('/data/vendor', '/data')
    """
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(_unescaped(part, "x"))), len(parts) - 1)
    return Path(*(_unescaped(part) for part in parts[:fixed]))


def _unescaped(part: str, put: str = r"\1") -> str:
    """A part of a pattern with each sign that `glob.escape` put in brackets as itself, or as `put`."""
    return re.sub(r"\[([*?[])\]", put, part)


def _name(path: Path, prefix: Path) -> str:
    return path.relative_to(prefix).as_posix()


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _mark(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
