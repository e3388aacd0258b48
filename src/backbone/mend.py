"""What a run does first about damaged logs: it goes on from their last whole versions.

Windows and files whose receipts are lost count as not computed and not formatted, so the run does them again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from backbone.asked import Asked
from backbone.dataset import Receipt
from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.restart import RESTART, put_aside, put_checkpoint_aside, restart
from backbone.landing.land import land
from backbone.ledger.damage import Damage
from backbone.ledger.index import Index
from backbone.ledger.manifest import DATASET as MANIFEST


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
    for damage in index.damages:
        touched = index.touched_after(damage.dataset, damage.good)
        work.lake.forget(damage.dataset)
        number = damage.last + 1
        if damage.good >= 0:
            receipt = Receipt(work.run_id, RESTART, damage.dataset, "", touched=touched)
            restart(work.lake, damage.good, number, receipt)
        else:
            put_aside(work.lake, damage.dataset, damage.good, number)
            work.lake.first[damage.dataset] = number
            index.lose(damage.dataset, damage.last)
        warnings.append(_warning(damage, number))
    index.damages.clear()
    index.update()
    if any(warning.startswith(f"{MANIFEST}:") for warning in warnings):
        found = land(work, [], Asked(datetime.now(UTC)), sources)
        warnings += [str(error) for error in found.failures.values()]
        index.update()
    return warnings


def ledger_warnings(index: Index) -> list[str]:
    """A warning of each table of the ledger that is made again."""
    gone = index.missing
    found = [f"{', '.join(gone)}: expected tables of the ledger, found none; made again from the receipts"]
    return (found if gone else []) + [
        f"operations.{table}: {broken.problem}; "
        + (
            "what its whole files hold stays, and the record of the other runs is lost"
            if table == "run" and not broken.is_log
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
    return (
        f"{damage.dataset}: {damage.problem}; {done}, and what the lost commits held is done again; "
        f"the damaged files are in .backbone/damaged/{damage.dataset}"
    )
