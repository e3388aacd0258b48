"""Names of files: which are never taken over."""

from __future__ import annotations

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
