"""The same bytes under two names of one source: two files whose rows both count, perhaps one delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from backbone.dataset import Batch
from backbone.landing.manifest import Manifest
from backbone.landing.names import shown
from backbone.landing.persistent import WHOLE
from backbone.settings import SourceSettings

SMALL = 64 * 1024  # bytes; a header alone is no longer


def same_bytes_warnings(
    project: Path, manifest: Manifest, new: Sequence[Batch], settings: Mapping[str, SourceSettings]
) -> list[str]:
    """A warning for each group of files of a source whose current versions have the same bytes.

    Only groups with a new file are named. Results of queries are exempt, as is a table without rows.

    Parameters
    ----------
    manifest : all batches, the new ones too.
    settings : those of each source.
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
        of_source = settings.get(source, SourceSettings())
        if not _has_rows(project / batches[-1].path, of_source):
            continue
        first, *others = (repr(shown(b.name)) for b in batches)
        names = others[0] + (f" (and {len(others) - 1:,} more)" if len(others) > 1 else "")
        way_out = "a Key in the contract counts such rows once"
        if of_source.redelivery == "replace":
            way_out = (
                f"to take the rows of {others[0]} out, deliver a file of this name with the header only; "
                + way_out
            )
        warnings.append(
            f"source {source}: {names} has the same bytes as {first}; both are landed, so each row counts "
            f"twice if it is one delivery under two names. {way_out[0].upper()}{way_out[1:]}"
        )
    return warnings


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
