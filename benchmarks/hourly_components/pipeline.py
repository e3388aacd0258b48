"""A whole run of the pipeline, from formatted events to published tables: `pipeline.py EVENTS OUT`.

`load` lands the file, formats it and runs once, so that the kernels are compiled. `count` counts all days
anew, as the one GROUP BY of all events does; their sums are compared with the events, and they are published
with their receipt. `run` is what a new day costs: it is counted, and all its tables are computed, audited and
published.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backbone import open_project, run
from backbone.dataset import Window
from backbone.engines import open_engine
from backbone.engines.duckdb.rewriter import delta_store
from backbone.exploitation.build import build
from backbone.exploitation.compute import Due
from backbone.loading import models_of
from backbone.runner import Project
from benchmarks.hourly_components.data import FIRST_DAY
from benchmarks.hourly_components.hours import days_of, keep
from benchmarks.per_group.phases import Phases

DAY = timedelta(days=1)
PIPELINE = "backbone.pipelines.network_anomalies"
SETTINGS = """
[project]
pipelines = [{pipeline}]

[engine]
memory_limit = {memory}

[sources.user_activity]
path = {events}
columns = {{ user_name = "user", started_at = "time" }}

[pipelines.network_anomalies]
days = {days}
"""


def main(file: Path, out: Path, memory: str) -> None:
    out.mkdir(parents=True)
    texts = {"pipeline": PIPELINE, "memory": memory, "events": str(file.resolve())}
    quoted = {name: json.dumps(text) for name, text in texts.items()}
    settings = SETTINGS.format(days=days_of(file), **quoted)
    (out / "backbone.toml").write_text(settings, encoding="utf-8")
    phases = Phases()
    first = datetime(1970, 1, 1, tzinfo=UTC) + FIRST_DAY * DAY
    last = first + (days_of(file) - 1) * DAY
    with phases("load"):
        assert run(open_project(out)).ok
    with phases("count"):
        count_all(
            open_project(out), [Window(first + n * DAY, first + (n + 1) * DAY) for n in range(days_of(file))]
        )
    with phases("run"):
        assert run(open_project(out), ["network_anomalies"], start=last, end=last + DAY, force=True).ok
    keep(out, {})
    phases.print()


def count_all(project: Project, days: Sequence[Window]) -> None:
    """Count, audit and publish all days in one commit."""
    (counts,) = (m for m in models_of(project.pipelines) if m.dataset == "exploitation.hourly_count")
    scratch = project.scratch("count")
    due = [Due(counts, days, replaces_all=True)]
    with project.database() as database, open_engine(project.settings.engine.kind, database) as engine:
        store = delta_store(project.lake, database, scratch)
        assert list(build(project.lake, store, engine, due, run_id="count", scratch=scratch))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--memory", default="4GB")
    given = parser.parse_args()
    main(given.file, given.out, given.memory)
