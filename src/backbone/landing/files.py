"""Files as sources: dropped into temporal landing, or found by a path or glob and read in place."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from backbone.dataset import Batch
from backbone.error_log import ends_run
from backbone.errors import BackboneError, FileNotTaken, SourceUnavailable
from backbone.lake.barrier import Barrier
from backbone.landing.failures import file_failure, misnamed
from backbone.landing.listing import (
    Listing,
    fixed_prefix,
    is_folder,
    is_magic,
    list_dropped,
    list_matching,
    unescaped,
)
from backbone.landing.names import is_text, is_unfinished
from backbone.landing.persistent import Arrival, Feed, PersistentLanding, origin_of
from backbone.ledger.manifest import Manifest
from backbone.printable import shown

SETTLE_S = 0.5
TEMPORAL = Path("landing") / "temporal"
LONGEST_NAME = 255  # bytes, on all usual file systems


@dataclass
class Sighting:
    """What was seen of one source and not taken.

    Attributes
    ----------
    waiting : files that are still being written, or have the name of such a file.
    failures : files and folders with a fault, by name.
    no_files : links, pipes and other things that are no files.
    too_old : files at a path that were put there not long ago, and modified too long ago to be looked at.
    """

    source: str
    project: Path
    waiting: list[Path] = field(default_factory=list)
    failures: dict[str, BackboneError] = field(default_factory=dict)
    no_files: list[Path] = field(default_factory=list)
    too_old: list[Path] = field(default_factory=list)

    def fail(self, name: str, error: Exception) -> None:
        """Note the failure of one file; raise what is no fault of it."""
        if ends_run(error):
            raise error
        self.failures[shown(name)] = file_failure(self.source, name, error, self.project)

    def files(self, listing: Listing, root: Path) -> dict[Path, str]:
        """The files of a listing with their names below `root`; what could not be listed is a failure."""
        for path, error in listing.failed.items():
            self._fail_listing(path, _name(path, root) if path != root else shown(path), error)
        self.no_files += listing.no_files
        named = {path: _name(path, root) for path in listing.files}
        for name in named.values():
            if not is_text(name):
                self.failures[shown(name)] = misnamed(self.source, name)
        return {path: name for path, name in named.items() if is_text(name)}

    def finished(self, found: dict[Path, str]) -> list[Path]:
        """The files that nobody is writing: no unfinished name, not open, neither size nor time changing.

        A file untouched for longer than `SETTLE_S` seconds is taken at once; younger ones are watched
        together for that long.
        """
        before: dict[Path, tuple[int, int]] = {}
        for path, name in found.items():
            if is_unfinished(path.name):
                self.waiting.append(path)
                continue
            try:
                before[path] = _mark(path)
            except OSError as error:
                self.fail(name, error)
        if any(time.time() - mark[1] / 1e9 < SETTLE_S for mark in before.values()):
            time.sleep(SETTLE_S)
        open_still = _written_now(list(before))
        unchanged = [p for p in before if p not in open_still and _mark_or_none(p) == before[p]]
        taken = set(unchanged)
        self.waiting.extend(path for path in before if path not in taken)
        return unchanged

    def _fail_listing(self, path: Path, name: str, error: OSError) -> None:
        if ends_run(error):
            raise error
        where = f"source {self.source}, {shown(name)}"
        if path.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP):
            self.failures[shown(name)] = FileNotTaken(
                where,
                f"expected a file, found a link to {shown(os.readlink(path))}, where there is none",  # noqa: PTH115
                "It stays where it is; every other file is processed.",
                "mend the link, or remove it",
            )
        elif path.is_dir():
            self.failures[shown(name)] = SourceUnavailable(
                where,
                f"expected a folder that can be listed, found: {error.strerror or error}",
                "What is in it stays there; every other file is processed.",
                "give the user of the run the right to list it and to look into it",
            )
        else:
            self.failures[shown(name)] = file_failure(self.source, name, error, self.project)


def take_dropped(landing: PersistentLanding, feed: Feed, sighting: Sighting) -> Iterator[Arrival]:
    """Move what was dropped into `landing/temporal/SOURCE/` to its place in persistent landing."""
    root = landing.project / TEMPORAL / feed.source
    if not root.is_dir():
        return
    found = sighting.files(list_dropped(root), root)
    finished = sighting.finished(found)
    refused = landing.barrier.sync(finished)  # whoever dropped them need not have
    for path in finished:
        name = found[path]
        try:
            if path in refused:
                raise refused[path]
            _refuse_unreadable(path)  # before it is moved: later nobody would look for it
            origin = origin_of(path)
            arrived_at, target = landing.place(feed.source, name)
            try:
                _move(path, target, landing.barrier)
            except OSError:
                landing.clear(feed.source, target)
                raise
        except Exception as error:
            sighting.fail(name, error)
            continue
        yield Arrival(feed.source, name, arrived_at, target, origin, moved_from=path)


def copy_in_place(
    landing: PersistentLanding, feed: Feed, known: Manifest, sighting: Sighting
) -> Iterator[Arrival]:
    """Copy what a path or glob finds, unless it is untouched since it was last read."""
    changed = changed_in_place(landing.project, feed, known, sighting)
    for path in sighting.finished(changed):
        name = changed[path]
        try:
            _refuse_unreadable(path)
            origin = origin_of(path)
            arrived_at, target = landing.place(feed.source, name)
            try:
                _copy(path, target, landing.barrier)
            except OSError:
                landing.clear(feed.source, target)
                raise
        except Exception as error:
            sighting.fail(name, error)
            continue
        yield Arrival(feed.source, name, arrived_at, target, origin)


def changed_in_place(project: Path, feed: Feed, known: Manifest, sighting: Sighting) -> dict[Path, str]:
    """The files that a path or glob finds, but for those untouched since they were last read.

    Of several paths, the first that finds a file gives its name. Two files of one name are failures.

    Raises
    ------
    SourceUnavailable
        When there is no such folder or file; of several paths each is a failure of its own.
    """
    latest = known.latest_delivery()
    found: dict[Path, str] = {}
    for pattern in feed.settings.paths:
        try:
            found = _found_at(pattern, project, feed, latest, sighting) | found
        except SourceUnavailable as error:
            if len(feed.settings.paths) == 1:
                raise
            sighting.failures[shown(pattern)] = error
    oldest = None
    if feed.settings.modified_within_s is not None:
        oldest = time.time() - feed.settings.modified_within_s
    changed: dict[Path, str] = {}
    for path, name in _without_namesakes(found, sighting).items():
        try:
            last = latest.get((feed.source, name))
            if last is not None and last.origin == origin_of(path):
                continue
            times = path.stat()
            if oldest is None or times.st_mtime >= oldest:
                changed[path] = name
            elif times.st_ctime >= oldest:
                sighting.too_old.append(path)
        except OSError as error:
            sighting.fail(name, error)
    return changed


def _found_at(
    path: str, project: Path, feed: Feed, latest: Mapping[tuple[str, str], Batch], sighting: Sighting
) -> dict[Path, str]:
    """The files that one path or glob finds, with their names."""
    pattern = os.path.expanduser(path)  # noqa: PTH111 - a pattern is no path
    if not os.path.isabs(pattern):  # noqa: PTH117
        pattern = os.path.normpath(os.path.join(glob.escape(str(project)), pattern))  # noqa: PTH118
    if is_folder(Path(pattern)):
        pattern = os.path.join(glob.escape(pattern), "*")  # noqa: PTH118
    prefix = fixed_prefix(pattern)
    if not is_folder(prefix):
        raise SourceUnavailable(
            f"source {feed.source}",
            f"expected files at {path}, found no folder {prefix}",
            "Nothing was taken over from it.",
            f"mend [sources.{feed.source}] path in backbone.toml, or make the folder",
        )
    name = Path(unescaped(pattern)).name
    is_alone = len(feed.settings.paths) == 1
    arrived = any(source == feed.source and (is_alone or other == name) for source, other in latest)
    if not is_magic(pattern) and not arrived and not os.path.lexists(unescaped(pattern)):
        raise SourceUnavailable(
            f"source {feed.source}",
            f"expected the file {path}, found none",
            "Nothing was taken over from it.",
            "have it delivered, mend the path, or write a pattern such as name*.csv for files to come",
        )
    return sighting.files(list_matching(pattern), prefix)


def _without_namesakes(found: Mapping[Path, str], sighting: Sighting) -> dict[Path, str]:
    """The files whose names no other file has: one of two would be taken for a version of the other."""
    alike: dict[str, list[Path]] = {}
    for path, name in found.items():
        alike.setdefault(name, []).append(path)
    for name, paths in alike.items():
        if len(paths) > 1:
            places = ", ".join(shown(path) for path in sorted(paths))
            sighting.failures[shown(name)] = FileNotTaken(
                f"source {sighting.source}, {shown(name)}",
                f"expected one file of this name at all paths, found {places}",
                "None of them is taken over; what was taken over before stays.",
                "write one pattern for both, so that their names begin with the folder, such as "
                "/data/*/name.csv, or rename one",
            )
    return {path: name for path, name in found.items() if len(alike[name]) == 1}


def _refuse_unreadable(path: Path) -> None:
    with path.open("rb") as file:
        file.read(1)


def _move(path: Path, target: Path, barrier: Barrier) -> None:
    barrier.add_folder(target.parent)
    barrier.add_left(path.parent)
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(path, target, barrier)  # the drop folder is on another file system
        barrier.wait()
        path.unlink()
    else:
        _follow_umask(target)


def _copy(path: Path, target: Path, barrier: Barrier) -> None:
    """Copy a file so that what has its final name is whole."""
    fits = len(os.fsencode(target.name)) + len(".part") <= LONGEST_NAME
    part = target.with_name(f"{target.name if fits else 'copying'}.part")
    try:
        shutil.copy2(path, part)
        _follow_umask(part)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    for error in barrier.sync([part]).values():
        raise error
    part.rename(target)
    barrier.add_folder(target.parent)


def _follow_umask(path: Path) -> None:
    """Give a file the rights of its folder, which was made a moment ago: who may run next may read it."""
    with suppress(PermissionError):  # it was moved, and is still somebody else's
        path.chmod(path.parent.stat().st_mode & 0o666)


def _written_now(paths: list[Path]) -> set[Path]:
    """Those of some files that a process of this machine holds open for writing, as far as can be seen.

    Linux shows it for the processes of the same user. Elsewhere nothing is known.
    """
    wanted = {os.path.realpath(path): path for path in paths}
    found: set[Path] = set()
    for link in _open_files() if wanted else ():
        try:
            path = wanted.get(os.readlink(link))  # noqa: PTH115 - a link's text, which need not exist
            if path is not None:
                flags = (link.parent.parent / "fdinfo" / link.name).read_text().split("flags:")[1].split()[0]
                if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                    found.add(path)
        except (OSError, IndexError, ValueError):
            continue
    return found


def _open_files() -> Iterator[Path]:
    """The links to the files that processes hold open; processes that end meanwhile have none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield from [*(folder / "fd").iterdir()]
        except OSError:
            continue


def _name(path: Path, prefix: Path) -> str:
    return path.relative_to(prefix).as_posix()


def _mark(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _mark_or_none(path: Path) -> tuple[int, int] | None:
    try:
        return _mark(path)
    except OSError:
        return None
