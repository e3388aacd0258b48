"""Pin versions of tables, so that they can be read whatever expires around them, and let go of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from backbone.errors import SettingsError
from backbone.lake.table import Lake
from backbone.ledger import pins as ledger
from backbone.ledger.pins import Pin
from backbone.perform import Session, Waits, open_session
from backbone.project import Project

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Say = Callable[[str], None]


def _say_nothing(text: str) -> None:
    """Pass over it."""


def pin(
    project: Project,
    name: str,
    versions: Mapping[str, int | None],
    *,
    lock_wait_s: float = 3600.0,
    on_wait: Say = _say_nothing,
    on_warning: Say = _say_nothing,
) -> list[Pin]:
    """Keep versions of tables under a name, all or none of them.

    Parameters
    ----------
    name : of letters, digits, `.`, `_` and `-`; a name may keep versions of several tables.
    versions : by table, the version; None for the present one.
    lock_wait_s : how long to wait for a run that is writing; `on_wait` is called with which one it is.
    on_warning : is called with a sentence for each log that was found damaged, and mended.

    Returns
    -------
    The new pins: what the name keeps already is left out.

    Raises
    ------
    BackboneError
        When a version can't be read, such as one that has expired; nothing is pinned then.
    """
    if not NAME.fullmatch(name):
        raise SettingsError(
            "pin",
            f"expected a name of letters, digits, '.', '_' and '-', found {name!r}",
            "Nothing is pinned.",
            "choose another name",
        )
    with open_session(project, _say_nothing, Waits(lock_wait_s, on_wait)) as session:
        made = ledger.pin(session.work, name, versions)
        _end(session, on_warning)
    return made


def unpin(
    project: Project,
    name: str,
    versions: Mapping[str, int | None] | None = None,
    *,
    lock_wait_s: float = 3600.0,
    on_wait: Say = _say_nothing,
    on_warning: Say = _say_nothing,
) -> list[Pin]:
    """Let go of what a name keeps; these versions expire like others.

    Parameters
    ----------
    versions : only these: by table, the version, or None for all versions of it. By default all.

    Returns
    -------
    The pins that are gone; none where there was none of this name.
    """
    with open_session(project, _say_nothing, Waits(lock_wait_s, on_wait)) as session:
        gone = ledger.unpin(session.work, name, versions)
        _end(session, on_warning)
    return gone


def pins(project: Project) -> list[Pin]:
    """All pins of a project, oldest first; each has `name`, `dataset`, `version` and `created_at`."""
    with project.database(f"reader-{os.getpid()}") as database:
        return ledger.pins(Lake(project.root), database)


def _end(session: Session, on_warning: Say) -> None:
    session.index.update()
    for warning in session.warnings:
        on_warning(warning)
