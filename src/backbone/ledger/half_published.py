"""Sources of which a run that died, or a repair, has replaced some tables and not all."""

from __future__ import annotations

from backbone.engines.duckdb.database import Database


def half_published(receipts: str | None, database: Database, source: str) -> str | None:
    """The fingerprint under which a run that died replaced bad or duplicate rows, not formatted ones.

    None where there is no such run. Where such a table was damaged it is that of no contract: all batches are
    to be formatted again.

    Parameters
    ----------
    receipts : SQL of the ledger's receipts; None where there are none.
    """
    if receipts is None:
        return None
    rows = database.fetch(
        f"select fingerprint from {receipts} as r where stage in ('format', 'restart', 'lost') "
        "and dataset in ($bad, $repeated) "
        f"and not exists (select 1 from {receipts} as f where dataset = $good "
        "and f.committed_at >= r.committed_at) "
        "order by committed_at desc limit 1",
        {"bad": f"quarantine.{source}", "repeated": f"duplicate.{source}", "good": f"formatted.{source}"},
    )
    return rows[0][0] if rows else None
