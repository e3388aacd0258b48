"""The same bytes under two names of one source: two files whose rows both count, perhaps one delivery."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from backbone.dataset import Batch
from backbone.formatted.source import FormattedSource
from backbone.landing.persistent import WHOLE
from backbone.printable import shown


def same_bytes_warnings(
    source: FormattedSource, in_table: Iterable[Batch], new: Collection[str]
) -> list[str]:
    """A warning for each group of files with the same bytes, if the rows of one of them are new in the table.

    Results of queries are exempt.

    Parameters
    ----------
    in_table : the batches whose rows are in the table, without those that have no row.
    new : those of them whose rows have come now.
    """
    groups: dict[str, dict[str, Batch]] = {}
    for batch in in_table:
        if batch.window_start is None and batch.name != WHOLE:
            groups.setdefault(batch.sha256, {})[batch.name] = batch
    warnings = []
    for files in groups.values():
        if len(files) < 2 or not any(batch.batch in new for batch in files.values()):
            continue
        ordered = sorted(files.values(), key=lambda b: (b.arrived_at, b.name))
        first, *others = (repr(shown(b.name)) for b in ordered)
        names = others[0] + (f" (and {len(others) - 1:,} more)" if len(others) > 1 else "")
        warnings.append(f"{names} has the same bytes as {first}{_consequence(source)}")
    return sorted(warnings)


def _consequence(source: FormattedSource) -> str:
    """What becomes of the rows, and what to do about it."""
    if source.keys:
        return "; its rows are duplicates under the Key of the contract"
    way_out = "give the contract a Key"
    if source.settings.redelivery == "replace":
        way_out = f"deliver one of the two with its header only, or {way_out}"
    return f", and the rows of both count. If it is one delivery, {way_out}"
