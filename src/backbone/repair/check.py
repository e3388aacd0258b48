"""Look at all that a project has stored: is it as it was written?

No lock is taken. Each table is looked at at one version, and what seems to be damaged is looked at again, so
that what a run publishes meanwhile is no finding. What can't be judged while a run is writing is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.local_work import LocalWork
from backbone.errors import BackboneError, StorageRefused, TableDamaged
from backbone.home import HOME
from backbone.lake.check import check_table
from backbone.lake.data_files import content_problem, logged_files
from backbone.lake.finding import DEEP_REPAIR, REPAIR, RUN, Finding, What, both_parts
from backbone.lake.lock import is_locked
from backbone.lake.log import RESTART
from backbone.lake.table import Lake
from backbone.lake.unexpected import unexpected
from backbone.landing.check_arrivals import Unrecorded, unrecorded_files
from backbone.landing.check_originals import check_originals
from backbone.ledger.check_commits import check_commits
from backbone.ledger.check_facts import compare_facts
from backbone.ledger.check_pins import check_pins
from backbone.ledger.compare import PARTS, compare_account, compare_batches
from backbone.ledger.index import Index
from backbone.ledger.manifest import DATASET as MANIFEST
from backbone.ledger.manifest import Manifest, batch_id, read_manifest
from backbone.ledger.pins import Pin, pins
from backbone.ledger.tables import OF_RECEIPTS
from backbone.planning.formats import formatted_source
from backbone.project import Progress, Project
from backbone.repair.losses import Loss, losses
from backbone.repair.lost_batches import lost_batches
from backbone.repair.restore_source import to_redo

UNSETTLED = (What.LEFT, What.UNRECORDED, What.BATCH, What.ACCOUNT, What.LEDGER, What.OLD_COMMIT)
"""What a run that is writing now would explain."""


@dataclass
class Checked:
    """What was looked at, and what was found.

    Attributes
    ----------
    is_busy : whether a run was writing, so that accounts and what belongs to no table were not judged.
    unrecorded : what lies in persistent landing without a record.
    losses : rows that are gone and can't be formatted again.
    reduced : originals that are damaged after rows of theirs were lost, by path.
    """

    files: int = 0
    tables: int = 0
    originals: int = 0
    findings: list[Finding] = field(default_factory=list)
    is_busy: bool = False
    unrecorded: Unrecorded = field(default_factory=Unrecorded)
    losses: list[Loss] = field(default_factory=list)
    reduced: set[str] = field(default_factory=set)

    @property
    def is_whole(self) -> bool:
        return not self.findings


def check(
    project: Project,
    *,
    deep: bool = False,
    alone: bool = False,
    progress: Progress = lambda text: None,
) -> Checked:
    """Compare what is stored with what the logs, the manifest and the receipts say of it.

    Parameters
    ----------
    deep : read all rows and all originals, and compare the ledger with all receipts.
    alone : whether the caller holds the project's lock, so that nobody else writes.
    """
    found = Checked()
    with _reading(project, deep=deep) as (lake, database, index):
        found.findings += _logs(project, lake, index)
        found.findings += _of_index(index)
        damaged = {finding.dataset for finding in found.findings}
        for dataset in lake.datasets():
            looked = check_table(lake, dataset, progress, deep=deep)
            found.files += looked.files
            found.tables += 1
            known = [f for f in looked.findings if not _is_known(f, found.findings)]
            found.findings += known
        found.findings += check_commits(lake, index)
        manifest = _manifest(lake, database, found)
        progress("check originals")
        found.originals = sum(batch.status == "landed" for batch in manifest.batches)
        found.findings += check_originals(project.root, manifest, progress, deep=deep)
        found.findings += _of_accounts(project, lake, database, index, found, deep=deep)
        progress("check the zones")
        unclear = _check_pins(lake, database, found, deep=deep)
        found.findings += unexpected(lake, damaged, export_folders(project), unclear)
        found.unrecorded = _unrecorded(project, lake, index, manifest, found.findings)
        found.findings += _of_landing(project, index, manifest, found.unrecorded, found.findings)
        found.losses += _losses(project, lake, database, index, manifest, found)
        restarted = {
            batch
            for source, _ in project.sources
            for batch, was in index.batches(source.name).items()
            if was.fingerprint == RESTART
        }
        found.reduced |= {batch.path for batch in manifest.batches if batch.batch in restarted}
        damaged_logs = any(f.what in (What.LOG, What.OLD_COMMIT) for f in found.findings)
        if deep and not (index.broken or index.missing or damaged_logs):
            progress("check the ledger")
            found.findings += compare_facts(lake, database)
    if not alone:
        _settle(project, found, deep=deep)
    return found


@contextmanager
def _reading(project: Project, *, deep: bool = False) -> Iterator[tuple[Lake, Database, Index]]:
    """The tables as they are now, and the ledger brought up to date in memory."""
    name = f"reader-{os.getpid()}"
    with project.database(name) as database:
        lake = Lake(project.root)
        index = Index(lake, database, project.scratch(name))
        for table in OF_RECEIPTS if deep else ():
            problem = _content_problem(lake, f"operations.{table}")
            if problem and table not in index.broken:
                index.distrust(table, problem)
        index.update()
        yield lake, database, index


def _content_problem(lake: Lake, dataset: str) -> str:
    if not lake.exists(dataset):
        return ""
    for file in logged_files(lake, dataset)[1]:
        problem = content_problem(file)
        if problem is not None:
            return f"expected {problem[0]}, found {problem[1]} ({Path(file.path).name})"
    return ""


def _settle(project: Project, found: Checked, *, deep: bool) -> None:
    """Take out what a run explains that is writing now, or has ended since it was looked at."""
    if all(finding.what not in UNSETTLED for finding in found.findings):
        return
    found.is_busy = is_locked(project.root / HOME)
    if found.is_busy:
        found.findings = [finding for finding in found.findings if finding.what not in UNSETTLED]
        return
    # No run is writing, and what one wrote up to now is in the logs: what is found again is no half of a run.
    with _reading(project, deep=deep) as (lake, database, index):
        again = Checked()
        again.findings += _of_index(index)
        again.findings += check_commits(lake, index)
        manifest = _manifest(lake, database, again)
        again.findings += _of_accounts(project, lake, database, index, found, deep=deep)
        damaged = {f.dataset for f in found.findings if f.what == What.LOG}
        unclear = {f.dataset for f in found.findings if f.what == What.PIN}
        again.findings += unexpected(lake, damaged, export_folders(project), unclear)
        unrecorded = _unrecorded(project, lake, index, manifest, found.findings)
        again.findings += _of_landing(project, index, manifest, unrecorded, found.findings)
        if deep and not index.broken and not index.missing:
            again.findings += compare_facts(lake, database)
    there = {(finding.what, finding.where) for finding in again.findings}
    found.findings = [
        finding
        for finding in found.findings
        if finding.what not in UNSETTLED or (finding.what, finding.where) in there
    ]


def _logs(project: Project, lake: Lake, index: Index) -> list[Finding]:
    """The damaged logs, as they are seen twice: a run may be mending them, or be in the middle of it."""
    damages = [damage for damage in index.damages if damage.old < 0]
    if not damages:
        return []
    with _reading(project) as (_, _, again):
        there = {(damage.dataset, damage.problem) for damage in again.damages}
    found = []
    for damage in damages:
        if (damage.dataset, damage.problem) not in there:
            lake.forget(damage.dataset)
            continue
        what = What.CHECKPOINT if damage.checkpoint >= 0 else What.LOG
        parts = both_parts(damage.problem)
        found.append(Finding(what, damage.dataset, damage.dataset, *parts, damage.error().state, RUN))
    return found


def _of_index(index: Index) -> Iterator[Finding]:
    """The tables of the ledger that are gone or can't be read."""
    for table, broken in index.broken.items():
        next_step = DEEP_REPAIR if table in index.distrusted else RUN
        yield _of_ledger(f"operations.{table}", broken.problem, next_step)
    for dataset in index.missing:
        yield _of_ledger(dataset, "expected a table of the ledger, found none", RUN)


