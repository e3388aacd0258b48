"""Publish a version of a table without some of its files, which are damaged or gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from backbone.dataset import Receipt
from backbone.lake.publish import Staged, publish
from backbone.lake.restart import DAMAGED
from backbone.lake.table import PARTITION, Lake


def drop_files(
    lake: Lake,
    files: Iterable[str],
    receipt: Receipt,
    added: Staged | None = None,
    aside: Iterable[str] | None = None,
) -> int:
    """Commit the table without some files, and move the damaged ones to `.backbone/damaged`.

    Parameters
    ----------
    files : none of them to commit the receipt alone.
    receipt : says why; its dataset is the table.
    added : files that take their place.
    aside : the damaged ones; all of them by default. Earlier versions can still be read with the others.

    Returns
    -------
    The version that readers see from now on.
    """
    import pyarrow as pa

    dataset, files = receipt.dataset, list(files)
    table = lake.open(dataset)
    if added is None:
        partitioned = table.metadata().partition_columns == [PARTITION]
        added = Staged((), 0, pa.schema(table.schema().to_arrow()), partitioned)
    number = table.version() + 1
    version = publish(lake, dataset, added, receipt, transaction=("repair", number), remove=files)
    lake.barrier.wait()
    for file in files if aside is None else aside:
        put_file_aside(lake, Path(file))
    return version


def put_file_aside(lake: Lake, path: Path) -> Path | None:
    """Move a file or folder of a project to `.backbone/damaged`, under its path; None where it is gone."""
    inner = path.relative_to(lake.project)
    place, number = lake.project / DAMAGED / inner, 1
    while place.exists() or place.is_symlink():
        number += 1
        place = lake.project / DAMAGED / inner.with_name(f"{inner.name}.{number}")
    lake.barrier.make_folder(place.parent)
    try:
        shutil.move(path, place)
    except FileNotFoundError:
        return None
    lake.barrier.add_folder(path.parent)
    lake.barrier.add_folder(place.parent)
    return place
