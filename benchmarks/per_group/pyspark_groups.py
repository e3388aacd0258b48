"""PySpark on all cores, a pandas function for each user: `pyspark_groups.py FILE OUT`.

The session is up and its Python workers have imported scikit-learn before the clock starts.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.per_group.one_user import FEATURES, TARGET, train
from benchmarks.per_group.phases import Phases, skip
from benchmarks.per_group.spark import local_session


def main(file: Path, out: Path) -> None:
    if shutil.which("java") is None:
        skip("there is no Java")
        return
    out.mkdir(parents=True)
    phases = Phases()
    with phases("warm_up"):
        spark, stop = local_session(out)
        few = spark.read.parquet(str(file)).limit(100)
        _trained(few).write.parquet(str(out / "warm_up.parquet"))
    with phases("fit"):  # reading and storing are part of the one job
        offers = spark.read.parquet(str(file)).select("userid", *FEATURES, TARGET)
        _trained(offers).write.parquet(str(out / "models.parquet"))
    stop()
    phases.print()


def _trained(offers: Any) -> Any:
    return offers.groupBy("userid").applyInPandas(train_user, "userid int, model binary")


def train_user(rows: pd.DataFrame) -> pd.DataFrame:
    model = train(rows[FEATURES].to_numpy(), rows[TARGET].to_numpy())
    return pd.DataFrame({"userid": rows["userid"].iloc[:1], "model": [model]})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
