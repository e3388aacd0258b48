"""Where a project can lie: not every name of a folder reaches the tables unchanged."""

from __future__ import annotations

import re
from pathlib import Path

from backbone.errors import SettingsError
from backbone.printable import shown

MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[#?\\\x00-\x1f\x7f]|[\ud800-\udfff]")


def refuse_folder(folder: Path) -> None:
    """Refuse a folder whose path the table library would take for another one.

    It makes an address of the path. Of `#` and `?` it then finds no history, a backslash becomes a slash, and
    what is encoded with a percent sign is decoded.

    Raises
    ------
    SettingsError
        When the path holds such a sign.

    Examples
    --------
    >>> refuse_folder(Path("/data/Käufe 100% [new] *"))
    >>> refuse_folder(Path("/data/sales#2"))
    Traceback (most recent call last):
    backbone.errors.SettingsError: /data/sales#2: expected a path that the tables can have, found '#' in it...
    """
    found = MISREAD.search(str(folder))
    if found is not None:
        raise SettingsError(
            shown(folder),
            f"expected a path that the tables can have, found '{shown(found[0])}' in it",
            "Nothing was changed.",
            "move or rename the folder: its path may have no #, ?, backslash, line break or other control "
            "character, no percent sign before two hexadecimal digits, and no bytes that are not UTF-8",
        )
