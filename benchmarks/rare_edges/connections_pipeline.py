"""The source of the pipeline `rare_edges` alone, so that landing and formatting are timed apart."""

from __future__ import annotations

from backbone import Pipeline
from backbone.pipelines.rare_edges.pipeline import CONNECTION

pipeline = Pipeline("connections", every="hour", sources=[CONNECTION], steps=[])
