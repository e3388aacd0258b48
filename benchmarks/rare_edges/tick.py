"""Backbone, one hour after the other over many known edges: `tick.py OUT EDGES ACTIVE HOURS TICKS`.

All edges have connections in the first hour, some in each of the others, which are computed by one run
(`load`). Then hour by hour: new connections arrive and are formatted (which counts as `load` too), and
`tick` is a whole run: the project is opened, what is stale is found out, the hour is counted, its edges are
watched, the states of those whose turn it is are carried along, and three tables are published with their
receipts. It prints the median tick; the first, which loads the kernels, is not counted.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.per_group.phases import Phases
from benchmarks.rare_edges.data import BEGIN_US, HOUR_US, INSTANT, names
from benchmarks.rare_edges.project import build, format_new, formatted

DAY = 24


def main(out: Path, edges: int, active: int, hours: int, ticks: int) -> None:
    arrivals = out.with_name(f"{out.name}-arrivals")
    arrivals.mkdir(parents=True, exist_ok=True)
    phases, seconds = Phases(), []
    with parquet.ParquetWriter(arrivals / "first.parquet", _hour(0, np.arange(edges)).schema) as writer:
        writer.write_table(_hour(0, np.arange(edges)))
        for hour in range(1, hours):
            some = active if hour >= hours - DAY else max(1, active // 20)
            writer.write_table(_hour(hour, _active(hour, edges, some)))
    with phases("load"):
        formatted(out, str(arrivals.resolve() / "*.parquet"), "4GB")
        build(out)
    for hour in range(hours, hours + ticks + 1):
        parquet.write_table(_hour(hour, _active(hour, edges, active)), arrivals / f"{hour}.parquet")
        once = Phases()
        with phases("load"):
            format_new(out)
        with once("tick"):
            build(out)
        seconds.append(once.seconds["tick"])
    phases.seconds["tick"] = statistics.median(seconds[1:])
    phases.seconds["longest tick"] = max(seconds[1:])
    phases.print()


def _active(hour: int, edges: int, active: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.random.default_rng(hour).choice(edges, active, replace=False)


def _hour(hour: int, edge: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> pa.Table:
    """Connections of some edges within an hour."""
    random = np.random.default_rng(hour)
    at = BEGIN_US + hour * HOUR_US + random.integers(0, HOUR_US, len(edge))
    times = pa.array(random.integers(1, 60, len(edge)))
    columns = [pa.array(at, INSTANT), *names(edge), times]
    return pa.table(columns, names=["started_at", "source", "destination", "connections"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
