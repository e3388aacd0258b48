"""The commits before the last checkpoint of each log, compared with what the ledger remembers of them."""

from __future__ import annotations

from collections.abc import Iterator

from backbone.lake.finding import REPAIR, Finding, What, both_parts
from backbone.lake.table import Lake
from backbone.ledger.folded import has_receipts
from backbone.ledger.index import Index
from backbone.ledger.old_commits import old_problems

STATE = "The present version does not need it, and is whole; some earlier ones can't be read."


def check_commits(lake: Lake, index: Index) -> Iterator[Finding]:
    """The damaged commits that present versions do not need; of damaged logs, none."""
    damaged = {damage.dataset for damage in index.damages if damage.old < 0}
    damaged |= {f"operations.{table}" for table in index.broken}
    for dataset in lake.datasets():
        if dataset in damaged:
            continue
        log, indexed = lake.log(dataset), has_receipts(dataset)
        known = index.digests(dataset) if indexed else {}
        folded = index.folded.versions(dataset) if indexed else set()
        for version, problem in old_problems(log, known, folded).items():
            where = log.path(version).relative_to(lake.project).as_posix()
            yield Finding(What.OLD_COMMIT, dataset, where, *both_parts(problem), STATE, REPAIR)
