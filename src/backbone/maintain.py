"""Keep a project small: join small files, let versions expire, and remove what nothing refers to."""

from __future__ import annotations

from dataclasses import dataclass, field

from backbone.errors import BackboneError
from backbone.perform import Waits, open_session, upkeep_of
from backbone.project import Progress, Project
from backbone.upkeep.join_small_files import join_small_files
from backbone.upkeep.shorten_logs import Freed


@dataclass(frozen=True)
class Maintained:
    """What `maintain` freed, by table, those of which nothing went left out.

    `warnings` are of damaged logs. Where there are any, these were mended and nothing was freed. `lost` are
    of pinned versions that can't be read any more, and `failures` of tables that were left as they are.
    """

    tables: tuple[Freed, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    lost: tuple[BackboneError, ...] = field(default=())
    failures: tuple[BackboneError, ...] = field(default=())

    @property
    def files(self) -> int:
        return sum(table.files for table in self.tables)

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)


def maintain(
    project: Project, progress: Progress = lambda text: None, waits: Waits | None = None
) -> Maintained:
    """Do all upkeep of a project, under its lock.

    Rows, receipts and versions that are kept stay. It can be ended at any point and done again.
    """
    with open_session(project, progress, waits or Waits()) as session:
        if session.warnings:
            return Maintained(warnings=tuple(session.warnings))
        upkeep = upkeep_of(session)
        for dataset in project.lake.datasets():
            progress(f"join small files of {dataset}")
            try:
                upkeep.of(dataset).joined = join_small_files(session.work, dataset)
            except BackboneError as error:
                upkeep.failures.append(error)
        session.index.update()
        session.index.write()
        upkeep.shorten()
        tables = (freed for freed in upkeep.freed.values() if freed.files or freed.joined)
        return Maintained(
            tuple(sorted(tables, key=lambda freed: freed.dataset)),
            tuple(upkeep.warnings),
            lost=tuple(lost.error() for lost in upkeep.lost),
            failures=tuple(upkeep.failures),
        )
