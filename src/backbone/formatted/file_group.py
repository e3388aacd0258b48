"""Several small files that one statement reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backbone.dataset import Batch
from backbone.engines.protocol import Engine
from backbone.formatted.parsed import Parsed

MOST_FILES = 500
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class FileGroup:
    """Files with the same columns.

    Attributes
    ----------
    versions : of each file its versions, of which there is one.
    stage : reads them with an engine into a table of a given name, which has a column `_batch`; returns, by
        batch, what was seen of the file.
    """

    versions: list[list[Batch]]
    stage: Callable[[Engine, str], Mapping[str, Parsed]]

    @property
    def batches(self) -> tuple[str, ...]:
        return tuple(versions[0].batch for versions in self.versions)
