"""A file of a group that one statement reads."""

from __future__ import annotations

from dataclasses import dataclass

from backbone.dataset import Batch


@dataclass(frozen=True)
class Member:
    """A file of a group, opened.

    Attributes
    ----------
    alike : equal for files that one statement can read.
    size : bytes, not compressed.
    """

    batch: Batch
    alike: object
    size: int
