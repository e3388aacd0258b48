"""scikit-learn's full PCA of the dense matrix of each hour: `sklearn_pca.py CELLS OUT default|one`.

In as many threads of BLAS as there are cores, as it comes, or in one. Making the matrices is `load`.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from benchmarks.hourly_components.hours import EXPLAINED, Matrix, each_hour, keep, quickest, summarised
from benchmarks.per_group.phases import Phases


def main(file: Path, out: Path, threads: str) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    facts: dict[int, list[float]] = {}
    with threadpool_limits(1, user_api="blas") if threads == "one" else nullcontext():
        analyse(np.eye(3, 50))
        with phases("load"):
            hours = [(hour, matrix) for hour, _, matrix in each_hour(file)]
        phases.seconds["pca"] = 0.0
        for hour, matrix in hours:
            seconds, found = quickest(partial(analyse, matrix))
            phases.seconds["pca"] += seconds
            facts[hour] = summarised(*found)
    keep(out, facts)
    phases.print()


def analyse(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """The variances that are kept, and everybody's scores."""
    pca = PCA(EXPLAINED, svd_solver="full").fit(matrix)
    return pca.explained_variance_, np.abs(pca.components_).max(axis=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "default")
