"""Leave damaged commits out of a log that can do without them, as a later checkpoint says what they said."""

from __future__ import annotations

from backbone.engines.duckdb.local_work import LocalWork
from backbone.lake.checkpoint import write_checkpoint
from backbone.lake.log import checkpoint_name
from backbone.lake.restart import DAMAGED, put_log_files_aside
from backbone.ledger.folded import fold, has_receipts
from backbone.ledger.index import Index
from backbone.ledger.old_commits import old_problems
from backbone.ledger.refold import refold


def leave_out_commits(work: LocalWork, index: Index, dataset: str) -> str | None:
    """Put aside the commits before the last checkpoint that are damaged, and those that need them.

    The receipts of what goes are folded: those that can be read, and the others as the ledger has them. The
    versions before and after stay readable.

    Returns
    -------
    A warning that says what was wrong; None where nothing was.
    """
    lake, log, indexed = work.lake, work.lake.log(dataset), has_receipts(dataset)
    known = index.digests(dataset) if indexed else {}
    folded = index.folded.versions(dataset) if indexed else set()
    problems = old_problems(log, known, folded)
    if not problems or folded is None:  # the folded receipts are to be mended first
        return None
    last = max(problems)
    end = min((version for version in log.checkpoints if version > last), default=log.versions[-1])
    if indexed:
        commits = [c for c in log.commits() if c.version < end and c.version not in {*problems, *folded}]
        fold(work, [(dataset, commit) for commit in commits])
    put_log_files_aside(lake, dataset, map(log.path, problems))
    write_checkpoint(lake.path(dataset), end, lake.barrier)
    lake.barrier.wait()
    openable = {*log.openable}
    useless = [log.path(version) for version in log.versions if version not in openable]
    useless += [log.folder / checkpoint_name(v) for v in log.checkpoints if v not in openable]
    put_log_files_aside(lake, dataset, useless)
    if indexed:
        refold(work, index.broken)
    more = f", and {len(problems) - 1:,} more" if len(problems) > 1 else ""
    return (
        f"{dataset}: {next(iter(problems.values()))}{more}; the table is whole, but versions that need it "
        f"can't be read any more; what is damaged is in {DAMAGED}/{dataset}"
    )
