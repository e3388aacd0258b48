"""Which files of a source are to be formatted, which stay as they are, and which it goes on without."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backbone.dataset import Batch
from backbone.formatted.source import FormattedSource
from backbone.lake.table import Lake
from backbone.ledger.known import Known
from backbone.ledger.manifest import Manifest

GIVEN_UP = "given_up"  # what receipts remember


@dataclass(frozen=True)
class Outstanding:
    """The state of a source's files.

    Attributes
    ----------
    in_force : the batches formatted under the present contract and settings.
    unchanged : those of them whose rows stay in the table.
    waiting : the versions of each file to format, newest first, without those given up.
    given_up : batches that were given up under the present contract and settings.
    given_up_before : those given up under others, which are tried again.
    """

    in_force: frozenset[str]
    unchanged: frozenset[str]
    waiting: list[list[Batch]]
    given_up: frozenset[str] = frozenset()
    given_up_before: frozenset[str] = frozenset()


def outstanding(
    lake: Lake, source: FormattedSource, manifest: Manifest, known: Mapping[str, Known]
) -> Outstanding:
    """What is to be done for a source.

    Parameters
    ----------
    known : the batches formatted so far.
    """
    fingerprint = source.fingerprint
    in_force = frozenset(batch for batch, was in known.items() if was.fingerprint == fingerprint)
    files = manifest.versions(source.name, source.settings.redelivery)
    unchanged, waiting = _split(files, in_force)
    if not waiting:  # the usual case, in which the table's log need not be opened
        return Outstanding(in_force, unchanged, waiting)
    receipt = lake.last_receipt(source.dataset)
    remembered = frozenset(receipt.remembered.get(GIVEN_UP, ())) if receipt is not None else frozenset()
    remembered &= {batch.batch for versions in files for batch in versions}
    if receipt is None or receipt.fingerprint != fingerprint:
        return Outstanding(in_force, unchanged, waiting, given_up_before=remembered)
    unchanged, waiting = _split(without(files, remembered), in_force)
    return Outstanding(in_force, unchanged, waiting, remembered)


def without(files: Sequence[Sequence[Batch]], batches: Collection[str]) -> list[list[Batch]]:
    """The versions of each file but for some batches; no file of which nothing is left."""
    left = [[batch for batch in versions if batch.batch not in batches] for versions in files]
    return [versions for versions in left if versions]


def given_up(lake: Lake, dataset: str) -> frozenset[str]:
    """The batches that a formatted table was published without."""
    receipt = lake.last_receipt(dataset)
    return frozenset(receipt.remembered.get(GIVEN_UP, ())) if receipt is not None else frozenset()


def _split(
    files: Sequence[list[Batch]], in_force: Collection[str]
) -> tuple[frozenset[str], list[list[Batch]]]:
    unchanged = frozenset(versions[0].batch for versions in files if versions[0].batch in in_force)
    return unchanged, [versions for versions in files if versions[0].batch not in unchanged]
