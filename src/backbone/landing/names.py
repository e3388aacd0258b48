"""Names of files: which are never taken over, and how one is shown."""

from __future__ import annotations

import os

UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart")
NO_DATA = (".DS_Store", ".gitignore", ".gitkeep", ".keep")
EDITORS = ("~", ".bak", ".orig", ".swp", ".swo")


def is_unfinished(name: str) -> bool:
    """Whether a name says that somebody is still writing; rsync and others begin it with a dot."""
    return name.lower().endswith(UNFINISHED) or name[0] == "."


def is_of_an_editor(name: str) -> bool:
    """Whether a name is one that editors give to what they put beside a file."""
    return name.lower().endswith(EDITORS) or (name[0] == "#" == name[-1])


def is_text(name: str) -> bool:
    """Whether a name is UTF-8, and so can be recorded."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str | os.PathLike[str]) -> str:
    r"""A name as it can be printed on one line: what is no text or breaks lines is escaped.

    Examples
    --------
    >>> print(shown("Käufe 100%.csv"), shown("a\nb.csv"), shown("K\udce4ufe.csv"))
    Käufe 100%.csv a\nb.csv K\xe4ufe.csv
    """
    text = os.fspath(name)
    if text.isprintable():
        return text
    return "".join(
        sign
        if sign.isprintable()
        else f"\\x{ord(sign) - 0xDC00:02x}"
        if "\udc80" <= sign <= "\udcff"  # how Python holds a byte of a name that is no UTF-8
        else sign.encode("unicode_escape").decode()
        for sign in text
    )
