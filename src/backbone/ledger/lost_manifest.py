"""A manifest that is gone with the ledger that remembered it: the formatted tables say that there was one."""

from __future__ import annotations

from backbone.dataset import Dataset
from backbone.lake.table import Lake
from backbone.ledger.damage import Damage
from backbone.ledger.manifest import DATASET


def lost_manifest(lake: Lake) -> Damage | None:
    """As the damage of a log of which no version is left; None where the manifest is there, or never was."""
    if lake.exists(DATASET):
        return None
    formatted = [name for name in lake.datasets() if Dataset.of(name).zone == "formatted"]
    receipts = [receipt for name in formatted if (receipt := lake.last_receipt(name)) is not None]
    last = max((receipt.inputs.get(DATASET, -1) for receipt in receipts), default=-1)
    if last < 0:
        return None
    return Damage(DATASET, -1, last, f"expected the commit of version {last}, found none")
