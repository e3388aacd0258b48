"""Bring the lists that the settings ask for to what is published."""

from __future__ import annotations

from datetime import datetime

from backbone.dataset import instant_of, windows_between
from backbone.errors import BackboneError
from backbone.exploitation.csv_export import exported_version, write_export
from backbone.loading import LoadedPipeline
from backbone.perform import Session
from backbone.planning.selection import Selection


def publish_exports(session: Session, selection: Selection) -> dict[str, BackboneError]:
    """Write the lists of the selected tables that are behind; returns what failed, by the lists' name."""
    selected = {model.dataset for model in selection.models}
    failures: dict[str, BackboneError] = {}
    for loaded in selection.pipelines:
        failures |= _publish(session, loaded, selected)
    return failures


def _publish(session: Session, loaded: LoadedPipeline, selected: set[str]) -> dict[str, BackboneError]:
    lake, failures = session.project.lake, {}
    for export in loaded.pipeline.exports:
        place = loaded.parameters[export.parameter]
        wanted = export.dataset in selected and lake.exists(export.dataset)
        if not place or loaded.every is None or not wanted:
            continue
        folder, now = session.project.root / place, lake.version(export.dataset)
        known = exported_version(lake, export, folder)
        if known == now:
            continue
        session.index.update()
        session.progress(f"write lists of {export.table}")
        since = [c for c in session.index.changes(export.dataset) if known is not None and known < c.version]
        windows: list[datetime] | None = None
        if since and all(change.low is not None for change in since):
            found = {
                window.start
                for change in since
                if change.low is not None and change.high is not None
                for window in windows_between(instant_of(change.low), instant_of(change.high), loaded.every)
            }
            windows = sorted(found)
        try:
            write_export(lake, session.database, export, folder, windows)
        except BackboneError as error:
            failures[f"lists of {export.table}"] = error
    return failures
