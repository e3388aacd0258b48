"""Small files that a table has gathered, to be joined by the next commit that is made anyway.

Every run adds a file to most tables. Each of them costs a reader a look at its footer and the log a line, so
that without joining them a table of an hour at a time takes longer to read with every hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backbone.lake.table import TableVersion, day_of

PIECE_BYTES = 1_000_000
MANY_PIECES = 16


def all_pieces(table: TableVersion) -> list[str]:
    """All small files of a table that have another one beside them; by day, where it is kept by day."""
    places: dict[str, list[str]] = {}
    for file in table.files:
        if Path(file).stat().st_size < PIECE_BYTES:
            places.setdefault(day_of(file), []).append(file)
    return [file for files in places.values() if len(files) > 1 for file in files]


def pieces(table: TableVersion, staged: Sequence[Path] = ()) -> list[str]:
    """Those of a table's files that are to be written anew as one, or as one for each day.

    Of the newest day, and of a table that is not kept by day, as soon as there are many small ones; of a day
    that is over, once there are two. What has been joined into a larger file is never written again for this.

    Parameters
    ----------
    staged : files that are about to be added, in folders of their days.
    """
    places: dict[str, list[str]] = {}
    for file in table.files:
        places.setdefault(day_of(file), []).append(file)
    newest = max([*places, *(day_of(str(file)) for file in staged)], default="")
    found = []
    for day, files in places.items():
        many = 2 if day < newest else MANY_PIECES
        if len(files) >= many:
            small = [file for file in files if Path(file).stat().st_size < PIECE_BYTES]
            found += small if len(small) >= many else []
    return found
