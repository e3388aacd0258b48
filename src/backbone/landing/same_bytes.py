"""The same bytes under two names of one source: two files whose rows both count, perhaps one delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from backbone.dataset import Batch
from backbone.landing.persistent import WHOLE, Feed
from backbone.ledger.manifest import Manifest
from backbone.printable import shown
from backbone.settings import SourceSettings

SMALL = 64 * 1024  # bytes; a header alone is no longer


def same_bytes_warnings(
    project: Path, manifest: Manifest, new: Sequence[Batch], feeds: Mapping[str, Feed]
) -> list[str]:
    """A warning for each group of files of a source whose current versions have the same bytes.

    Only groups with a new file are named. Results of queries are exempt, as is a table without rows.

    Parameters
    ----------
    manifest : all batches, the new ones too.
    feeds : by source.
    """
    landed = [b for b in new if b.status == "landed" and not _is_fetched(b)]
    if not landed:
        return []
    fresh = {b.batch for b in landed}
    wanted = {(b.source, b.sha256) for b in landed}
    groups: dict[tuple[str, str], list[Batch]] = {}
    for batch in manifest.current().values():
        if (batch.source, batch.sha256) in wanted and not _is_fetched(batch):
            groups.setdefault((batch.source, batch.sha256), []).append(batch)
    warnings = []
    for (source, _), batches in sorted(groups.items()):
        batches = sorted(batches, key=lambda b: (b.arrived_at, b.name))
        if len(batches) < 2 or not any(b.batch in fresh for b in batches):
            continue
        feed = feeds.get(source, Feed(source, SourceSettings()))
        if not _has_rows(project / batches[-1].path, feed.settings):
            continue
        first, *others = (repr(shown(b.name)) for b in batches)
        names = others[0] + (f" (and {len(others) - 1:,} more)" if len(others) > 1 else "")
        warnings.append(f"source {source}: {names} has the same bytes as {first}{_consequence(feed)}")
    return warnings


def _consequence(feed: Feed) -> str:
    """What becomes of the rows, and what to do about it."""
    if feed.has_key:
        return "; its rows are duplicates under the Key of the contract"
    way_out = "give the contract a Key"
    if feed.settings.redelivery == "replace":
        way_out = f"deliver one of the two with its header only, or {way_out}"
    return f", and the rows of both count. If it is one delivery, {way_out}"


def _is_fetched(batch: Batch) -> bool:
    return batch.window_start is not None or batch.name == WHOLE


def _has_rows(path: Path, settings: SourceSettings) -> bool:
    """Whether a file has more than its header; days without a row may well have the same bytes."""
    try:
        if path.stat().st_size > SMALL:
            return True
        text = path.read_bytes()
    except OSError:
        return True
    lines = [line for line in text.splitlines()[settings.skip :] if line.strip()]
    is_table = settings.header and text[:1] not in (b"{", b"[")
    return len(lines) > (1 if is_table else 0)
