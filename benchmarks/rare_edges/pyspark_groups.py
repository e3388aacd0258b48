"""PySpark on all cores, a pandas function for each edge: `pyspark_groups.py FILE OUT`.

The session is up and its Python workers have imported what they need before the clock starts.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from backbone.analysis.rare_edges.reference import watch
from benchmarks.per_group.phases import Phases, skip
from benchmarks.per_group.spark import local_session
from benchmarks.rare_edges.seed_algorithm import RULE

COLUMNS = ["source", "destination", "hour", "value", "expected"]


def main(file: Path, out: Path) -> None:
    if shutil.which("java") is None:
        skip("there is no Java")
        return
    out.mkdir(parents=True)
    phases = Phases()
    with phases("warm_up"):
        spark, stop = local_session(out)
        _watched(spark.read.parquet(str(file)).limit(100)).write.parquet(str(out / "warm_up.parquet"))
    with phases("update"):  # reading and storing are part of the one job
        _watched(spark.read.parquet(str(file))).write.parquet(str(out / "alerts.parquet"))
    stop()
    phases.print()


def _watched(counts: Any) -> Any:
    schema = "source string, destination string, hour bigint, value bigint, expected double"
    return counts.groupBy("source", "destination").applyInPandas(watch_edge, schema)


def watch_edge(rows: pd.DataFrame) -> pd.DataFrame:
    hours = rows["hour"].astype("datetime64[us]").astype("int64") // 3_600_000_000
    in_order = sorted(zip(hours.tolist(), rows["connections"].tolist(), strict=True))
    ends = rows["source"].iloc[0], rows["destination"].iloc[0]
    found = [(*ends, a.hour, a.value, a.expected) for a in watch(in_order, RULE)[1]]
    return pd.DataFrame(found, columns=COLUMNS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
