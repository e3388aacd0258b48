"""A whole run of the pipeline, from formatted events to published tables: `pipeline.py EVENTS OUT`.

`load` lands the file, formats it and runs once, so that the kernels are compiled. `run` computes every table
of the last day anew, over all days of the file: counted, fitted, audited and published with their receipt.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from benchmarks.hourly_components.data import FIRST_DAY
from benchmarks.hourly_components.hours import days_of, keep
from benchmarks.per_group.phases import Phases, skip

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
    if find_spec(PIPELINE) is None:
        skip(f"there is no {PIPELINE}")
        return
    from backbone import open_project, run

    out.mkdir(parents=True)
    texts = {"pipeline": PIPELINE, "memory": memory, "events": str(file.resolve())}
    quoted = {name: json.dumps(text) for name, text in texts.items()}
    settings = SETTINGS.format(days=days_of(file), **quoted)
    (out / "backbone.toml").write_text(settings, encoding="utf-8")
    phases = Phases()
    last = datetime(1970, 1, 1, tzinfo=UTC) + (FIRST_DAY + days_of(file) - 1) * DAY
    with phases("load"):
        assert run(open_project(out)).ok
    with phases("run"):
        assert run(open_project(out), ["network_anomalies"], start=last, end=last + DAY, force=True).ok
    keep(out, {})
    phases.print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--memory", default="4GB")
    given = parser.parse_args()
    main(given.file, given.out, given.memory)
