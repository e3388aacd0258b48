"""Which files of which sources are to be formatted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from backbone.formatted.loss import NOT_FORMATTED
from backbone.formatted.outstanding import outstanding
from backbone.formatted.source import FormattedSource
from backbone.lake.log import RESTART
from backbone.landing.waiting import Waiting
from backbone.ledger.index import Index
from backbone.ledger.known import Known
from backbone.ledger.manifest import DATASET, Manifest
from backbone.loading import source_settings
from backbone.operations.last_runs import Failed
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
    failures: Collection[Failed] = (),
) -> tuple[Task, ...]:
    """A task for each source with files that are not formatted under its contract and settings of now.

    Parameters
    ----------
    arriving : by source, what is to be landed before.
    failures : of the last runs, of which the notes of the tasks remind.
    """
    tasks = []
    for source in sources:
        part = _part(project, index, manifest, source, (arriving or {}).get(source.name, Waiting()))
        if part is not None:
            if failures:
                notes = _reminders(source, manifest, [failed.error for failed in failures])
                part = replace(part, notes=notes)
            version = project.lake.version(DATASET) + bool(arriving)
            awaits = (DATASET,) if arriving and source.name in arriving else ()
            tasks.append(Task("format", (part,), {DATASET: version}, awaits))
    return tuple(tasks)


def _reminders(source: Source, manifest: Manifest, errors: Sequence[str]) -> tuple[str, ...]:
    """What of a source failed in the last run and is to be formatted again, with the way out."""
    name, notes = source.dataset, []
    if any(e.startswith(f"{name}: ") and NOT_FORMATTED in e.partition("\n")[0] for e in errors):
        notes.append(
            f"{name}: the last run published nothing of it, as files in the table {NOT_FORMATTED}. A run "
            "fails again, unless these have been mended since. To publish without these files: backbone run "
            f"--accept-loss {source.name}"
        )
    refused = [
        batch.name
        for batch in manifest.batches
        if any(error.startswith(f"{name}, batch {batch.batch} ") for error in errors)
    ]
    if refused:
        more = f" and {len(refused) - 1:,} more" if len(refused) > 1 else ""
        notes.append(
            f"{name}: the last run refused {refused[0]}{more}. A run fails again, unless the cause has been "
            f"mended since. To give up such files: backbone run --accept-loss {source.name}"
        )
    return tuple(notes)


def formatted_source(project: Project, source: Source) -> FormattedSource:
    settings = source_settings(project.settings, source)
    return FormattedSource(source.name, source.contract, settings, source.event_time)


def _part(
    project: Project, index: Index, manifest: Manifest, source: Source, arriving: Waiting
) -> Part | None:
    """What is to be formatted of a source; None where nothing is."""
    known = index.batches(source.name)
    files = outstanding(project.lake, formatted_source(project, source), manifest, known)
    waiting = files.waiting
    why = [_reason(known.get(versions[0].batch)) for versions in waiting]
    why += [Reason(NEW)] * (arriving.files + len(arriving.windows))
    reasons = counted(why)
    if not reasons and files.unchanged != set(known):
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
