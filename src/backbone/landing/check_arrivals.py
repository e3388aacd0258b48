"""What is in persistent landing and not recorded: left by a dead run, lost from the manifest, or a stray."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from backbone.lake.finding import REPAIR, RUN, Finding, What
from backbone.lake.unexpected import of_left, of_stray
from backbone.landing.names import is_text
from backbone.landing.persistent import PERSISTENT, Arrival, arrival_of_name, origin_of, window_of_name
from backbone.ledger.manifest import DATASET, Manifest, batch_id
from backbone.printable import shown


@dataclass
class Unrecorded:
    """Files in persistent landing without a record.

    Attributes
    ----------
    later : those that arrived after all that are recorded: the next run records them.
    lost : those of which the ledger knows that they were recorded once.
    left : half-written ones, which the next run removes.
    strays : everything else.
    """

    later: list[Arrival] = field(default_factory=list)
    lost: list[Arrival] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)
    strays: list[Path] = field(default_factory=list)

    def findings(self, project: Path) -> Iterator[Finding]:
        for arrivals, next_step in ((self.later, RUN), (self.lost, REPAIR)):
            for arrival in arrivals:
                yield Finding(
                    What.UNRECORDED,
                    DATASET,
                    shown(arrival.path.relative_to(project).as_posix()),
                    f"a record in {DATASET}",
                    "none",
                    "The original is there; it is not formatted without a record.",
                    next_step,
                )
        yield from (of_left(project, path, RUN) for path in self.left)
        yield from (of_stray(project, path) for path in self.strays)


def unrecorded_files(
    project: Path, manifest: Manifest, sources: Collection[str], known: Collection[str], *, damaged: bool
) -> Unrecorded:
    """What is in persistent landing and not in the manifest.

    Parameters
    ----------
    sources : the project's.
    known : the batches that the ledger knows.
    damaged : whether the manifest has lost records, so that every file in its place may be one of them.
    """
    found = Unrecorded()
    root = project / PERSISTENT
    recorded = {batch.path for batch in manifest.batches}
    names = {*sources, *(batch.source for batch in manifest.batches)}
    last = max((batch.arrived_at for batch in manifest.batches), default=datetime.min.replace(tzinfo=UTC))
    for source in _listed(root):
        if not _is_folder(source) or source.name not in names:
            found.strays.append(source)
            continue
        for folder in _listed(source):
            arrived_at = arrival_of_name(folder.name)
            if arrived_at is None or not _is_folder(folder):
                found.strays.append(folder)
                continue
            for path in _files(folder):
                if path.relative_to(project).as_posix() in recorded:
                    continue
                name = path.relative_to(folder).as_posix()
                if name.endswith(".part"):
                    found.left.append(path)
                elif path.is_symlink() or not path.is_file() or not is_text(name):
                    found.strays.append(path)
                else:
                    arrival = Arrival(
                        source.name,
                        name,
                        arrived_at,
                        path,
                        origin_of(path),
                        *window_of_name(name),
                        adopted=True,
                    )
                    if damaged or batch_id(source.name, name, arrived_at) in known:
                        found.lost.append(arrival)
                    elif arrived_at > last:
                        found.later.append(arrival)
                    else:
                        found.strays.append(path)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for inner, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(inner) / name


def _listed(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / name for name in sorted(e.name for e in entries) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
