"""What is there: the accounts of every source, and every table with its windows."""

from __future__ import annotations

from datetime import UTC, datetime

from backbone.landing.manifest import read_manifest
from backbone.loading import models_of, source_settings
from backbone.operations.accounts import SourceAccount, source_account
from backbone.operations.index import Index
from backbone.operations.status import TableStatus, table_status
from backbone.runner import Project


def overview(project: Project, reader: str) -> tuple[list[SourceAccount], list[TableStatus]]:
    """The state of a project now.

    Parameters
    ----------
    reader : a name for the folder that the engine may spill to; two at the same time have different ones.
    """
    with project.engine(reader) as engine:
        index = Index(project.lake, engine, project.scratch(reader))
        index.complete()
        manifest = read_manifest(project.lake, engine)
        sources = [
            source_account(s.name, source_settings(project.settings, s).redelivery, manifest, index)
            for s, _ in project.sources
        ]
        now = datetime.now(UTC)
        tables = [
            table_status(project.lake, engine, index, model, now) for model in models_of(project.pipelines)
        ]
    return sources, tables
