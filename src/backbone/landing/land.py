"""Take over what sources deliver: into persistent landing, then into the manifest.

The order of the steps makes a crash between any two of them harmless. A file first gets its place in
persistent landing, by a rename or by a copy that is renamed when complete, so that what lies there is
always whole. Only then is it recorded. What lies there and is not recorded is what a dead run left: the
next run adopts it. A second copy of a duplicate is removed last, once the manifest says that it is one.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.dataset import Batch, Receipt
from backbone.errors import BackboneError
from backbone.landing import manifest as manifests
from backbone.landing.files import Sighting, copy_in_place, take_dropped
from backbone.landing.manifest import Manifest, batch_id
from backbone.landing.persistent import PERSISTENT, Arrival, Feed, PersistentLanding
from backbone.landing.queries import extract

if TYPE_CHECKING:
    from backbone.engines.protocol import Engine
    from backbone.lake.table import Lake

Progress = Callable[[str], None]


@dataclass
class Landed:
    """What landing did: the batches recorded, the manifest with them, and the sources that failed."""

    manifest: Manifest
    batches: list[Batch] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    failures: dict[str, BackboneError] = field(default_factory=dict)
    waiting: list[Path] = field(default_factory=list)


def land(
    lake: Lake,
    engine: Engine,
    feeds: Sequence[Feed],
    *,
    run_id: str,
    scratch: Path,
    now: datetime,
    extract_from: datetime | None = None,
    extract_to: datetime | None = None,
    force: bool = False,
    progress: Progress = lambda text: None,
) -> Landed:
    """Take over all that lies ready in the sources, and record it.

    Parameters
    ----------
    feeds : the sources to look at.
    now : until when windows of query sources count as closed.
    extract_from, extract_to : widen the range that query sources extract.
    force : extract windows again that have been extracted.

    Returns
    -------
    What was recorded. A source that fails is told in `failures`; the others are landed.
    """
    started = time.monotonic()
    manifests.create(lake, engine, scratch)
    manifest = manifests.read_manifest(lake, engine)
    landing = PersistentLanding(lake.project, manifest)
    result = Landed(manifest)
    adopted = _batches(list(landing.unrecorded()), lake.project, manifest)
    known = Manifest((*manifest.batches, *adopted))
    arrivals: list[Arrival] = []
    for feed in feeds:
        sighting = Sighting()
        progress(f"land {feed.source}")
        found: list[Arrival] = []
        try:
            for arrival in take_dropped(landing, feed, sighting):
                found.append(arrival)
            if feed.settings.path is not None:
                for arrival in copy_in_place(landing, feed, known, sighting):
                    found.append(arrival)
            if feed.settings.query is not None:
                for arrival in extract(
                    landing,
                    feed,
                    known,
                    now=now,
                    start=extract_from,
                    end=extract_to,
                    force=force,
                    progress=progress,
                ):
                    found.append(arrival)
        except BackboneError as error:
            result.failures[feed.source] = error
        except OSError as error:
            result.failures[feed.source] = _io_error(feed.source, error)
        if sighting.misnamed:
            result.failures[feed.source] = _misnamed(feed.source, sighting.misnamed)
        result.waiting.extend(sighting.waiting)
        arrivals.extend(found)

    result.batches = [*adopted, *_batches(arrivals, lake.project, known)]
    if result.batches:
        result.receipts.append(
            manifests.record(lake, engine, result.batches, run_id, scratch, time.monotonic() - started)
        )
        result.manifest = Manifest((*manifest.batches, *result.batches))
    _remove_duplicates(lake.project, [*manifest.batches, *result.batches], result.batches)
    return result


def _digests(paths: Sequence[Path]) -> list[str]:
    """The SHA-256 of each file, in hexadecimal, a file per core."""

    def digest(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(digest, paths)
        if paths:
            import pyarrow  # noqa: F401 - recording them needs it, and it loads meanwhile
        return list(digests)


def _batches(arrivals: Sequence[Arrival], project: Path, manifest: Manifest) -> list[Batch]:
    """Batches for files in persistent landing: new versions, or duplicates of the current one."""
    current = {key: b.sha256 for key, b in manifest.current().items()}
    batches = []
    arrivals = sorted(arrivals, key=lambda a: a.arrived_at)
    for arrival, sha256 in zip(arrivals, _digests([a.path for a in arrivals]), strict=True):
        key = arrival.source, arrival.name
        status = "duplicate" if current.get(key) == sha256 else "landed"
        if status == "duplicate" and arrival.fetched:  # asked for again, and nothing has changed
            arrival.path.unlink()
            _remove_empty(arrival.path.parent, project / PERSISTENT / arrival.source)
            continue
        current[key] = sha256
        batches.append(
            Batch(
                batch_id(arrival.source, arrival.name, arrival.arrived_at),
                arrival.source,
                arrival.name,
                sha256,
                arrival.path.stat().st_size,
                arrival.arrived_at,
                arrival.path.relative_to(project).as_posix(),
                status,
                arrival.origin,
                arrival.window_start,
                arrival.window_end,
            )
        )
    return batches


def _remove_duplicates(project: Path, recorded: Sequence[Batch], new: Sequence[Batch]) -> None:
    """Remove the copies that the manifest calls duplicates; those of a dead run among them."""
    for batch in recorded if new else ():
        if batch.status == "duplicate":
            path = project / batch.path
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, project / PERSISTENT / batch.source)


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _misnamed(source: str, paths: Sequence[Path]) -> BackboneError:
    names = ", ".join(repr(os.fsencode(path.name))[1:] for path in paths[:3])
    return BackboneError(
        f"source {source}",
        f"expected file names in UTF-8, found {names}",
        "They are left where they are; the source's other files are landed.",
        "rename them",
    )


def _io_error(source: str, error: OSError) -> BackboneError:
    import errno

    full = error.errno == errno.ENOSPC
    return BackboneError(
        f"source {source}",
        f"{error.strerror or error} ({error.filename})" if error.filename else str(error),
        "What was taken over before stays; nothing of this file is recorded.",
        "free some space and run again" if full else "mend the access to it and run again",
    )
