"""PySpark ML's PCA of one hour, the days its rows: `pyspark_pca.py CELLS OUT`.

The session is up before the clock starts. `pca` is scaled to 24 hours. It makes a users × users covariance,
so it is measured at few users.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hourly_components.hours import each_hour, keep, n_components, summarised
from benchmarks.per_group.phases import Phases, skip


def main(file: Path, out: Path) -> None:
    if shutil.which("java") is None:
        skip("there is no Java")
        return
    from pyspark.ml.feature import PCA
    from pyspark.ml.linalg import Vectors
    from pyspark.sql import SparkSession

    out.mkdir(parents=True)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    phases = Phases()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with phases("warm_up"):
        spark = (
            SparkSession.builder.master(f"local[{cores}]")
            .config("spark.driver.memory", "4g")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.local.dir", str(out / "spark"))
            .config("spark.log.level", "ERROR")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
        few = spark.createDataFrame([(Vectors.dense([float(n), 1.0]),) for n in range(3)], ["counts"])
        PCA(k=1, inputCol="counts", outputCol="o").fit(few)
    with phases("load"):
        hour, _, matrix = next(each_hour(file))
        rows = spark.createDataFrame([(Vectors.dense(row),) for row in matrix], ["counts"]).cache()
        rows.count()
    started = time.perf_counter()
    model: Any = PCA(k=len(matrix) - 1, inputCol="counts", outputCol="o").fit(rows)
    ratios, directions = model.explainedVariance.toArray(), model.pc.toArray()
    phases.seconds["pca"] = 24 * (time.perf_counter() - started)
    total = matrix.var(axis=0, ddof=1).sum()
    n = n_components(ratios * total, total)
    keep(out, {str(hour): summarised(ratios[:n] * total, np.abs(directions[:, :n]).max(axis=1))})
    gateway: Any = spark.sparkContext._gateway
    machine = gateway.proc
    spark.stop()
    machine.stdin.close()  # which ends it, and once waited for, what it took is accounted to this process
    machine.wait()
    phases.print()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
