"""Which windows are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Asked:
    """Which windows a run is asked for.

    Parameters
    ----------
    now : windows that end later have not closed.
    start, end : restrict to the windows that overlap this range, and add its empty ones; queries are
        extracted over it too.
    force : also windows that are not stale, and those that have been extracted; a table without windows only
        where no range is given.
    """

    now: datetime
    start: datetime | None = None
    end: datetime | None = None
    force: bool = False

    @property
    def is_range(self) -> bool:
        return self.start is not None or self.end is not None
