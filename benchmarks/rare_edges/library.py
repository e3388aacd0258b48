"""`RareEdgeDetector` without a project: `library.py FILE OUT [memory|parquet]`.

With `memory` the counts are an Arrow table before the clock starts, with `parquet` their file is read. The
kernels have been loaded before, as those of a long-lived process have.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from backbone import RareEdgeDetector
from benchmarks.per_group.phases import Phases

ROUNDS = 5


def main(file: Path, out: Path, given: str) -> None:
    out.mkdir(parents=True)
    detector, phases = RareEdgeDetector(), Phases()
    with phases("warm_up"):
        detector.update(None, parquet.ParquetFile(file).read_row_group(0).slice(0, 1_000))
        counts: Any = file
    if given == "memory":
        with phases("load"):
            counts = parquet.read_table(file)
    rounds = []
    for _ in range(ROUNDS if given == "memory" else 1):
        once = Phases()
        with once("update"):
            state, alerts = detector.update(None, counts)
        rounds.append(once.seconds["update"])
    phases.seconds["update"] = min(rounds)
    assert isinstance(state, pa.Table)
    with phases("store"):
        parquet.write_table(alerts, out / "alerts.parquet")
    if given == "memory":
        phases.seconds.pop("store")
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "parquet")
