"""What the stages that work on local files are given: the tables, a database, a folder and a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backbone.lake.originals import Originals
from backbone.lake.store import DeltaStore
from backbone.lake.table import Lake

if TYPE_CHECKING:
    from backbone.engines.duckdb.database import Database


@dataclass(frozen=True)
class LocalWork:
    """Where landing, formatting and exports do their work.

    Parameters
    ----------
    scratch : a folder for files that are about to be published.
    progress : gets what is being done now.
    originals : the landed files that this run has hashed.
    """

    lake: Lake
    database: Database
    scratch: Path
    run_id: str = ""
    progress: Callable[[str], None] = lambda text: None
    originals: Originals = field(default_factory=Originals)

    @property
    def store(self) -> DeltaStore:
        from backbone.engines.duckdb.rewriter import delta_store

        return delta_store(self.lake, self.database, self.scratch)
