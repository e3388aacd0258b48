"""Go on with a table whose log is damaged: from its last whole version, under a number that none has had.

A version that somebody has seen never gets other content. So the damaged commits are put aside, their
numbers are left out, and the next one is a commit of its own with a checkpoint of the last whole version:
the log begins there as if what was before had been cleaned up.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from backbone.dataset import Receipt
from backbone.home import HOME
from backbone.lake.checkpoint import install, log_beside
from backbone.lake.log import LAST_CHECKPOINT, LOG, RECEIPT_KEY, checkpoint_name, commit_name
from backbone.lake.table import Lake

DAMAGED = HOME / "damaged"


def restart(lake: Lake, good: int, number: int, receipt: Receipt) -> None:
    """Commit the content of a version again under a later number, and put aside what lies between.

    Parameters
    ----------
    good : the last whole version, 0 or later.
    number : the version that readers see from now on.
    receipt : says why; its dataset is the table.
    """
    from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties

    dataset = receipt.dataset
    place = lake.path(dataset)
    with log_beside(place, good) as beside:
        table = DeltaTable(str(beside))
        table.create_write_transaction(
            [],
            "append",
            table.schema(),
            table.metadata().partition_columns,
            commit_properties=CommitProperties(custom_metadata={RECEIPT_KEY: receipt.to_json()}),
            post_commithook_properties=PostCommitHookProperties(
                create_checkpoint=False, cleanup_expired_logs=False
            ),
        )
        take_over(lake, dataset, beside, number)
    put_aside(lake, dataset, good, number)


def take_over(lake: Lake, dataset: str, beside: Path, number: int) -> None:
    """Make the newest version of a log beside a table the table's, under a number of its own."""
    from deltalake import DeltaTable

    log = lake.path(dataset) / LOG
    table = DeltaTable(str(beside))
    made = table.version()
    table.create_checkpoint()
    lake.barrier.make_folder(log)
    lake.barrier.add(beside / LOG / commit_name(made))
    install(beside, made, log.parent, number, lake.barrier)
    (beside / LOG / commit_name(made)).rename(log / commit_name(number))
    lake.barrier.add(log / commit_name(number))
    lake.barrier.wait()
    lake.forget(dataset)


def put_aside(lake: Lake, dataset: str, good: int, number: int) -> None:
    """Move the commits and checkpoints between two versions to where nobody reads them."""
    log = lake.log(dataset)
    between = [v for v in log.versions if good < v < number]
    files = [log.path(version) for version in between]
    files += [file for file in log.folder.glob("*.checkpoint.parquet") if good < int(file.name[:20]) < number]
    if not files:
        return
    aside = lake.project / DAMAGED / dataset / f"before-{number}"
    lake.barrier.make_folder(aside)
    for file in files:
        shutil.move(file, aside / file.name)
        lake.barrier.add(aside / file.name)
    why = aside / "why.json"
    why.write_text(json.dumps({"table": dataset, "good": good, "next": number}))
    lake.barrier.add(why)
    lake.barrier.add_left(log.folder)
    lake.barrier.wait()
    lake.forget(dataset)


def put_log_files_aside(lake: Lake, dataset: str, files: Iterable[Path]) -> None:
    """Move commits and checkpoints of a log to where nobody reads them."""
    aside = lake.project / DAMAGED / dataset / "commits"
    lake.barrier.make_folder(aside)
    for file in files:
        if file.exists():
            shutil.move(file, aside / file.name)
            lake.barrier.add(aside / file.name)
    lake.barrier.add_left(lake.log(dataset).folder)
    lake.barrier.wait()
    lake.forget(dataset)


def put_checkpoint_aside(lake: Lake, dataset: str, version: int) -> None:
    """Move a checkpoint that can't be read to where nobody reads it; the commits say the same."""
    log = lake.log(dataset)
    aside = lake.project / DAMAGED / dataset / "checkpoints"
    aside.mkdir(parents=True, exist_ok=True)
    # First the file that says which checkpoint is the newest: without it readers look at the names.
    for file in (log.folder / LAST_CHECKPOINT, log.folder / checkpoint_name(version)):
        if file.exists():
            shutil.move(file, aside / file.name)
    lake.barrier.add_folder(log.folder)
    lake.barrier.wait()
    lake.forget(dataset)
