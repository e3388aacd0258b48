"""Rows that an engine knows by a name of its own; what a relation means never changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Within:
    """The rows of a range: `start <= column < end`."""

    column: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Relation:
    """Rows of an engine: a version of a table, a range of it, or the staged result of a query.

    Parameters
    ----------
    name : how SQL of the engine calls it, ready to stand after `from`; `str()` gives it too.
    rows : their number, where it is known.
    notes : what the making of it says to a reader of the receipt.

    Examples
    --------
    >>> f"select count(*) from {Relation('staged_7', 12)}"
    'select count(*) from staged_7'
    """

    name: str
    rows: int | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name
