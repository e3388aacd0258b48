"""What a run does first about damaged logs: it goes on from their last whole versions.

Windows and files whose receipts are lost count as not computed and not formatted, so the run does them again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from backbone.asked import Asked
from backbone.dataset import Receipt
from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.restart import put_aside, restart
from backbone.landing.land import land
from backbone.ledger.damage import Damage
from backbone.ledger.facts import RESTART
from backbone.ledger.index import Index
from backbone.ledger.manifest import DATASET as MANIFEST


def mend_logs(work: LocalWork, index: Index, sources: set[str]) -> list[str]:
    """Put aside what is damaged in the logs, and bring the index up to date; returns a warning of each.

    Parameters
    ----------
    sources : the project's. Of a manifest that is damaged, the originals are recorded again.
    """
    warnings = []
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


def _warning(damage: Damage, number: int) -> str:
    done = "it is made again"
    if damage.good >= 0:
        done = f"it goes on from version {damage.good} as version {number}"
    return (
        f"{damage.dataset}: {damage.problem}; {done}, and what the lost commits held is done again; "
        f"the damaged files are in .backbone/damaged/{damage.dataset}"
    )
