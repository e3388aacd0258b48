"""The originals in persistent landing, compared with the hash that they were recorded with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backbone.dataset import Batch
from backbone.errors import BatchRefused

Mark = tuple[int, int, int, int]


class Originals:
    """Files that this process has hashed; one that is untouched since then is not hashed again."""

    def __init__(self) -> None:
        self._hashed: dict[str, tuple[Mark, str]] = {}

    def digest(self, path: Path) -> tuple[str, int]:
        """The SHA-256 of a file in hexadecimal, and its bytes."""
        known = self._hashed.get(str(path))
        if known is not None and known[0] == _mark(os.stat(path)):  # noqa: PTH116
            return known[1], known[0][0]
        with path.open("rb") as file:
            before = _mark(os.fstat(file.fileno()))
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if _mark(os.fstat(file.fileno())) == before:
                self._hashed[str(path)] = before, found
        return found, before[0]

    def refused(self, project: Path, dataset: str, batches: Iterable[Batch]) -> dict[str, BatchRefused]:
        """Those of some batches whose originals are not the bytes that were delivered, and why; by batch.

        Files that are gone or can't be read are left to whoever reads them.
        """
        batches = list(batches)

        def compare(batch: Batch) -> BatchRefused | None:
            try:
                found, size = self.digest(project / batch.path)
            except OSError:
                return None
            if found == batch.sha256:
                return None
            return BatchRefused(
                f"{dataset}, {batch.name}",
                f"expected the {batch.bytes:,} bytes that were delivered (SHA-256 {batch.sha256[:12]}…), "
                f"found {size:,} other ones ({found[:12]}…): {batch.path} was edited or damaged",
                "Nothing of it is formatted.",
                "put the delivered file back in its place, or have it delivered again",
            )

        if not batches:
            return {}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = zip(batches, pool.map(compare, batches), strict=True)
            return {batch.batch: error for batch, error in found if error is not None}


def _mark(stat: os.stat_result) -> Mark:
    """What changes when a file is written to."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
