"""Do a repair, under the project's lock.

Nothing is deleted: what is damaged or unexpected is moved to `.backbone/damaged`. Originals stay in place.
Rows that are lost are only marked as such: the next run formats and computes them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from backbone.dataset import Receipt
from backbone.lake.data_files import logged_files
from backbone.lake.drop_files import drop_files, put_file_aside
from backbone.lake.finding import What
from backbone.lake.log import CHECKPOINT, RESTART
from backbone.lake.restart import put_checkpoint_aside
from backbone.ledger.index import Index
from backbone.ledger.refold import refold
from backbone.ledger.restore_pins import restore_pins, restored_lines
from backbone.ledger.tables import is_indexed
from backbone.perform import Session, Waits, open_session
from backbone.planning.formats import formatted_source
from backbone.printable import shown
from backbone.project import Progress, Project
from backbone.repair.check import Checked, check
from backbone.repair.losses import Loss
from backbone.repair.plan import Does, RepairPlan, RepairStep, plan_repair
from backbone.repair.restore_manifest import restore_manifest
from backbone.repair.restore_source import restore_source
from backbone.repair.restore_table import restore_table
from backbone.upkeep.leave_out_commits import leave_out_commits
from backbone.upkeep.mend_logs import as_ranges, ledger_warnings, mend_logs


@dataclass
class Repaired:
    """What a repair did, a sentence each, and the plan that it followed, with what it can't mend.

    `losses` are among the sentences.
    """

    plan: RepairPlan
    done: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)


def repair(
    project: Project,
    *,
    deep: bool = False,
    progress: Progress = lambda text: None,
    waits: Waits | None = None,
) -> Repaired:
    """Mend what a check finds, as far as it can be made again from what is left.

    Parameters
    ----------
    deep : also what only a deep check finds.

    Raises
    ------
    ProjectLocked
        When another process holds the lock for longer than may be waited.
    """
    with open_session(project, progress, waits or Waits()) as session:
        if len(session.warnings) > len(ledger_warnings(session.index)):
            # Logs have just been mended: the check is not to miss their lost commits again.
            session.index.write()
            written = Index(project.lake, session.database, session.scratch)
            written.update()
            session = replace(session, index=written)
        checked = check(project, deep=deep, alone=True, progress=progress)
        plan = plan_repair(project, checked)
        done = [*session.warnings]
        checked.losses.clear()  # foreseen ones: the steps find what is lost indeed
        for step in plan.steps:
            progress(str(step))
            done += _DO[step.does](session, step, checked)
        session.index.update()
        session.index.write()
    return Repaired(plan, done, checked.losses)


def _log(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    done = []
    for finding in step.findings:
        name = CHECKPOINT.fullmatch(finding.where.rpartition("/")[2])
        if name is not None:
            put_checkpoint_aside(session.project.lake, step.of, int(name[1]))
            done.append(f"{finding.where}: put aside, in .backbone/damaged")
        elif finding.what == What.LOG:  # the run's own mending has left it
            session.index.give_up(step.of, f"expected {finding.expected}, found {finding.found}")
            sources = {source.name for source, _ in session.project.sources}
            done += mend_logs(session.work, session.index, sources)
    return done


def _old_commits(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    warning = leave_out_commits(session.work, session.index, step.of)
    return [warning] if warning else []


def _ledger(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    if session.index.broken or session.index.missing:
        return []  # it is made again already, and written at the end
    session.index.rebuild()
    return ["operations: the ledger is made again from the receipts in the logs"]


def _commits(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    receipt = Receipt(session.run_id, RESTART, step.of, "")
    drop_files(session.project.lake, _damaged(session, step), receipt)
    count = refold(session.work, session.index.broken)
    done = [f"{step.of}: {count:,} receipts are folded again from the ledger"]
    for dataset in session.project.lake.datasets():
        lost = session.index.folded.history(dataset).lost if is_indexed(dataset) else ()
        if lost:
            done.append(f"Lost: {dataset}: the receipts of versions {as_ranges(lost)}")
    return done


def _pins(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    lake, damaged = session.project.lake, _damaged(session, step)
    rows = [file.rows for file in logged_files(lake, step.of)[1] if file.path in damaged]
    count = sum(row for row in rows if row is not None)
    drop_files(lake, damaged, Receipt(session.run_id, RESTART, step.of, ""))
    return [
        f"Lost: {step.of}: {count:,} pins that its damaged files held",
        *(f"{step.of}: {line}" for line in restored_lines(restore_pins(session.work), count)),
    ]


def _runs(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    if "run" not in session.index.broken:  # else it is mended when the ledger is written
        drop_files(session.project.lake, _damaged(session, step), Receipt("", RESTART, step.of, ""))
    return [f"{step.of}: what its damaged files recorded of earlier runs is lost"]


def _manifest(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    # Those that the next run would record too: it looks after the last that is recorded.
    arrivals = [*checked.unrecorded.lost, *checked.unrecorded.later]
    delivered = session.index.delivered()
    return restore_manifest(session.work, _damaged(session, step), arrivals, delivered)


def _source(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    source = next(source for source, _ in session.project.sources if source.name == step.of)
    formatted = formatted_source(session.project, source)
    damaged = _damaged(session, step)
    done, lost = restore_source(session.work, session.index, session.landed(), formatted, damaged)
    checked.losses.extend(lost)
    return done


def _table(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    model = session.project.models[step.of]
    return restore_table(session.work, session.index, model, _damaged(session, step))


def _aside(session: Session, step: RepairStep, checked: Checked) -> list[str]:
    place = put_file_aside(session.project.lake, session.project.root / step.of)
    if place is None:
        return []
    now = place.relative_to(session.project.root).as_posix()
    return [f"{shown(step.of)}: is now {shown(now)}"]


def _damaged(session: Session, step: RepairStep) -> list[str]:
    root = session.project.root
    return [str(root / finding.where) for finding in step.findings if finding.what == What.DATA]


_DO: Mapping[Does, Callable[[Session, RepairStep, Checked], list[str]]] = {
    Does.LOG: _log,
    Does.COMMITS: _commits,
    Does.OLD_COMMITS: _old_commits,
    Does.PINS: _pins,
    Does.LEDGER: _ledger,
    Does.RUNS: _runs,
    Does.MANIFEST: _manifest,
    Does.SOURCE: _source,
    Does.TABLE: _table,
    Does.ASIDE: _aside,
}
