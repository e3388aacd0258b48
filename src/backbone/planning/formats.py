"""Which files of which sources are to be formatted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backbone.formatted.format import PASSED_OVER
from backbone.formatted.source import FormattedSource
from backbone.lake.restart import RESTART
from backbone.landing.waiting import Waiting
from backbone.ledger.index import Index
from backbone.ledger.known import Known
from backbone.ledger.manifest import DATASET, Manifest
from backbone.loading import source_settings
from backbone.operations.reasons import DAMAGE, NEW, SETTINGS, UNFINISHED, Reason
from backbone.operations.staleness import counted
from backbone.pipeline import Source
from backbone.planning.task import Part, Task
from backbone.project import Project


def plan_formats(
    project: Project,
    index: Index,
    manifest: Manifest,
    sources: Iterable[Source],
    arriving: Mapping[str, Waiting] | None = None,
) -> tuple[Task, ...]:
    """A task for each source with files that are not formatted under its contract and settings of now.

    Parameters
    ----------
    arriving : by source, what is to be landed before.
    """
    tasks = []
    for source in sources:
        part = _part(project, index, manifest, source, (arriving or {}).get(source.name, Waiting()))
        if part is not None:
            version = project.lake.version(DATASET) + bool(arriving)
            awaits = (DATASET,) if arriving and source.name in arriving else ()
            tasks.append(Task("format", (part,), {DATASET: version}, awaits))
    return tuple(tasks)


def formatted_source(project: Project, source: Source) -> FormattedSource:
    settings = source_settings(project.settings, source)
    return FormattedSource(source.name, source.contract, settings, source.event_time)


def _part(
    project: Project, index: Index, manifest: Manifest, source: Source, arriving: Waiting
) -> Part | None:
    """What is to be formatted of a source; None where nothing is."""
    formatted = formatted_source(project, source)
    fingerprint = formatted.fingerprint
    known = index.batches(source.name)
    in_force = {batch for batch, was in known.items() if was.fingerprint == fingerprint}
    files = manifest.versions(source.name, formatted.settings.redelivery)
    current = {versions[0].batch for versions in files} & in_force
    waiting = [versions for versions in files if versions[0].batch not in current]
    if waiting:
        passed = _passed_over(project, source.dataset, fingerprint)
        waiting = [versions for versions in waiting if versions[0].batch not in passed]
    why = [_reason(known.get(versions[0].batch)) for versions in waiting]
    why += [Reason(NEW)] * (arriving.files + len(arriving.windows))
    reasons = counted(why)
    if not reasons and current != set(known):
        reasons = (Reason(SETTINGS),)
    if not reasons and not project.lake.exists(source.dataset):
        reasons = (Reason(NEW),)
    if not reasons and index.revived_left(source.name):
        reasons = (Reason(UNFINISHED),)
    if not reasons:
        return None
    size = sum(versions[0].bytes for versions in waiting) + arriving.bytes
    return Part(source.dataset, reasons, source=source.name, files=len(why), bytes=size)


def _reason(known: Known | None) -> Reason:
    """Why a file is to be formatted of which this is known."""
    if known is None:
        return Reason(NEW)
    return Reason(DAMAGE if known.fingerprint == RESTART else SETTINGS)


def _passed_over(project: Project, dataset: str, fingerprint: str) -> set[str]:
    """The batches that a run has gone on without, under this contract and these settings."""
    receipt = project.lake.last_receipt(dataset)
    if receipt is None or receipt.fingerprint != fingerprint:
        return set()
    return {*receipt.remembered.get(PASSED_OVER, ())}
