"""Sources of which a run that died, or a repair, has replaced some tables and not all."""

from __future__ import annotations

from backbone.engines.duckdb.database import Database
from backbone.lake.table import Lake
from backbone.ledger.known import REVIVED, TRIM

# The versions beside which a formatted table was last published; without it, by an older version of Backbone,
# the times of the commits have to do, which a clock that is set back spoils.
_BESIDE = "max(cast(json_extract_string(measures, $version) as bigint))"


def versions_beside(lake: Lake, source: str) -> dict[str, str]:
    """The measures of a formatted table's receipt that say which versions the two tables beside it have."""
    return {_beside(zone): str(lake.version(f"{zone}.{source}")) for zone in ("quarantine", "duplicate")}


def _beside(zone: str) -> str:
    return f"{zone}_version"


def half_published(receipts: str | None, database: Database, source: str) -> str | None:
    """The fingerprint under which a run that died replaced bad or duplicate rows, not formatted ones.

    None where there is no such run. Where such a table was damaged, or both were replaced under several
    fingerprints, it is that of no contract: all batches are to be formatted again.

    Parameters
    ----------
    receipts : SQL of the ledger's receipts; None where there are none.
    """
    if receipts is None:
        return None
    found: set[str] = set()
    for zone in ("quarantine", "duplicate"):
        rows = database.fetch(
            f"with f as (select * from {receipts} as f where dataset = $good), "
            f"known as (select {_BESIDE} as version from f) "
            f"select r.fingerprint from {receipts} as r, known where r.dataset = $other "
            "and r.stage in ('format', 'restart', 'lost') and case when known.version is null "
            "then not exists (select 1 from f where f.committed_at >= r.committed_at) "
            "else r.version > known.version end "
            "order by r.version desc limit 1",
            {"good": f"formatted.{source}", "other": f"{zone}.{source}", "version": f"$.{_beside(zone)}"},
        )
        found |= {fingerprint for (fingerprint,) in rows}
    return "" if len(found) > 1 else next(iter(found), None)


def revived_left(receipts: str | None, database: Database, source: str) -> bool:
    """Whether a run died before it removed from the duplicates what it had formatted again.

    Parameters
    ----------
    receipts : SQL of the ledger's receipts; None where there are none.
    """
    if receipts is None:
        return False
    rows = database.fetch(
        f"with f as (select version, committed_at, json_extract_string(measures, $version) as beside "
        f"from {receipts} as f where dataset = $good and json_extract_string(measures, $revived) is not null "
        "order by version desc limit 1) "
        f"select count(*) from f where not exists (select 1 from {receipts} as d where d.dataset = $other "
        "and d.stage = $trim and case when f.beside is null then d.committed_at >= f.committed_at "
        "else d.version > cast(f.beside as bigint) end)",
        {
            "good": f"formatted.{source}",
            "other": f"duplicate.{source}",
            "trim": TRIM,
            "revived": f"$.{REVIVED}",
            "version": f"$.{_beside('duplicate')}",
        },
    )
    return bool(rows[0][0])
