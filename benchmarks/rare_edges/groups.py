"""pandas and plain Python, one edge after the other: `groups.py FILE OUT apply|loop`.

`apply` is `groupby.apply` with the algorithm on each edge's frame, as it is usually written; `loop` walks
over plain lists, in the order in which they are. Both have the counts in memory before the clock starts, by
edge and hour.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from backbone.analysis.rare_edges.reference import watch
from benchmarks.per_group.phases import Phases
from benchmarks.rare_edges.alerts import store
from benchmarks.rare_edges.seed_algorithm import RULE

ENDS = ["source", "destination"]


def main(file: Path, out: Path, how: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with phases("load"):
        import pandas as pd

        counts = pd.read_parquet(file)
        counts["hour"] = counts["hour"].astype("datetime64[us, UTC]").astype("int64") // 3_600_000_000
        lists = [counts[name].tolist() for name in (*ENDS, "hour", "connections")] if how == "loop" else []
    with phases("update"):
        if how == "apply":
            found = counts.groupby(ENDS).apply(_alerts, include_groups=False)
            alerts = [(*ends, *alert) for ends, some in found.items() for alert in some]
        else:
            alerts = []
            rows = zip(*lists, strict=True)
            for ends, some in groupby(rows, key=lambda row: (row[0], row[1])):
                of_edge = watch([(row[2], row[3]) for row in some], RULE)[1]
                alerts += [(*ends, a.hour, a.value, a.expected) for a in of_edge]
    store(alerts, out)
    phases.print()


def _alerts(rows: Any) -> list[tuple[int, int, float]]:
    found = watch(zip(rows["hour"].tolist(), rows["connections"].tolist(), strict=True), RULE)[1]
    return [(a.hour, a.value, a.expected) for a in found]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
