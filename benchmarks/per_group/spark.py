"""A PySpark session on all cores of this machine.

Two shuffle partitions for each core instead of 200; none of them is merged, which would leave a core idle.
What its Python workers take in CPU time and memory is not accounted to this process, what Java takes is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def local_session(out: Path) -> tuple[Any, Callable[[], None]]:
    """A session, and what ends it and waits for its machine."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    spark: Any = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.local.dir", str(out / "spark"))
        .config("spark.log.level", "ERROR")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", 2 * cores)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )

    def stop() -> None:
        machine = spark.sparkContext._gateway.proc
        spark.stop()
        machine.stdin.close()  # which ends it, and once waited for, what it took is accounted to this process
        machine.wait()

    return spark, stop
