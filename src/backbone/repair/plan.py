"""What a repair would do about the findings of a check, and what it can't mend."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backbone.dataset import Dataset
from backbone.lake.finding import MAINTAIN, RUN, Finding, What
from backbone.ledger.manifest import DATASET as MANIFEST
from backbone.printable import shown
from backbone.project import Project
from backbone.repair.check import Checked
from backbone.repair.losses import Loss


class Does(StrEnum):
    """What a step does; in the order in which steps are done."""

    LOG = "continue from the last whole version"
    OLD_COMMITS = "put aside commits that can't be read"
    COMMITS = "fold receipts again"
    PINS = "leave out the damaged pins"
    LEDGER = "make the ledger again"
    RUNS = "leave out the damaged files"
    MANIFEST = "record originals again"
    SOURCE = "have files formatted again"
    TABLE = "have windows computed again"
    ASIDE = "put aside"


@dataclass(frozen=True)
class RepairStep:
    """One thing that a repair does.

    Parameters
    ----------
    of : a source, a table, or a path relative to the project.
    findings : what it is done about.
    """

    does: Does
    of: str
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        count = len(self.findings)
        about = shown(self.findings[0].where) if count == 1 else f"{count:,} findings"
        match self.does:
            case Does.LOG:
                return f"{self.of}: {self.does}; the next run does again what is lost"
            case Does.COMMITS:
                return f"{self.of}: {self.does}, as far as the ledger or a log has them ({about})"
            case Does.OLD_COMMITS:
                return f"{self.of}: {self.does}, and those that need it; the table is whole ({about})"
            case Does.PINS:
                return f"{self.of}: {self.does}; versions that only a pin can have kept stay pinned ({about})"
            case Does.LEDGER:
                return f"operations: {self.does} from the receipts in the logs ({about})"
            case Does.RUNS:
                return f"{self.of}: {self.does}; what they record of earlier runs is lost ({about})"
            case Does.MANIFEST:
                return f"{MANIFEST}: {self.does} that are in persistent landing ({about})"
            case Does.SOURCE:
                return f"source {self.of}: {self.does} from their originals ({about})"
            case Does.TABLE:
                return f"{self.of}: {self.does} ({about})"
            case Does.ASIDE:
                return f"{shown(self.of)}: {self.does}, in .backbone/damaged"


@dataclass(frozen=True)
class RepairPlan:
    """The steps of a repair, and the findings that it can't mend, each with why.

    `losses` are rows that are gone already, and that no step brings back; `others` are the findings that
    another command sees to.
    """

    steps: tuple[RepairStep, ...]
    left: tuple[tuple[Finding, str], ...] = ()
    losses: tuple[Loss, ...] = ()
    others: tuple[Finding, ...] = ()


def plan_repair(project: Project, checked: Checked) -> RepairPlan:
    """What can be done about the findings of a check."""
    steps: dict[tuple[Does, str], list[Finding]] = {}
    left: list[tuple[Finding, str]] = []
    others = [finding for finding in checked.findings if _is_of_another(finding)]
    sources = {source.name for source, _ in project.sources}
    for finding in checked.findings:
        if _is_of_another(finding):
            continue
        step = _step(finding, sources, project.models)
        if finding.what == What.ORIGINAL:
            step = _of_original(finding, checked)
        if isinstance(step, str):
            left.append((finding, step))
        else:
            steps.setdefault(step, []).append(finding)
    order = [*Does]
    made = [RepairStep(does, of, tuple(findings)) for (does, of), findings in steps.items()]
    ordered = sorted(made, key=lambda step: (order.index(step.does), step.of))
    return RepairPlan(tuple(ordered), tuple(left), tuple(checked.losses), tuple(others))


def _of_original(finding: Finding, checked: Checked) -> str:
    """Why nothing is done about a damaged original, and what is left of its rows."""
    lost = next((loss for loss in checked.losses if shown(loss.path) == finding.where), None)
    if lost is not None:
        return f"only the delivered file mends this; without it, {lost.count} are lost"
    if any(shown(path) == finding.where for path in checked.reduced):
        return (
            "only the delivered file mends this; rows of it were lost, and what is left stays in the tables"
        )
    return "only the delivered file mends this; what was formatted from it stays in the tables"


def _is_of_another(finding: Finding) -> bool:
    """Whether another command than a repair sees to it: `maintain` removes, `run` records."""
    return finding.what in (What.LEFT, What.UNRECORDED) and finding.next_step in (MAINTAIN, RUN)


def _step(finding: Finding, sources: Collection[str], models: Mapping[str, object]) -> tuple[Does, str] | str:
    """What is done about a finding, and of what; or why nothing is."""
    dataset = Dataset.of(finding.dataset)
    match finding.what:
        case What.LOG | What.CHECKPOINT:
            return Does.LOG, finding.dataset
        case What.OLD_COMMIT:
            return Does.OLD_COMMITS, finding.dataset
        case What.LEDGER:
            return Does.LEDGER, "operations"
        case What.UNEXPECTED | What.LEFT:
            return Does.ASIDE, finding.where
        case What.BATCH:
            return "only its original mends this; what was formatted from it stays in the tables until then"
        case What.OLD_DATA:
            return "nothing makes an earlier version again; the present one does not need the file"
        case What.PIN:
            return "nothing makes an earlier version again; a backup may have the file"
        case What.UNRECORDED:
            return Does.MANIFEST, MANIFEST
    return _of_table(finding, dataset, sources, models)


def _of_table(
    finding: Finding, dataset: Dataset, sources: Collection[str], models: Mapping[str, object]
) -> tuple[Does, str] | str:
    if finding.dataset == MANIFEST:
        return Does.MANIFEST, MANIFEST
    if dataset.zone == "operations":
        of_itself = {"run": Does.RUNS, "commit": Does.COMMITS, "pin": Does.PINS}
        does = of_itself.get(dataset.name)
        return (Does.LEDGER, "operations") if does is None else (does, finding.dataset)
    if dataset.zone == "exploitation":
        if finding.dataset in models:
            return Does.TABLE, finding.dataset
        return "no pipeline of the project computes this table"
    if dataset.name in sources:
        return Does.SOURCE, dataset.name
    return "no pipeline of the project has this source"


def lines(plan: RepairPlan) -> Sequence[str]:
    """The plan as text."""
    return [*map(str, plan.steps), *map(str, plan.losses), *lines_of_left(plan)]


def lines_of_left(plan: RepairPlan) -> Sequence[str]:
    """What the plan can't mend, as text."""
    left = [f"Can't be mended: {finding.error()}\n  {why}." for finding, why in plan.left]
    return [*left, *others_lines(plan)]


def others_lines(plan: RepairPlan) -> list[str]:
    """What other commands see to, a sentence for each of them.

    Examples
    --------
    >>> left = Finding(What.LEFT, "", "formatted/sale/0a.parquet", "", "", "", MAINTAIN)
    >>> others_lines(RepairPlan((), others=(left, left)))
    ['backbone maintain sees to 2 more findings, which do no harm: formatted/sale/0a.parquet and others']
    """
    lines = []
    for command in (RUN, MAINTAIN):
        found = [finding for finding in plan.others if finding.next_step == command]
        if len(found) == 1:
            lines.append(f"{command} sees to 1 more finding, which does no harm: {found[0].where}")
        elif found:
            first = found[0].where
            lines.append(
                f"{command} sees to {len(found):,} more findings, which do no harm: {first} and others"
            )
    return lines
