"""Shorten the log of a table: the commits and checkpoints of versions that have expired go."""

from __future__ import annotations

import shutil
from collections.abc import Collection

from backbone.errors import BackboneError
from backbone.lake.checkpoint import BESIDE, write_checkpoint
from backbone.lake.log import checkpoint_name
from backbone.lake.table import Lake
from backbone.lake.unreferenced import is_leftover_of_log, remove_files


def trim_log(lake: Lake, dataset: str, first: int, pinned: Collection[int]) -> tuple[int, int]:
    """Let the log of a table begin with a checkpoint of a version; returns the files and bytes freed.

    The receipts of what goes have to be on disk elsewhere. A process that dies meanwhile leaves commits of
    some versions that can't be opened any more; those that are kept always can.

    Parameters
    ----------
    first : the oldest version that is kept, with all after it.
    pinned : earlier versions that are kept, with a checkpoint and the commit of each. What is left of one
        that can't be opened any more stays too.

    Raises
    ------
    BackboneError
        When a version that is kept can't be read; nothing has gone then.
    """
    place, log = lake.path(dataset), lake.log(dataset)
    shutil.rmtree(place / BESIDE, ignore_errors=True)
    old = [log.path(version) for version in log.versions if version < first and version not in pinned]
    if old:
        for version in sorted({*pinned, first} & {*log.openable}):
            _write_checkpoint(lake, dataset, version)
        lake.barrier.wait()
    old += [
        log.folder / checkpoint_name(version)
        for version in log.checkpoints
        if version < first and version not in pinned
    ]
    old += [file for file in log.folder.iterdir() if is_leftover_of_log(file.name)]
    freed = remove_files(old)
    if old:
        lake.barrier.add_folder(log.folder)
        lake.barrier.wait()  # before files go that only these versions refer to
        lake.forget(dataset)
    return len(old), freed


def _write_checkpoint(lake: Lake, dataset: str, version: int) -> None:
    from deltalake.exceptions import DeltaError

    try:
        write_checkpoint(lake.path(dataset), version, lake.barrier)
    except DeltaError as error:
        raise BackboneError(
            dataset,
            f"expected to read version {version}, found: {' '.join(str(error).split())[:200]}",
            "Its log stays as it is.",
            "backbone check shows what is damaged",
        ) from error
