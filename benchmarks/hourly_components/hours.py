"""What contestants share: an hour as a dense matrix, what is told of it, the quickest of a few times."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds

from benchmarks.hourly_components.data import FIRST_DAY

Matrix = npt.NDArray[np.float64]
T = TypeVar("T")
EXPLAINED, THRESHOLD = 0.99, 0.1
TIMES, WITHIN_S = 5, 0.5  # as often as this, or until so long has passed


def days_of(file: Path) -> int:
    """How many days a file of cells was made for."""
    return int(file.stem.split("-")[2])


def each_hour(file: Path) -> Iterator[tuple[int, npt.NDArray[np.int32], Matrix]]:
    """Hour, active users' codes, and the dense matrix of shape (days, users) that scikit-learn wants."""
    days, dataset = days_of(file), ds.dataset(file)
    for hour in range(24):
        cells = dataset.to_table(filter=ds.field("hour") == hour)
        codes, place = np.unique(cells["code"].to_numpy(), return_inverse=True)
        matrix = np.zeros((days, len(codes)))
        matrix[cells["day"].to_numpy() - FIRST_DAY, place] = cells["events"].to_numpy()
        yield hour, codes, matrix


def quickest(work: Callable[[], T]) -> tuple[float, T]:
    """The least seconds of a few times, and what came of it: the machine disturbs, it never helps."""
    least, began = float("inf"), time.perf_counter()
    for _ in range(TIMES):
        started = time.perf_counter()
        result = work()
        least = min(least, time.perf_counter() - started)
        if time.perf_counter() - began > WITHIN_S:
            break
    return least, result


def n_components(variances: Matrix, total: float) -> int:
    """How many components explain enough."""
    return int(np.searchsorted(np.cumsum(variances), EXPLAINED * total)) + 1


def summarised(variances: Matrix, scores: Matrix) -> list[float]:
    """What contestants must agree on in an hour: of the components they keep, and of everybody's scores."""
    numbers = [len(variances), variances[0], variances[-1], variances.sum()]
    return [float(n) for n in (*numbers, np.sum(scores > THRESHOLD), scores.max(), scores.sum())]


def keep(out: Path, facts: Mapping[Any, list[float]]) -> None:
    (out / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
