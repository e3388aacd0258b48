"""Backbone, from the formatted connections on disk to published alerts: `product.py FILE OUT`.

`load` lands the file and formats it, as a database is loaded before it is asked. `build` is a whole run: the
project is opened, what is stale is found out, connections are counted, every edge is watched, all three
tables are audited and published with their receipts. The kernels have been loaded before, as those of a
long-lived process have.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pyarrow as pa

from backbone import RareEdgeDetector
from benchmarks.per_group.phases import Phases
from benchmarks.rare_edges.project import build, formatted

ONE = {"source": ["a"], "destination": ["b"], "hour": [0], "connections": [1]}


def main(file: Path, out: Path, memory: str, formatted_before: Path | None) -> None:
    phases = Phases()
    with phases("load"):
        if formatted_before is None:
            formatted(out, str(file.resolve()), memory)
        else:
            shutil.copytree(formatted_before, out, copy_function=_linked)
    with phases("warm_up"):
        RareEdgeDetector().update(None, pa.table(ONE))
    with phases("build"):
        build(out)
    phases.print()


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--formatted", type=Path, help="a project in which the file is formatted already")
    given = parser.parse_args()
    main(given.file, given.out, given.memory, given.formatted)
