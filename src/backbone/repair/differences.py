"""What `status` sees of damage at a glance: the ends of files, and rows by the logs against the receipts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from backbone.engines.duckdb.database import Database
from backbone.errors import BackboneError
from backbone.home import HOME
from backbone.lake.data_files import lost_files
from backbone.lake.finding import Finding
from backbone.lake.lock import is_locked
from backbone.lake.table import Lake
from backbone.landing.check_arrivals import unrecorded_files
from backbone.ledger.compare import compare_account
from backbone.ledger.index import Index
from backbone.ledger.manifest import DATASET, Manifest, read_manifest
from backbone.project import Project
from backbone.repair.lost_batches import has_lost_batches, lost_batches

MEND = "backbone check shows all that is damaged; backbone repair shows what mends it"
MOST_NAMED = 3


def lost_data(lake: Lake, skipped: Collection[str]) -> dict[str, BackboneError]:
    """By table, the data files that are gone, have another length or other ends.

    Parameters
    ----------
    skipped : tables whose logs are damaged.
    """
    found = {}
    for dataset in lake.datasets():
        if dataset in skipped or not lost_files(lake, dataset):
            continue
        lost = lost_files(Lake(lake.project), dataset)  # a commit may have replaced them
        named = ", ".join(
            f"expected {expected} in {Path(file.path).name}, found {there}"
            for file, (expected, there) in lost[:MOST_NAMED]
        )
        more = f", and {len(lost) - MOST_NAMED:,} more" if len(lost) > MOST_NAMED else ""
        if lost:
            state = "What reads the table fails."
            found[dataset] = BackboneError(dataset, f"{named}{more}", state, MEND)
    return found


def other_accounts(
    project: Project, database: Database, index: Index, skipped: Collection[str]
) -> list[BackboneError]:
    """The tables that hold other rows by their logs than by the receipts.

    A run publishes a source's tables one after another: what differs while one is writing is no finding.
    """
    found = [*_accounts(project, project.lake, index, skipped)]
    if not found or is_locked(project.root / HOME):
        return []
    lake = Lake(project.root)
    again = Index(lake, database, project.scratch("again"))
    again.update()
    there = {finding.dataset for finding in _accounts(project, lake, again, skipped)}
    return [finding.error() for finding in found if finding.dataset in there]


def batches_not_landed(
    project: Project, database: Database, index: Index, manifest: Manifest
) -> list[BackboneError]:
    """The batches in tables of which landing has neither a record nor an original.

    While a run is writing, none: it may have recorded them since.
    """
    sources = {source.name for source, _ in project.sources}
    if not has_lost_batches(index, manifest, sources) or is_locked(project.root / HOME):
        return []
    lake = Lake(project.root)
    again = Index(lake, database, project.scratch("again"))
    again.update()
    manifest = read_manifest(lake, database)
    known = {batch for source in sources for batch in again.batches(source)}
    unrecorded = unrecorded_files(project.root, manifest, sources, known, damaged=not lake.exists(DATASET))
    there = [*unrecorded.lost, *unrecorded.later]
    return [finding.error() for finding in lost_batches(again, manifest, there, sources)]


def _accounts(project: Project, lake: Lake, index: Index, skipped: Collection[str]) -> Iterator[Finding]:
    for source, _ in project.sources:
        yield from (f for f in compare_account(lake, index, source.name) if f.dataset not in skipped)
