"""Of rows with equal keys one is formatted and the others are kept aside as duplicates.

The latest event time wins, then the largest row hash, then the earliest arrival: the outcome does not
depend on the order in which files land. The rows that lose stay in `duplicate.SOURCE`, so that one of them
can come back when the batch of the winner is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backbone.contract import quote_identifier
from backbone.dataset import Receipt
from backbone.engines.protocol import Engine
from backbone.engines.replace import replace_rows
from backbone.lake.table import Lake

REVIVED = "revived"  # the measure in a formatted table's receipt
TRIM = "trim"  # the stage of the commit that follows it


@dataclass(frozen=True)
class Settled:
    """Staged tables that hold the outcome.

    `winners` are rows to add to the formatted table and `lost` those of it to remove; `losers` are rows to
    add to the duplicates and `revived` those of them that are formatted again. All have `_batch` and `_row`.
    """

    winners: str = "stage_winners"
    lost: str = "stage_lost"
    losers: str = "stage_losers"
    revived: str = "stage_revived"


def settle_duplicates(
    lake: Lake,
    engine: Engine,
    source: str,
    fields: Sequence[str],
    keys: Sequence[str],
    event_time: str | None,
    *,
    candidates: str,
    out: str,
    redone: str,
    order: Mapping[str, int],
    afresh: bool,
) -> Settled:
    """Decide which of the candidates and of the rows already there with the same keys is formatted.

    Parameters
    ----------
    candidates : a staged table of the new rows: the fields, `_batch`, `_row`.
    out, redone : SQL conditions for the rows of batches that are taken out, and of those formatted now.
    order : each batch's place in the order of arrival.
    afresh : whether all that is there goes, so that only the candidates count.
    """
    import pyarrow as pa

    listed = ", ".join(quote_identifier(f) for f in fields)
    by = ", ".join(quote_identifier(k) for k in keys)
    same_key = " and ".join(f"a.{quote_identifier(k)} = b.{quote_identifier(k)}" for k in keys)
    formatted, duplicate = f"formatted.{source}", f"duplicate.{source}"
    have_formatted = lake.exists(formatted) and not afresh
    have_duplicates = lake.exists(duplicate) and not afresh
    row = f"{listed}, _batch, _row"
    different = engine.create("stage_keys", f"select distinct {by} from {candidates}")
    alone = not have_formatted and not have_duplicates
    if alone and engine.fetch(f"select count(*) from {candidates}")[0][0] == different:
        return _all_win(engine, candidates, row)
    if have_formatted:
        engine.insert("stage_keys", f"select distinct {by} from {formatted} a where {out}")
    engine.take(
        "stage_order",
        pa.table(
            {"_batch": pa.array(order.keys(), pa.string()), "_arrival": pa.array(order.values(), pa.int64())}
        ),
    )
    parts = [f"select {listed}, _batch, _row, 'new' as _origin from {candidates}"]
    if have_formatted:
        parts.append(
            f"select {listed}, _batch, _row, 'formatted' from {formatted} a "
            f"where not ({out}) and exists (select 1 from stage_keys b where {same_key})"
        )
    if have_duplicates:
        again = f"select 1 from {formatted} f where f._batch = a._batch and f._row = a._row and not ({out})"
        parts.append(
            f"select {listed}, _batch, _row, 'duplicate' from {duplicate} a "
            f"where not ({out}) and not ({redone}) and not exists ({again}) "
            f"and exists (select 1 from stage_keys b where {same_key})"
        )
    engine.create("stage_all", " union all ".join(parts))
    engine.create("stage_repeated", f"select {by} from stage_all group by {by} having count(*) > 1")
    text = ", ".join(f"coalesce(cast({quote_identifier(f)} as varchar), chr(30))" for f in fields)
    latest = f"{quote_identifier(event_time)} desc, " if event_time else ""
    engine.create(
        "stage_ranked",
        f"select a.*, row_number() over (partition by {by} order by {latest}"
        f"md5(concat_ws(chr(31), {text})) desc, _arrival, _row) as _rank "
        "from stage_all a join stage_order using (_batch) "
        f"where exists (select 1 from stage_repeated b where {same_key})",
    )
    settled = Settled()
    engine.create(
        settled.winners,
        f"select {row} from stage_all a where _origin <> 'formatted' "
        f"and not exists (select 1 from stage_repeated b where {same_key}) "
        f"union all select {row} from stage_ranked where _rank = 1 and _origin <> 'formatted'",
    )
    engine.create(settled.lost, f"select {row} from stage_ranked where _rank > 1 and _origin = 'formatted'")
    engine.create(
        settled.losers, f"select {row} from stage_ranked where _rank > 1 and _origin <> 'duplicate'"
    )
    engine.create(
        settled.revived,
        f"select _batch, _row from stage_all a where _origin = 'duplicate' "
        f"and not exists (select 1 from stage_repeated b where {same_key}) "
        f"union all select _batch, _row from stage_ranked where _rank = 1 and _origin = 'duplicate'",
    )
    for name in ("stage_keys", "stage_all", "stage_repeated", "stage_ranked", "stage_order"):
        engine.drop(name)
    return settled


def _all_win(engine: Engine, candidates: str, row: str) -> Settled:
    """The outcome where nothing is there yet and no key comes twice: large first loads are not copied."""
    settled = Settled(winners=candidates)
    for table in (settled.lost, settled.losers):
        engine.create(table, f"select {row} from {candidates} where false")
    engine.create(settled.revived, f"select _batch, _row from {candidates} where false")
    engine.drop("stage_keys")
    return settled


def remove_revived(lake: Lake, engine: Engine, source: str, run_id: str, scratch: Path) -> None:
    """Take out of the duplicates the rows that are formatted again.

    This follows the formatted table's commit, so that such a row is never in neither. A run that dies
    between the two leaves it in both, and the next one calls this first.
    """
    duplicate, formatted = f"duplicate.{source}", f"formatted.{source}"
    for dataset in (duplicate, formatted):
        engine.read(lake.read(dataset))
    replace_rows(
        lake,
        engine,
        duplicate,
        [engine.write(f"select * from {duplicate} where false", scratch)],
        Receipt(run_id=run_id, stage=TRIM, dataset=duplicate, fingerprint=""),
        transaction=("format", lake.version(duplicate) + 1),
        scratch=scratch,
        where=f"(_batch, _row) in (select (_batch, _row) from {formatted})",
    )
