"""The originals in persistent landing, compared with their records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from backbone.dataset import Batch
from backbone.lake.finding import Finding, What
from backbone.landing.persistent import origin_of
from backbone.ledger.manifest import DATASET, Manifest
from backbone.printable import shown
from backbone.storage_refused import raise_refusal

MANY = 200  # files between two reports of progress
BACK = "put the delivered file back in its place, or have it delivered again; then backbone run"


def check_originals(
    project: Path, manifest: Manifest, progress: Callable[[str], None], *, deep: bool
) -> Iterator[Finding]:
    """The originals that are gone, or not the bytes that were delivered.

    Parameters
    ----------
    deep : hash all of them; else those whose size or modification time is another one than they came with,
        or that came without.
    """
    kept = [batch for batch in manifest.batches if batch.status == "landed"]
    for number, batch in enumerate(kept):
        if number % MANY == 0:
            progress(f"check originals: {number + 1:,} of {len(kept):,}")
        problem = original_problem(project, batch, deep=deep)
        if problem is not None:
            yield Finding(
                What.ORIGINAL,
                DATASET,
                shown(batch.path),
                *problem,
                f"It can't be formatted again (batch {batch.batch} of source {batch.source}).",
                BACK,
            )


def original_problem(project: Path, batch: Batch, *, deep: bool) -> tuple[str, str] | None:
    """What was expected and found where an original is not what was delivered.

    Raises
    ------
    StorageRefused
        When the right to read it is missing.
    """
    path = project / batch.path
    try:
        size = path.stat().st_size
        if not path.is_file():
            return "the file that was delivered", "something else"
        if size != batch.bytes:
            return f"the {batch.bytes:,} bytes that were delivered", f"{size:,}"
        if not deep and batch.origin and origin_of(path) == batch.origin:
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return f"the {batch.bytes:,} bytes that were delivered", "no such file"
    except OSError as error:
        raise_refusal(error)
        return "a file that can be read", error.strerror or str(error)
    if digest == batch.sha256:
        return None
    return f"the bytes that were delivered (SHA-256 {batch.sha256[:12]}…)", f"other ones ({digest[:12]}…)"
