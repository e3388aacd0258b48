"""What the ledger knows of batches, windows and commits, and how rows that won again are noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backbone.dataset import BatchCount

REVIVED = "revived"
"""The measure in a formatted table's receipt: rows that were duplicates and are formatted again."""
TRIM = "trim"
"""The stage of the commit that then takes them out of the duplicates."""
LOST = "lost"
"""The stage of what is remembered of a table that is gone."""
FROM = "from"
"""The measure in the receipt of a restart: the version that it goes on from."""


@dataclass(frozen=True)
class Known:
    """What is known of a batch formatted before: under which fingerprint, and its rows."""

    fingerprint: str
    count: BatchCount


@dataclass(frozen=True)
class WindowState:
    """What a window (or a table that is one whole, `start` None) was last computed from, in which version."""

    start: datetime | None
    every: str | None
    fingerprint: str
    inputs: dict[str, int]
    version: int = -1


@dataclass(frozen=True)
class Change:
    """Hours `[low, high)` that a version of a dataset changed; None for all of it."""

    version: int
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Commit:
    """Which stage made a version of a dataset, and under which fingerprint."""

    stage: str
    fingerprint: str


@dataclass(frozen=True)
class Warned:
    """What the runs last warned of a dataset, and when."""

    dataset: str
    at: datetime
    warnings: tuple[str, ...]
