"""Checkpoints: the state of a table in one file, so that a reader need not read its whole log.

The table library writes a checkpoint into the log while readers look at it, and unsynced: a power cut could
leave one that can't be read above commits that can. Here it is written beside the log, from links to the
log's files, and gets its name when it is on disk.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backbone.lake.barrier import Barrier
from backbone.lake.log import LAST_CHECKPOINT, LOG, TableLog, checkpoint_name, commit_name

CHECKPOINT_EVERY = 10  # to open a table takes a fifth of a millisecond for each commit since the last one
BESIDE = "_log_beside"


@contextmanager
def log_beside(table: Path, upto: int) -> Iterator[Path]:
    """A folder with a log of links to the files of a table's log, up to a version; it goes at the end.

    What is committed there is seen by nobody.
    """
    place = table / BESIDE
    shutil.rmtree(place, ignore_errors=True)
    log = TableLog(table / LOG)
    (place / LOG).mkdir(parents=True)
    try:
        begin = max((version for version in log.checkpoints if version <= upto), default=None)
        if begin is not None:
            _link(log.folder / checkpoint_name(begin), place / LOG / checkpoint_name(begin))
        for version in log.versions:
            if (begin is None or version >= begin) and version <= upto:
                _link(log.path(version), place / LOG / commit_name(version))
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:  # a file system that has no links
        shutil.copyfile(file, place)


def write_checkpoint(table: Path, version: int, barrier: Barrier) -> None:
    """Write the checkpoint of a version of a table; nothing where there is one already."""
    from deltalake import DeltaTable

    if (table / LOG / checkpoint_name(version)).exists():
        return
    with log_beside(table, version) as beside:
        DeltaTable(str(beside)).create_checkpoint()
        install(beside, version, table, version, barrier)


def install(beside: Path, made: int, table: Path, version: int, barrier: Barrier) -> None:
    """Give the checkpoint that was made beside a log its name in it: that of a version, which may be another.

    When this returns it is on disk.
    """
    log, name = table / LOG, checkpoint_name(version)
    source = beside / LOG / checkpoint_name(made)
    said = json.loads((beside / LOG / LAST_CHECKPOINT).read_bytes())
    said.pop("checksum", None)  # of the text with the version it had
    part = beside / LAST_CHECKPOINT
    part.write_text(json.dumps(said | {"version": version}), encoding="utf-8")
    barrier.add(source, part)
    barrier.wait()
    is_newest = version >= max(TableLog(log).checkpoints, default=-1)
    source.rename(log / name)
    barrier.add_folder(log)
    barrier.wait()
    if is_newest:
        part.rename(log / LAST_CHECKPOINT)
        barrier.add_folder(log)
