"""What a run does first about damaged logs: it goes on from their last whole versions.

Windows and files whose receipts are lost count as not computed and not formatted, so the run does them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from backbone.asked import Asked
from backbone.dataset import Receipt
from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.log import RESTART
from backbone.lake.restart import put_aside, put_checkpoint_aside, restart
from backbone.landing.land import land
from backbone.ledger.damage import Damage
from backbone.ledger.delivered import unknown_sentence
from backbone.ledger.folded import DATASET as COMMITS
from backbone.ledger.folded import create_folded
from backbone.ledger.index import Index
from backbone.ledger.known import FROM
from backbone.ledger.manifest import DATASET as MANIFEST
from backbone.ledger.pins import DATASET as PINS
from backbone.ledger.pins import create_pins
from backbone.ledger.refold import refold
from backbone.ledger.restore_pins import restore_pins, restored_lines
from backbone.upkeep.leave_out_commits import leave_out_commits

_MADE_AGAIN = {COMMITS: create_folded, PINS: create_pins}


def mend_logs(work: LocalWork, index: Index, sources: set[str]) -> list[str]:
    """Put aside what is damaged in the logs, and bring the index up to date; returns a warning of each.

    Parameters
    ----------
    sources : the project's. Of a manifest that is damaged, the originals are recorded again.
    """
    warnings = []
    while at_checkpoints := [damage for damage in index.damages if damage.checkpoint >= 0]:
        for damage in at_checkpoints:
            put_checkpoint_aside(work.lake, damage.dataset, damage.checkpoint)
            warnings.append(
                f"{damage.dataset}: {damage.problem}; the table is read from its commits; the damaged file "
                f"is in .backbone/damaged/{damage.dataset}"
            )
        index.compare_again()
    for damage in [damage for damage in index.damages if damage.old >= 0]:
        index.damages.remove(damage)
        warning = leave_out_commits(work, index, damage.dataset)
        warnings += [warning] if warning else []
    for damage in index.damages:
        touched = index.touched_after(damage.dataset, damage.good)
        work.lake.forget(damage.dataset)
        number = damage.last + 1
        if damage.good >= 0:
            receipt = Receipt(
                work.run_id, RESTART, damage.dataset, "", touched=touched, measures={FROM: str(damage.good)}
            )
            restart(work.lake, damage.good, number, receipt)
        else:
            put_aside(work.lake, damage.dataset, damage.good, number)
            work.lake.first[damage.dataset] = number
            index.lose(damage.dataset, damage.last)
            if damage.dataset in _MADE_AGAIN:  # at once, as no task makes it
                _MADE_AGAIN[damage.dataset](work)
        warnings.append(_warning(damage, number))
    damaged = {damage.dataset for damage in index.damages}
    if COMMITS in damaged:
        refold(work, index.broken)
    if PINS in damaged:
        warnings += [f"{PINS}: {line}" for line in restored_lines(restore_pins(work))]
    index.damages.clear()
    index.update()
    if any(warning.startswith(f"{MANIFEST}:") for warning in warnings):
        delivered = index.delivered()
        found = land(work, [], Asked(datetime.now(UTC)), sources, lambda: delivered)
        warnings += [str(error) for error in found.failures.values()]
        unknown = unknown_sentence(found.batches, delivered)
        warnings += [f"{MANIFEST}: {unknown}"] if unknown else []
        index.update()
    return warnings


def ledger_warnings(index: Index) -> list[str]:
    """A warning of each table of the ledger that is broken, and of a ledger that is gone."""
    gone = "operations: expected the tables of the ledger, found none; they are made again from the receipts"
    return [gone] * index.is_gone + [
        f"operations.{table}: {broken.problem}; "
        + (
            "what its whole files hold stays, and the record of the other runs is lost"
            if table == "run" and not broken.is_log
            else "it is read from its commits"
            if table == "run" and broken.checkpoint >= 0
            else "the record of the runs before is lost"
            if table == "run"
            else "it is made again from the receipts in the logs"
        )
        for table, broken in index.broken.items()
    ]


def _warning(damage: Damage, number: int) -> str:
    done = "it is made again"
    if damage.good >= 0:
        done = f"it goes on from version {damage.good} as version {number}"
    again = "what the lost commits held is done again"
    if damage.dataset == COMMITS:
        again = "the receipts that the lost commits held are folded again, as far as the ledger has them"
    elif damage.dataset == PINS:
        again = "the pins that the lost commits held are gone"
    return (
        f"{damage.dataset}: {damage.problem}; {done}, and {again}; "
        f"the damaged files are in .backbone/damaged/{damage.dataset}"
    )


def as_ranges(versions: Iterable[tuple[int, int]]) -> str:
    """Ranges of versions as text.

    Examples
    --------
    >>> as_ranges([(0, 5), (7, 7)])
    '0 to 5, 7'
    """
    return ", ".join(f"{low}" if low == high else f"{low} to {high}" for low, high in versions)


def lost_receipts(work: LocalWork, index: Index) -> list[str]:
    """Put aside commits without which the ledger had to be made again; returns a warning of each table."""
    found = []
    for dataset, lost in index.lost.items():
        warning = leave_out_commits(work, index, dataset)
        found += [warning] if warning else []
        found.append(
            f"{dataset}: expected the receipts of versions {as_ranges(lost)} in {COMMITS}, found none; "
            "the rows are there, and what is not known to be done is done again"
        )
    return found
