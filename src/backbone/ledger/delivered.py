"""The hash of each original as it was delivered, which the receipts of landing keep beside the manifest.

The ledger has these receipts too, so they outlive a manifest that is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from backbone.dataset import Batch, Receipt

MEASURE = "originals"


@dataclass(frozen=True)
class Delivered:
    """The SHA-256 of a file in hexadecimal, and its length."""

    sha256: str
    bytes: int


def as_measures(batches: Iterable[Batch]) -> dict[str, str]:
    """The measure of a receipt that records these batches."""
    landed = {b.batch: [b.sha256, b.bytes] for b in batches if b.status == "landed"}
    return {MEASURE: json.dumps(landed, separators=(",", ":"))} if landed else {}


def delivered_of(measures: Iterable[str]) -> dict[str, Delivered]:
    """By batch, what was delivered; of a batch that was recorded again, what was known of it first.

    Parameters
    ----------
    measures : as `as_measures` has them, the oldest first.

    Examples
    --------
    >>> delivered_of(['{"7f3a":["0a2482",60]}', '{"7f3a":["9b4411",61]}'])
    {'7f3a': Delivered(sha256='0a2482', bytes=60)}
    """
    found: dict[str, Delivered] = {}
    for text in measures:
        for batch, (sha256, size) in json.loads(text).items():
            found.setdefault(batch, Delivered(sha256, size))
    return found


def measure_of(receipt: Receipt | None) -> list[str]:
    """The measure of one receipt, where it has one."""
    text = None if receipt is None else receipt.measures.get(MEASURE)
    return [] if text is None else [text]


def as_delivered(batch: Batch, delivered: Mapping[str, Delivered]) -> Batch:
    """A batch that is recorded again, with the hash that it was delivered with, where that is known.

    If its original has other bytes by now, it is found as any edited one is. It has no `origin` then, by
    which it would be taken for untouched.
    """
    known = delivered.get(batch.batch)
    if known is None or known.sha256 == batch.sha256:
        return batch
    return replace(batch, sha256=known.sha256, bytes=known.bytes, origin="")


def unknown_sentence(batches: Iterable[Batch], delivered: Mapping[str, Delivered]) -> str:
    """Of how many originals that are recorded again it can't be seen whether they were edited; or nothing."""
    count = sum(b.status == "landed" and b.batch not in delivered for b in batches)
    if not count:
        return ""
    some, they = ("1 original", "it was") if count == 1 else (f"{count:,} originals", "they were")
    return (
        f"{some} recorded with the hash of the bytes there are now, as no receipt has the hash of those that "
        f"were delivered: if {they} edited, nothing shows it"
    )
