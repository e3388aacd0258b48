"""PySpark on all cores, a pandas function for each user: `pyspark_groups.py FILE OUT`.

The session is up and its Python workers have imported scikit-learn before the clock starts. Two shuffle
partitions for each core instead of 200; none of them is merged, which would leave a core idle.
What its Python workers take in CPU time and memory is not accounted to this process, what Java takes is.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.per_group.one_user import FEATURES, TARGET, train
from benchmarks.per_group.phases import Phases, skip


def main(file: Path, out: Path) -> None:
    if shutil.which("java") is None:
        skip("there is no Java")
        return
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
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.sql.shuffle.partitions", 2 * cores)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
        few = spark.read.parquet(str(file)).limit(100)
        _trained(few).write.parquet(str(out / "warm_up.parquet"))
    with phases("fit"):  # reading and storing are part of the one job
        offers = spark.read.parquet(str(file)).select("userid", *FEATURES, TARGET)
        _trained(offers).write.parquet(str(out / "models.parquet"))
    gateway: Any = spark.sparkContext._gateway
    machine = gateway.proc
    spark.stop()
    machine.stdin.close()  # which ends it, and once waited for, what it took is accounted to this process
    machine.wait()
    phases.print()


def _trained(offers: Any) -> Any:
    return offers.groupBy("userid").applyInPandas(train_user, "userid int, model binary")


def train_user(rows: pd.DataFrame) -> pd.DataFrame:
    model = train(rows[FEATURES].to_numpy(), rows[TARGET].to_numpy())
    return pd.DataFrame({"userid": rows["userid"].iloc[:1], "model": [model]})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
