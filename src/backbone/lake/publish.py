"""Make what was staged visible in one atomic commit that carries its receipt.

Staged files are Parquet files that an engine has written beside the table and that have passed their
checks. Publishing moves them into the table's folder (a rename), waits until they are on disk, and commits:
the files added, the files they replace and the receipt become true together. A process that dies before the
commit leaves files that no version refers to; maintenance removes them.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.dataset import Receipt
from backbone.errors import EngineFailed
from backbone.lake.barrier import Barrier
from backbone.lake.checkpoint import CHECKPOINT_EVERY, log_beside, write_checkpoint
from backbone.lake.log import LOG, RECEIPT_KEY, commit_name
from backbone.lake.restart import take_over
from backbone.lake.table import PARTITION, Lake

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake.transaction import AddAction, RemoveAction

# No clock decides when a commit goes, as its receipt is the history of the table: `maintain` keeps it.
CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
}

LONGEST_BOUND = 32
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class Staged:
    """Files an engine has written and not yet published.

    `files` are absolute paths; under a partitioned table each lies in a folder `window_date=YYYY-MM-DD`.
    `schema` is the table's, the partition column included. `rows` counts all files.
    """

    files: tuple[Path, ...]
    rows: int
    schema: pa.Schema
    partitioned: bool = False


def publish(
    lake: Lake,
    dataset: str,
    staged: Staged,
    receipt: Receipt,
    *,
    transaction: str | tuple[str, int],
    remove: Iterable[str] | None = None,
) -> int:
    """Commit staged files to a dataset, in place of others, and return the new version.

    Parameters
    ----------
    transaction : identifies this publish; a publish that has already happened is not repeated. A table
        remembers every name, for good; of a name with a number it remembers the largest, and all smaller
        ones have happened.
    remove : addresses of the files that the staged ones replace, as `TableVersion.files` gives them;
        None replaces the whole table. Only this can change its columns.

    Returns
    -------
    The version that readers see from now on.

    Raises
    ------
    EngineFailed
        When the files can't be moved or the commit can't be written; nothing is published then.
    """
    from deltalake.exceptions import DeltaError

    try:
        return _commit(lake, dataset, staged, receipt, transaction, remove)
    except (DeltaError, OSError) as error:
        raise EngineFailed(
            dataset,
            f"the commit failed: {' '.join(str(error).split())[:400]}",
            "Nothing of it is published; readers see the version before.",
            "mend the storage (is the disk full, or read-only?) and run again",
        ) from error


def _commit(
    lake: Lake,
    dataset: str,
    staged: Staged,
    receipt: Receipt,
    transaction: str | tuple[str, int],
    remove: Iterable[str] | None,
) -> int:
    from deltalake import CommitProperties, PostCommitHookProperties, Schema
    from deltalake.transaction import Transaction, create_table_with_add_actions

    place = lake.path(dataset)
    table = lake.open(dataset) if lake.exists(dataset) else None
    name, number = (transaction, 1) if isinstance(transaction, str) else transaction
    if table is not None and (table.transaction_version(name) or 0) >= number:
        return table.version()

    properties = CommitProperties(
        custom_metadata={RECEIPT_KEY: receipt.to_json()}, app_transactions=[Transaction(name, number)]
    )
    schema = Schema.from_arrow(staged.schema)
    partition_by = [PARTITION] if staged.partitioned else []
    repartitioned = table is not None and table.metadata().partition_columns != partition_by
    if repartitioned and remove is not None:
        raise ValueError(f"{dataset}: a table whose partitioning changes is replaced as a whole")

    barrier = lake.barrier
    barrier.make_folder(place)
    adds = [_add(place, path, staged.schema, barrier) for path in staged.files]
    barrier.wait()  # what the commit names, and the commits before it
    after = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
    if table is None and dataset in lake.first:
        with log_beside(place, -1) as beside:
            create_table_with_add_actions(
                str(beside),
                schema,
                adds,
                partition_by=partition_by,
                configuration=CONFIGURATION,
                commit_properties=properties,
                post_commithook_properties=after,
            )
            take_over(lake, dataset, beside, lake.first.pop(dataset))
        return lake.version(dataset)
    if table is None or repartitioned:
        create_table_with_add_actions(
            str(place),
            schema,
            adds,
            mode="overwrite" if repartitioned else "error",
            partition_by=partition_by,
            configuration=CONFIGURATION,
            commit_properties=properties,
            post_commithook_properties=after,
        )
    else:
        removes = [] if remove is None else [_remove(place, uri) for uri in remove]
        actions: list[AddAction | RemoveAction] = [*adds, *removes]
        table.create_write_transaction(
            actions,
            "overwrite" if remove is None else "append",
            schema,
            partition_by,
            commit_properties=properties,
            post_commithook_properties=after,
        )
    return _committed(lake, dataset)


def _committed(lake: Lake, dataset: str) -> int:
    """The version that was committed, which is on disk before anything counts on it."""
    version, log = lake.version(dataset), lake.path(dataset) / LOG
    lake.barrier.add(log / commit_name(version))
    if version == 0:
        lake.barrier.add_folder(log.parent)
    if version % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1:
        lake.barrier.wait()
        write_checkpoint(log.parent, version, lake.barrier)
    return version


def _add(place: Path, file: Path, schema: pa.Schema, barrier: Barrier) -> AddAction:
    from deltalake.transaction import AddAction

    partition = file.parent.name.partition("=") if file.parent.name.startswith(f"{PARTITION}=") else None
    folder = place / file.parent.name if partition else place
    barrier.make_folder(folder)
    target = folder / f"{uuid.uuid4().hex}.parquet"
    stats = _statistics(file, schema)
    size = file.stat().st_size
    file.rename(target)
    barrier.add(target)
    return AddAction(
        path=target.relative_to(place).as_posix(),
        size=size,
        partition_values={partition[0]: partition[2]} if partition else {},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(stats),
    )


def _remove(place: Path, uri: str) -> RemoveAction:
    from deltalake.transaction import RemoveAction

    path = Path(uri)
    partition = path.parent.name.partition("=") if path.parent != place else None
    return RemoveAction(
        path.relative_to(place).as_posix(),
        True,
        int(time.time() * 1000),
        path.stat().st_size if path.exists() else None,
        {partition[0]: partition[2]} if partition else {},
    )


def _statistics(file: Path, schema: pa.Schema) -> dict[str, object]:
    """Row count, and by column nulls and the least and greatest value, by which readers skip files.

    The bounds of all columns or of none: where one is missing, delta-rs takes the file's values for null
    and finds none of its rows.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    lows: dict[str, object] = {}
    highs: dict[str, object] = {}
    nulls: dict[str, int] = {}
    rows: dict[str, object] = {"numRecords": metadata.num_rows}
    for index in range(metadata.num_columns):
        name = metadata.schema.column(index).path
        if "." in name or schema.get_field_index(name) < 0:
            continue
        found = [metadata.row_group(g).column(index).statistics for g in range(metadata.num_row_groups)]
        if not found or not all(s is not None and s.has_min_max and s.has_null_count for s in found):
            return rows
        try:
            least, greatest = min(s.min for s in found), max(s.max for s in found)
        except (OverflowError, ValueError):  # an infinite date or instant, or one that Python can't count to
            return rows
        low, high = _bound(least), _bound(greatest, upper=True)
        if low is None or high is None:
            return rows
        lows[name], highs[name], nulls[name] = low, high, sum(s.null_count for s in found)
    return rows | {"minValues": lows, "maxValues": highs, "nullCount": nulls}


def _bound(value: object, upper: bool = False) -> object:
    """A value as the log holds it, a long text cut so that it stays a bound; None where it can't be."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            exact = float(value)
            return exact if Decimal(repr(exact)) == value else None
        case str():
            prefix = value[:LONGEST_BOUND]
            bound = prefix if prefix == value or not upper else f"{prefix}{LAST_CHARACTER}"
            return bound if not upper or bound >= value else None
    return None
