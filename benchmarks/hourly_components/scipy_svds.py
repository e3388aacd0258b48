"""SciPy's `svds` of each hour's sparse matrix, centred without being filled: `scipy_svds.py CELLS OUT`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, svds

from benchmarks.hourly_components.hours import Matrix, each_hour, keep, n_components, quickest, summarised
from benchmarks.per_group.phases import Phases


def main(file: Path, out: Path) -> None:
    out.mkdir(parents=True)
    phases = Phases()
    facts: dict[int, list[float]] = {}
    with phases("load"):
        hours = [(hour, csr_array(matrix)) for hour, _, matrix in each_hour(file)]
    phases.seconds["pca"] = 0.0
    for hour, counts in hours:
        seconds, found = quickest(partial(analyse, counts))
        phases.seconds["pca"] += seconds
        facts[hour] = summarised(*found)
    keep(out, facts)
    phases.print()


def analyse(counts: csr_array) -> tuple[Matrix, Matrix]:
    """The variances that are kept, and everybody's scores."""
    days, users = counts.shape
    mean = np.asarray(counts.mean(axis=0)).ravel()

    def project(vectors: Matrix) -> Matrix:
        return np.asarray(counts @ vectors - mean @ vectors)

    def back(vectors: Matrix) -> Matrix:
        return np.asarray(counts.T @ vectors - np.multiply.outer(mean, vectors.sum(axis=0)))

    centred = LinearOperator(
        counts.shape,
        matvec=lambda vector: project(vector.ravel()),
        rmatvec=lambda vector: back(vector.ravel()),
        matmat=project,
        rmatmat=back,
        dtype=np.float64,
    )
    _, singular, directions = svds(centred, k=min(days, users) - 1, random_state=0)
    variances = singular[::-1] ** 2 / (days - 1)
    total = (counts.power(2).sum() - days * (mean @ mean)) / (days - 1)
    n = n_components(variances, total)
    return variances[:n], np.abs(directions[::-1][:n]).max(axis=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
