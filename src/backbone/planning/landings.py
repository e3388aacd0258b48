"""What is to be landed, and the feeds of the sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from backbone.asked import Asked
from backbone.errors import BackboneError
from backbone.landing.persistent import Feed
from backbone.landing.waiting import Waiting, left_by_a_dead_run, waiting
from backbone.ledger.manifest import DATASET, Manifest
from backbone.loading import source_settings
from backbone.operations.reasons import FORCED, NEW, REFETCH, Reason
from backbone.pipeline import Source
from backbone.planning.task import Part, Task
from backbone.project import Project


@dataclass
class Arriving:
    """By source what waits, why it can't be known, and the sources whose query is asked at every run."""

    found: dict[str, Waiting] = field(default_factory=dict)
    refused: dict[str, BackboneError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


def look_for(
    project: Project, manifest: Manifest, sources: Iterable[tuple[Source, str]], asked: Asked
) -> Arriving:
    """What waits in some sources; nothing is read or moved."""
    arriving = Arriving()
    left = left_by_a_dead_run(project.root, manifest, [s.name for s, _ in project.sources])
    for source, every in sources:
        try:
            seen = waiting(project.root, feed_of(project, source, every), manifest, asked)
        except (BackboneError, OSError) as error:
            failure = error if isinstance(error, BackboneError) else BackboneError(source.dataset, str(error))
            arriving.refused[f"source {source.name}"] = failure
            continue
        if seen.is_asked:
            arriving.asked.append(source.name)
        more = left.get(source.name, Waiting())
        seen = replace(seen, files=seen.files + more.files, bytes=seen.bytes + more.bytes)
        if seen:
            arriving.found[source.name] = seen
    return arriving


def plan_landing(
    project: Project, sources: Iterable[tuple[Source, str]], asked: Asked, arriving: Arriving | None = None
) -> Task:
    """The task that lands some sources; all of them, whether something waits or not, without `arriving`."""
    parts = []
    for source, every in sources:
        seen = Waiting() if arriving is None else arriving.found.get(source.name, Waiting())
        if arriving is None or seen:
            again = Reason(FORCED if asked.force else REFETCH, count=seen.again)
            first = Reason(NEW, count=seen.files + len(seen.windows) - seen.again)
            why = tuple(reason for reason in (first, again) if reason.count)
            part = Part(DATASET, why, source=source.name, every=every)
            parts.append(replace(part, windows=seen.windows, files=seen.files, bytes=seen.bytes))
    return Task("land", tuple(parts), asked=asked)


def feed_of(project: Project, source: Source, every: str) -> Feed:
    """What feeds a source, whose query is extracted by the hour, day, … unless its settings say otherwise."""
    settings = source_settings(project.settings, source)
    connection = project.settings.connections.get(settings.connection or "")
    return Feed(source.name, settings, connection, settings.every or every)