def _of_ledger(dataset: str, problem: str, next_step: str) -> Finding:
    state = "It is an index over the receipts, which are in the logs of the tables."
    return Finding(What.LEDGER, dataset, dataset, *both_parts(problem), state, next_step)


def _is_known(finding: Finding, before: list[Finding]) -> bool:
    """Whether a table's damaged log or ledger says the same already."""
    if finding.what not in (What.CHECKPOINT, What.LOG):
        return False
    return any(other.dataset == finding.dataset for other in before)


def _manifest(lake: Lake, database: Database, found: Checked) -> Manifest:
    """The records that can be read; the damaged files are findings already."""
    damaged = {
        str(lake.project / finding.where)
        for finding in found.findings
        if finding.what == What.DATA and finding.dataset == MANIFEST
    }
    try:
        return read_manifest(lake, database, damaged)
    except StorageRefused:
        raise
    except BackboneError as error:
        if all(finding.dataset != MANIFEST for finding in found.findings):
            found.findings.append(
                Finding(What.LOG, MANIFEST, MANIFEST, "to read it", error.problem, error.state, REPAIR)
            )
        return Manifest(())


def _check_pins(lake: Lake, database: Database, found: Checked, *, deep: bool) -> set[str]:
    """Look at the pinned versions; returns the tables that have lost one."""
    findings = list(check_pins(lake, _pins(lake, database), deep=deep))
    if findings:  # one may have been let go of, and what it named have been removed
        still = {pin.removal for pin in _pins(Lake(lake.project), database)}
        findings = [finding for finding in findings if finding.next_step in still]
    named = {finding.where for finding in findings}
    found.findings = [f for f in found.findings if f.what != What.OLD_DATA or f.where not in named]
    found.findings += findings
    return {finding.dataset for finding in findings}


