"""Take over what sources deliver: into persistent landing, then into the manifest.

The order of the steps makes a crash between any two of them harmless. A file first gets its place in
persistent landing, by a rename or by a copy that is renamed when complete, so that what lies there is
always whole, after a power cut too. Only then is it recorded. What lies there and is not recorded is what a
dead run left: the next run adopts it. A second copy of a duplicate is removed last, once the manifest says
that it is one.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.asked import Asked
from backbone.dataset import Batch, Receipt
from backbone.error_log import as_failure, ends_run
from backbone.errors import BackboneError, EngineFailed, SourceUnavailable
from backbone.lake.originals import Originals
from backbone.landing.failures import STATE, file_failure
from backbone.landing.files import TEMPORAL, Sighting, copy_in_place, take_dropped
from backbone.landing.persistent import PERSISTENT, Arrival, Feed, PersistentLanding
from backbone.landing.queries import Reports, extract
from backbone.landing.strays import (
    no_file_warnings,
    old_file_warnings,
    stray_warnings,
    unknown_source_warnings,
)
from backbone.ledger import manifest as manifests
from backbone.ledger.delivered import Delivered, as_delivered
from backbone.ledger.manifest import Manifest, batch_id
from backbone.printable import shown

if TYPE_CHECKING:
    from backbone.engines.duckdb.local_work import LocalWork

Progress = Callable[[str], None]
Digest = tuple[str, int] | Exception


@dataclass
class Landed:
    """What landing did: the batches recorded, the manifest with them, and what failed.

    `failures` has those of sources and of single files, by where they happened; `failed` names the sources
    they belong to. `warnings` are those that no receipt has, as nothing was recorded.
    """

    manifest: Manifest
    batches: list[Batch] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    failures: dict[str, BackboneError] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    waiting: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fail(self, source: str, name: str, error: BackboneError) -> None:
        """Note a failure of one of a source's files, or of the source when `name` is empty."""
        self.failures[f"source {source}" + (f", {shown(name)}" if name else "")] = error
        self.failed.add(source)


def land(
    work: LocalWork,
    feeds: Sequence[Feed],
    asked: Asked,
    sources: Collection[str] | None = None,
    delivered: Callable[[], Mapping[str, Delivered]] = dict,
) -> Landed:
    """Take over all that is ready in the sources, and record it.

    Parameters
    ----------
    feeds : the sources to look at.
    asked : until when windows of query sources count as closed, the range over which they are extracted,
        and whether those are extracted again that have been.
    sources : all sources of the project: folders of others are named in a warning. Every folder is taken
        for a source's when None.
    delivered : gives the hashes with which batches landed once, by which the originals are compared that
        have lost their records.

    Returns
    -------
    What was recorded. A file or source that fails is in `failures`; all others are landed.

    Raises
    ------
    EngineFailed
        When the project's own storage gives up. What was taken over before is recorded, by this run if it
        still can, else by the next.
    """
    started, lake = time.monotonic(), work.lake
    manifests.create(work)
    manifest = manifests.read_manifest(lake, work.database)
    landing = PersistentLanding(lake.project, manifest, lake.barrier)
    result = Landed(manifest)
    unreadable: list[tuple[Arrival, Exception]] = []
    adopted = _batches(list(landing.unrecorded(sources)), landing, manifest, work.originals, unreadable)
    if adopted:
        hashes = delivered()
        adopted = [as_delivered(batch, hashes) for batch in adopted]
    known = Manifest((*manifest.batches, *adopted))
    warnings = _stray_warnings(landing, result, sources)
    arrivals: list[Arrival] = []
    ended: EngineFailed | None = None

    for feed in feeds:
        work.progress(f"land {feed.source}")
        sighting = Sighting(feed.source, lake.project)
        ways = [take_dropped(landing, feed, sighting)]
        if feed.settings.path is not None:
            ways.append(copy_in_place(landing, feed, known, sighting))
        if feed.settings.query is not None:
            reports = Reports(work.progress, warnings.append)
            ways.append(extract(landing, feed, known, asked, reports))
        for way in ways:
            try:
                for arrival in way:
                    arrivals.append(arrival)  # one by one: those before a failure are recorded
            except Exception as error:
                if not ends_run(error):
                    result.fail(feed.source, "", _source_failure(feed.source, error, lake.project))
                elif isinstance(error, OSError):
                    ended = _storage_failed(feed.source, error)
                    break
                else:
                    raise
        for name, failure in sighting.failures.items():
            result.fail(feed.source, name, failure)
        warnings += no_file_warnings(lake.project, feed.source, sighting.no_files)
        warnings += old_file_warnings(lake.project, feed, sighting.too_old)
        result.waiting.extend(sighting.waiting)
        if ended is not None:
            break

    try:
        result.batches = [*adopted, *_batches(arrivals, landing, known, work.originals, unreadable)]
        for arrival, fault in unreadable:
            state = _give_back(arrival, landing)
            failure = file_failure(arrival.source, arrival.name, fault, lake.project, state)
            result.fail(arrival.source, arrival.name, failure)
        _record(work, result, warnings, started)
    except (OSError, BackboneError):
        if ended is None:
            raise
    if ended is not None:
        raise ended
    return result


