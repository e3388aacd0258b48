"""Names of files: which are never taken over."""

from __future__ import annotations

from pathlib import Path

from backbone.printable import shown

UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart")
NO_DATA = (".DS_Store", ".gitignore", ".gitkeep", ".keep")
EDITORS = ("~", ".bak", ".orig", ".swp", ".swo")


def is_unfinished(name: str) -> bool:
    """Whether a name says that somebody is still writing; rsync and others begin it with a dot."""
    return name.lower().endswith(UNFINISHED) or name[0] == "."


def why_left(path: Path) -> str:
    """Why a file was not taken over, and what can be done about it, as a sentence.

    Examples
    --------
    >>> print(why_left(Path("a.part")))
    Left for the next run, as it is still being written: a.part (its name says so; rename it when it is whole)
    """
    if path.name.startswith("."):
        return (
            f"Not taken: {shown(path)}: hidden files are not, since rsync and others write under such names. "
            "If it is whole, rename it without the dot in front"
        )
    by_name = " (its name says so; rename it when it is whole)" if is_unfinished(path.name) else ""
    return f"Left for the next run, as it is still being written: {shown(path)}{by_name}"


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