def _pins(lake: Lake, database: Database) -> list[Pin]:
    """The pins, as far as they can be read; a damaged file of them is a finding of its table."""
    try:
        return pins(lake, database)
    except BackboneError:
        return []


def _unrecorded(
    project: Project, lake: Lake, index: Index, manifest: Manifest, findings: list[Finding]
) -> Unrecorded:
    sources = {source.name for source, _ in project.sources}
    known = {batch for source in sources for batch in index.batches(source)}
    is_damaged = any(
        f.dataset == MANIFEST and f.what in (What.DATA, What.LOG, What.CHECKPOINT) for f in findings
    )
    is_damaged = is_damaged or not lake.exists(MANIFEST)
    return unrecorded_files(project.root, manifest, sources, known, damaged=is_damaged)


def _of_landing(
    project: Project, index: Index, manifest: Manifest, unrecorded: Unrecorded, findings: list[Finding]
) -> Iterator[Finding]:
    """What landing has no record of: originals, and batches whose originals are gone too."""
    # Which originals have no record is known when the log is mended; the run that does so records them.
    if all(f.dataset != MANIFEST or f.what not in (What.LOG, What.CHECKPOINT) for f in findings):
        yield from unrecorded.findings(project.root)
    there = [*unrecorded.lost, *unrecorded.later]
    yield from lost_batches(index, manifest, there, {source.name for source, _ in project.sources})


def _of_accounts(
    project: Project, lake: Lake, database: Database, index: Index, found: Checked, *, deep: bool
) -> Iterator[Finding]:
    """The sources whose tables hold other rows than the receipts say."""
    damaged = {finding.dataset.partition(".")[2] for finding in found.findings if finding.what == What.DATA}
    unclear = {f.dataset.partition(".")[2] for f in found.findings if f.what in (What.LOG, What.CHECKPOINT)}
    for source, _ in project.sources:
        if source.name in unclear:
            continue
        differences = compare_account(lake, index, source.name)
        yield from differences
        if deep and not differences and source.name not in damaged:
            yield from compare_batches(lake, database, index, source.name)


def _losses(
    project: Project, lake: Lake, database: Database, index: Index, manifest: Manifest, found: Checked
) -> Iterator[Loss]:
    """What a repair would find to be lost of the sources whose tables are damaged."""
    work = LocalWork(lake, database, project.scratch(f"reader-{os.getpid()}"))
    arrivals = [*found.unrecorded.lost, *found.unrecorded.later]
    adopted = {batch_id(a.source, a.name, a.arrived_at) for a in arrivals}
    for source, _ in project.sources:
        tables = {f"{zone}.{source.name}" for zone in PARTS}
        of_source = [f for f in found.findings if f.dataset in tables]
        if not any(f.what in (What.DATA, What.ACCOUNT) for f in of_source):
            continue
        if any(f.what in (What.LOG, What.CHECKPOINT) for f in of_source):
            continue  # which rows are there is known when the log is mended
        damaged = [str(lake.project / f.where) for f in of_source if f.what == What.DATA]
        with suppress(TableDamaged):  # by what only a deep check finds
            redone = to_redo(work, index, formatted_source(project, source), damaged)
            yield from losses(lake.project, index, manifest, source.name, redone, adopted)


def export_folders(project: Project) -> set[Path]:
    """The folders that lists are written to."""
    return {
        project.root / place
        for loaded in project.pipelines
        for export in loaded.pipeline.exports
        if (place := loaded.parameters[export.parameter])
    }


def summary(found: Checked) -> str:
    """What was looked at, as a sentence.

    Examples
    --------
    >>> summary(Checked(files=1234, tables=21, originals=40))
    '1,234 files of 21 tables and 40 originals are whole.'
    """
    files = "1 file" if found.files == 1 else f"{found.files:,} files"
    tables = "1 table" if found.tables == 1 else f"{found.tables:,} tables"
    originals = "1 original" if found.originals == 1 else f"{found.originals:,} originals"
    if found.is_whole:
        return f"{files} of {tables} and {originals} are whole."
    count = len(found.findings)
    return f"{count:,} finding{'' if count == 1 else 's'} in {files} of {tables} and {originals}."