def _record(work: LocalWork, result: Landed, warnings: list[str], started: float) -> None:
    """Record the batches of a result, which gets the receipt, and remove the copies of duplicates."""
    before = result.manifest.batches
    if not result.batches:
        result.warnings += warnings
        return
    manifest = Manifest((*before, *result.batches))
    seconds = time.monotonic() - started
    result.receipts.append(manifests.record(work, result.batches, seconds, warnings))
    result.manifest = manifest
    if any(batch.status == "duplicate" for batch in result.batches):
        work.lake.barrier.wait()
    _remove_duplicates(work.lake.project, manifest.batches, result.batches)


def _stray_warnings(landing: PersistentLanding, result: Landed, sources: Collection[str] | None) -> list[str]:
    """Warnings of what belongs to no source; folders that can't be listed are failures of theirs."""
    for folder, error in landing.failed.items():
        parts = folder.relative_to(landing.root).parts
        source = parts[0] if parts else ""
        failure = SourceUnavailable(
            f"source {source}" if source else "landing",
            f"expected a folder that can be listed, found: {error.strerror or error} ({shown(folder)})",
            "What a run that died may have left there is not recorded; every other source is processed.",
            "give the user of the run the right to list it, and run again",
        )
        result.fail(source, "" if len(parts) < 2 else parts[1], failure)
    warnings = stray_warnings(landing.project, landing.strays)
    if sources is not None:
        warnings += unknown_source_warnings(landing.project, TEMPORAL, sources)
    return warnings


def _digests(paths: Sequence[Path], originals: Originals) -> list[Digest]:
    """The SHA-256 of each file, in hexadecimal, with its bytes; a file per core. Or what went wrong."""

    def digest(path: Path) -> Digest:
        try:
            return originals.digest(path)
        except Exception as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(digest, paths)
        if paths:
            import pyarrow  # noqa: F401 - recording them needs it, and it loads meanwhile
        return list(digests)


def _batches(
    arrivals: Sequence[Arrival],
    landing: PersistentLanding,
    manifest: Manifest,
    originals: Originals,
    unreadable: list[tuple[Arrival, Exception]],
) -> list[Batch]:
    """Batches for files in persistent landing: new versions, or duplicates of the current one.

    Files that can't be read are added to `unreadable`, with the error.
    """
    current = {key: b.sha256 for key, b in manifest.current().items()}
    batches = []
    arrivals = sorted(arrivals, key=lambda a: a.arrived_at)
    for arrival, digest in zip(arrivals, _digests([a.path for a in arrivals], originals), strict=True):
        if isinstance(digest, Exception):
            if ends_run(digest):
                raise digest
            unreadable.append((arrival, digest))
            continue
        sha256, size = digest
        key = arrival.source, arrival.name
        status = "duplicate" if current.get(key) == sha256 else "landed"
        if status == "duplicate" and arrival.fetched:  # asked for again, and nothing has changed
            landing.clear(arrival.source, arrival.path)
            continue
        current[key] = sha256
        batches.append(
            Batch(
                batch_id(arrival.source, arrival.name, arrival.arrived_at),
                arrival.source,
                arrival.name,
                sha256,
                size,
                arrival.arrived_at,
                arrival.path.relative_to(landing.project).as_posix(),
                status,
                arrival.origin,
                arrival.window_start,
                arrival.window_end,
            )
        )
    return batches


def _give_back(arrival: Arrival, landing: PersistentLanding) -> str:
    """Put a file that can't be read to where the next run looks for it; in which state it is then.

    Left in its place it would be forgotten as soon as a later arrival is recorded, so this comes after all
    arrivals of a run have their places.
    """
    project, path = landing.project, arrival.path
    try:
        if arrival.moved_from is not None and not arrival.moved_from.exists():
            shutil.move(path, arrival.moved_from)
            landing.clear(arrival.source, path)
            return STATE
        if arrival.moved_from is None and not arrival.adopted:
            landing.clear(arrival.source, path)
            return "Its copy is removed, and each run tries it again; every other file is processed."
        _, place = landing.place(arrival.source, arrival.name)
        path.rename(place)
        landing.clear(arrival.source, path)
    except OSError as error:
        if ends_run(error):
            raise
        place = path
    return (
        f"It is in {shown(place.relative_to(project))} and not recorded, and each run tries it again; "
        "every other file is processed."
    )


def _remove_duplicates(project: Path, recorded: Sequence[Batch], new: Sequence[Batch]) -> None:
    """Remove the copies that the manifest calls duplicates; those of a dead run among them."""
    for batch in recorded if new else ():
        if batch.status == "duplicate":
            path = project / batch.path
            with suppress(OSError):  # what can't be removed is not read either
                path.unlink(missing_ok=True)
                for folder in path.relative_to(project / PERSISTENT / batch.source).parents[:-1]:
                    (project / PERSISTENT / batch.source / folder).rmdir()


def _source_failure(source: str, error: Exception, project: Path) -> BackboneError:
    return as_failure(f"source {source}", error, project, "What was taken over before stays.")


def _storage_failed(source: str, error: OSError) -> EngineFailed:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    place = f" ({shown(error.filename)})" if isinstance(error.filename, str) else ""
    return EngineFailed(
        f"source {source}",
        f"{error.strerror or error}{place}",
        "The run ends here. What was taken over before stays; nothing of this file is recorded.",
        "free some space and run again" if full else "mend the storage and run again",
    )
