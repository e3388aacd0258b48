"""Of rows with equal keys one is formatted and the others are kept aside as duplicates.

The latest event time wins, and between equal ones the later delivery: the file that arrived later, then the
later record in it. A new version of a file has the place of the file's first version, so that a January file
that is corrected in March does not win over February's. Under `latest = "hash"` the largest row hash comes
before the arrival instead, and the outcome does not depend on the order in which files land.

The rows that lose stay in `duplicate.SOURCE`, so that one of them can come back when the batch of the winner
is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backbone.contracts.contract import quote_identifier
from backbone.dataset import Batch, Receipt
from backbone.engines.duckdb.database import Database
from backbone.engines.duckdb.local_work import LocalWork
from backbone.formatted.source import FormattedSource
from backbone.lake.store import Replacing
from backbone.lake.table import Lake
from backbone.ledger.known import TRIM


@dataclass(frozen=True)
class DuplicateOutcome:
    """Staged tables that hold the outcome.

    `winners` are rows to add to the formatted table and `lost` those of it to remove; `losers` are rows to
    add to the duplicates and `revived` those of them that are formatted again. All have `_batch` and `_row`.
    """

    winners: str = "stage_winners"
    lost: str = "stage_lost"
    losers: str = "stage_losers"
    revived: str = "stage_revived"


def places(files: Sequence[Sequence[Batch]], latest: str) -> dict[str, int]:
    """Each batch's place in the order of deliveries, by which rows with equal keys are ranked.

    Files stand in the order in which their first versions arrived, then by name, and all versions of a file
    have its place. Where the row's hash decides first, each batch has its own.

    Parameters
    ----------
    files : the versions of each file, newest first.
    latest : `delivery` or `hash`, see `rank_duplicates`.
    """
    if latest == "hash":
        batches = sorted((b for versions in files for b in versions), key=lambda b: (b.arrived_at, b.batch))
        return {b.batch: place for place, b in enumerate(batches)}
    ordered = sorted(files, key=lambda versions: (versions[-1].arrived_at, versions[-1].name))
    return {b.batch: place for place, versions in enumerate(ordered) for b in versions}


def _ranking(source: FormattedSource) -> str:
    """SQL of the order in which rows with one key win, the best first."""
    latest = f"{quote_identifier(source.event_time)} desc, " if source.event_time else ""
    if source.settings.latest == "delivery":
        return f"{latest}_place desc, _row desc"
    text = ", ".join(f"coalesce(cast({quote_identifier(f)} as varchar), chr(30))" for f in source.fields)
    return f"{latest}md5(concat_ws(chr(31), {text})) desc, _place, _row"


@dataclass(frozen=True)
class Change:
    """New rows of a source with keys, and those that they replace.

    Parameters
    ----------
    candidates : a staged table of the new rows: the fields and the columns of their place.
    out, redone : SQL conditions for the rows of batches that are taken out, and of those formatted now.
    order : each batch's place in the order of deliveries.
    afresh : whether all that is there goes, so that only the candidates count.
    """

    candidates: str
    out: str
    redone: str
    order: Mapping[str, int]
    afresh: bool


def rank_duplicates(
    lake: Lake, database: Database, source: FormattedSource, change: Change
) -> DuplicateOutcome:
    """Decide which of the candidates and of the rows already there with the same keys is formatted."""
    candidates, out, redone = change.candidates, change.out, change.redone
    import pyarrow as pa

    by = ", ".join(quote_identifier(k) for k in source.keys)
    same_key = " and ".join(f"a.{quote_identifier(k)} = b.{quote_identifier(k)}" for k in source.keys)
    formatted, duplicate = source.dataset, f"duplicate.{source.name}"
    have_formatted = lake.exists(formatted) and not change.afresh
    have_duplicates = lake.exists(duplicate) and not change.afresh
    row = source.row
    different = database.create("stage_keys", f"select distinct {by} from {candidates}")
    alone = not have_formatted and not have_duplicates
    if alone and database.fetch(f"select count(*) from {candidates}")[0][0] == different:
        return _all_win(database, candidates, row)
    if have_formatted:
        database.insert("stage_keys", f"select distinct {by} from {formatted} a where {out}")
    database.take(
        "stage_order",
        pa.table(
            {
                "_batch": pa.array(change.order.keys(), pa.string()),
                "_place": pa.array(change.order.values(), pa.int64()),
            }
        ),
    )
    parts = [f"select {row}, 'new' as _origin from {candidates}"]
    if have_formatted:
        parts.append(
            f"select {row}, 'formatted' from {formatted} a "
            f"where not ({out}) and exists (select 1 from stage_keys b where {same_key})"
        )
    if have_duplicates:
        again = f"select 1 from {formatted} f where f._batch = a._batch and f._row = a._row and not ({out})"
        parts.append(
            f"select {row}, 'duplicate' from {duplicate} a "
            f"where not ({out}) and not ({redone}) and not exists ({again}) "
            f"and exists (select 1 from stage_keys b where {same_key})"
        )
    database.create("stage_all", " union all ".join(parts))
    database.create("stage_repeated", f"select {by} from stage_all group by {by} having count(*) > 1")
    database.create(
        "stage_ranked",
        f"select a.*, row_number() over (partition by {by} order by {_ranking(source)}) as _rank "
        "from stage_all a join stage_order using (_batch) "
        f"where exists (select 1 from stage_repeated b where {same_key})",
    )
    outcome = DuplicateOutcome()
    database.create(
        outcome.winners,
        f"select {row} from stage_all a where _origin <> 'formatted' "
        f"and not exists (select 1 from stage_repeated b where {same_key}) "
        f"union all select {row} from stage_ranked where _rank = 1 and _origin <> 'formatted'",
    )
    database.create(outcome.lost, f"select {row} from stage_ranked where _rank > 1 and _origin = 'formatted'")
    database.create(
        outcome.losers, f"select {row} from stage_ranked where _rank > 1 and _origin <> 'duplicate'"
    )
    database.create(
        outcome.revived,
        f"select _batch, _row from stage_all a where _origin = 'duplicate' "
        f"and not exists (select 1 from stage_repeated b where {same_key}) "
        f"union all select _batch, _row from stage_ranked where _rank = 1 and _origin = 'duplicate'",
    )
    for name in ("stage_keys", "stage_all", "stage_repeated", "stage_ranked", "stage_order"):
        database.drop(name)
    return outcome


def _all_win(database: Database, candidates: str, row: str) -> DuplicateOutcome:
    """The outcome where nothing is there yet and no key comes twice: large first loads are not copied."""
    outcome = DuplicateOutcome(winners=candidates)
    for table in (outcome.lost, outcome.losers):
        database.create(table, f"select {row} from {candidates} where false")
    database.create(outcome.revived, f"select _batch, _row from {candidates} where false")
    database.drop("stage_keys")
    return outcome


def remove_revived(work: LocalWork, source: str) -> None:
    """Take out of the duplicates the rows that are formatted again.

    This follows the formatted table's commit, so that such a row is never in neither. A run that dies
    between the two leaves it in both, and the next one calls this first.
    """
    duplicate, formatted = f"duplicate.{source}", f"formatted.{source}"
    for dataset in (duplicate, formatted):
        work.database.read(work.lake.read(dataset))
    work.store.replace(
        [work.database.write(f"select * from {duplicate} where false", work.scratch)],
        Receipt(run_id=work.run_id, stage=TRIM, dataset=duplicate, fingerprint=""),
        ("format", work.lake.version(duplicate) + 1),
        Replacing(f"(_batch, _row) in (select (_batch, _row) from {formatted})"),
    )
