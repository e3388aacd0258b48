"""Backbone, from the formatted offers on disk to a published table of models: `product.py FILE OUT`.

`load` lands the file and formats it, as a database is loaded before it is asked. `fit` is a whole run that
fits all users anew: the project is opened, what is stale is found out, the offers are read and sorted, the
models are fitted, audited and published with their receipt. `score` is the same for every user × candidate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from backbone import open_project, run
from benchmarks.per_group.data import CANDIDATES
from benchmarks.per_group.phases import Phases

SETTINGS = """
[project]
pipelines = ["benchmarks.per_group.model_pipeline", "benchmarks.per_group.score_pipeline"]

[engine]
memory_limit = {memory}

[sources.offer]
path = {offers}

[sources.candidate_offer]
path = {candidates}
"""


def main(file: Path, out: Path, memory: str) -> None:
    out.mkdir(parents=True)
    paths = {"offers": file.resolve(), "candidates": file.resolve().with_name(CANDIDATES)}
    quoted = {name: json.dumps(str(path)) for name, path in paths.items()}
    (out / "backbone.toml").write_text(SETTINGS.format(memory=json.dumps(memory), **quoted), encoding="utf-8")
    phases = Phases()
    with phases("load"):  # fits once as well, so that the kernels are compiled
        assert run(open_project(out)).ok
    with phases("fit"):
        assert run(open_project(out), ["models"], force=True).ok
    with phases("score"):
        assert run(open_project(out), ["scores"], force=True).ok
    phases.print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--memory", default="4GB")
    given = parser.parse_args()
    main(given.file, given.out, given.memory)
