"""What the ledger knows of the batches of a source, and how rows that won again are noted."""

from __future__ import annotations

from dataclasses import dataclass

from backbone.dataset import BatchCount

REVIVED = "revived"
"""The measure in a formatted table's receipt: rows that were duplicates and are formatted again."""
TRIM = "trim"
"""The stage of the commit that then takes them out of the duplicates."""


@dataclass(frozen=True)
class Known:
    """What is known of a batch formatted before: under which fingerprint, and its rows."""

    fingerprint: str
    count: BatchCount
