"""Make what was staged visible in one atomic commit that carries its receipt.

Staged files are Parquet files that an engine has written beside the table and that have passed their
checks. Publishing moves them into the table's folder (a rename) and commits: the files added, the files
they replace and the receipt become true together. A process that dies before the commit leaves files
that no version refers to; maintenance removes them.
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

from backbone.dataset import Dataset, Receipt
from backbone.errors import EngineFailed
from backbone.lake.table import PARTITION, RECEIPT_KEY, Lake

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake.transaction import AddAction, RemoveAction

# A receipt must outlive the log's usual clean-up: it is the history of the table. To open a table takes a
# fifth of a millisecond for each commit since the last checkpoint, and a run opens a dozen.
CONFIGURATION = {"delta.logRetentionDuration": "interval 3650 days", "delta.checkpointInterval": "10"}
# What is made from the receipts has no history of its own that anybody would miss.
OF_AN_INDEX = CONFIGURATION | {"delta.logRetentionDuration": "interval 7 days"}

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
    from deltalake import CommitProperties, Schema
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

    place.mkdir(parents=True, exist_ok=True)
    adds = [_add(place, path, staged.schema) for path in staged.files]
    if table is None or repartitioned:
        create_table_with_add_actions(
            str(place),
            schema,
            adds,
            mode="overwrite" if repartitioned else "error",
            partition_by=partition_by,
            configuration=OF_AN_INDEX if Dataset.of(dataset).zone == "operations" else CONFIGURATION,
            commit_properties=properties,
        )
        return lake.version(dataset)
    if remove is not None:
        removes = [_remove(place, uri) for uri in remove]
        actions: list[AddAction | RemoveAction] = [*adds, *removes]
        table.create_write_transaction(actions, "append", schema, partition_by, commit_properties=properties)
    else:
        table.create_write_transaction(
            list(adds), "overwrite", schema, partition_by, commit_properties=properties
        )
    return lake.version(dataset)


def _add(place: Path, file: Path, schema: pa.Schema) -> AddAction:
    from deltalake.transaction import AddAction

    partition = file.parent.name.partition("=") if file.parent.name.startswith(f"{PARTITION}=") else None
    folder = place / file.parent.name if partition else place
    folder.mkdir(exist_ok=True)
    target = folder / f"{uuid.uuid4().hex}.parquet"
    stats = _statistics(file, schema)
    size = file.stat().st_size
    file.rename(target)
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
