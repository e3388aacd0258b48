"""pandas and a loop over the users: `sklearn_loop.py FILE OUT [arrays|frames]`.

With `frames` as it is usually written: a data frame for each user. With `arrays` at its best: scikit-learn is
spared the conversion. In one thread, for more have nothing to do in so small a problem and wait for each
other, on a busy machine for many times as long.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.per_group.one_user import FEATURES, TARGET, train
from benchmarks.per_group.phases import Phases

Models = dict[int, bytes | None]


def main(file: Path, out: Path, given: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    with phases("read"):
        offers = pd.read_parquet(file, columns=["userid", *FEATURES, TARGET])
    with phases("fit"), threadpool_limits(1):
        models = FITS[given](offers)
    with phases("store"):
        stored = pd.DataFrame({"userid": list(models), "model": list(models.values())})
        stored.to_parquet(out / "models.parquet")
    phases.print()


def fit_frames(offers: pd.DataFrame) -> Models:
    return {user: train(rows[FEATURES], rows[TARGET]) for user, rows in offers.groupby("userid")}


def fit_arrays(offers: pd.DataFrame) -> Models:
    features, bought = offers[FEATURES].to_numpy(), offers[TARGET].to_numpy()
    rows_of = offers.groupby("userid").indices
    return {user: train(features[rows], bought[rows]) for user, rows in rows_of.items()}


FITS = {"frames": fit_frames, "arrays": fit_arrays}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "arrays")
