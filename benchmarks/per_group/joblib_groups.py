"""The same on all cores with joblib, many users to a task: `joblib_groups.py FILE OUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd

from benchmarks.per_group.one_user import FEATURES, TARGET, train
from benchmarks.per_group.phases import Phases

USERS_PER_TASK = 250  # a task takes a second, so that sending it costs nothing beside it


def main(file: Path, out: Path) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with joblib.Parallel(n_jobs=-1) as parallel:
        with phases("warm_up"):  # starts the workers, which import scikit-learn
            answers = np.array([[1, 1], [2, 2]]), np.array([0, 1])
            parallel(joblib.delayed(train)(*answers) for _ in range(2 * joblib.cpu_count()))
        with phases("read"):
            offers = pd.read_parquet(file, columns=["userid", *FEATURES, TARGET])
        with phases("fit"):
            offers = offers.sort_values("userid", kind="stable")
            users, firsts = np.unique(offers["userid"].to_numpy(), return_index=True)
            features, bought = offers[FEATURES].to_numpy(), offers[TARGET].to_numpy()
            ends = np.append(firsts[1:], len(offers))
            tasks = [slice(first, first + USERS_PER_TASK) for first in range(0, len(users), USERS_PER_TASK)]
            trained = parallel(
                joblib.delayed(train_users)(
                    features[firsts[task][0] : ends[task][-1]],
                    bought[firsts[task][0] : ends[task][-1]],
                    firsts[task][1:] - firsts[task][0],
                )
                for task in tasks
            )
            models = [model for part in trained for model in part]
    with phases("store"):
        pd.DataFrame({"userid": users, "model": models}).to_parquet(out / "models.parquet")
    phases.print()


def train_users(features: Any, bought: Any, firsts: Any) -> list[bytes | None]:
    """The models of users whose rows lie one after the other."""
    return [train(x, y) for x, y in zip(np.split(features, firsts), np.split(bought, firsts), strict=True)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
