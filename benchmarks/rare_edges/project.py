"""A project with the pipeline `rare_edges`, whose connections are formatted before it is timed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from backbone import open_project, run

SETTINGS = """
[project]
pipelines = ["benchmarks.rare_edges.connections_pipeline", "backbone.pipelines.rare_edges"]

[engine]
memory_limit = {memory}

[sources.connection]
path = {path}
"""


def formatted(root: Path, path: str, memory: str) -> None:
    """Make a project and format what lies at a path; no table of it is built."""
    root.mkdir(parents=True)
    text = SETTINGS.format(memory=json.dumps(memory), path=json.dumps(path))
    (root / "backbone.toml").write_text(text, encoding="utf-8")
    format_new(root)


def format_new(root: Path) -> None:
    """Land and format what has come in."""
    assert run(open_project(root), ["connections"]).ok


def build(root: Path) -> None:
    """Open the project, and compute, check and publish the windows that are stale."""
    result = run(open_project(root), ["rare_edges"])
    assert result.ok, [str(error) for error in result.failures.values()]


def unbuilt(root: Path) -> None:
    """Forget all that was computed from the formatted tables, and the index over it."""
    for zone in ("exploitation", "operations"):
        shutil.rmtree(root / zone, ignore_errors=True)
