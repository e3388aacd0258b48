"""The same analysis by scikit-learn on dense matrices: plain, slow, obviously right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

Matrix = npt.NDArray[np.float64]
FIRST = date(2026, 1, 5)  # a Monday
TIE = 1e-9


@dataclass(frozen=True)
class DenseHour:
    """What is found in one hour; directions are of shape (components, users)."""

    variances: Matrix
    ratios: Matrix
    directions: Matrix
    clusters: list[list[int]]
    score: Matrix
    share: Matrix


def dense_hour(matrix: Matrix, explained: float) -> DenseHour:
    """The components of one days × users matrix."""
    with threadpool_limits(1, user_api="blas"):  # in so small a problem they wait for each other
        pca = PCA(svd_solver="full").fit(matrix)
    variances, ratios = pca.explained_variance_, pca.explained_variance_ratio_
    clusters: list[list[int]] = []
    for k, variance in enumerate(variances):
        if clusters and variances[k - 1] - variance <= TIE * variances[0]:
            clusters[-1].append(k)
        else:
            clusters.append([k])
    needed: list[list[int]] = []
    for cluster in clusters:
        enough = bool(needed) and ratios[: needed[-1][-1] + 1].sum() >= explained - TIE
        if not enough and variances[cluster[-1]] > TIE * variances[0]:
            needed.append(cluster)
    n = needed[-1][-1] + 1
    directions = pca.components_[:n]
    lengths = [np.sqrt((directions[cluster] ** 2).sum(axis=0)) for cluster in needed]
    share = (variances[:n, None] * directions**2).sum(axis=0) / variances[:n].sum()
    return DenseHour(variances[:n], ratios[:n], directions, needed, np.max(lengths, axis=0), share)


def extended(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """Squares and directions by one-sided rotations of the days, in numbers longer than 64 bits if there are.

    They find each square with an error relative to itself, however small it is beside the others.
    """
    x = matrix.astype(np.longdouble)
    x -= x.mean(axis=0)
    nothing = 1e-30 * (x**2).sum()
    turned = True
    while turned:
        turned = False
        for i in range(len(x)):
            for j in range(i + 1, len(x)):
                a, b, product = x[i] @ x[i], x[j] @ x[j], x[i] @ x[j]
                if abs(product) > max(1e-15 * np.sqrt(a * b), nothing):
                    turned = True
                    angle = 0.5 * np.arctan2(2 * product, a - b)
                    cosine, sine = np.cos(angle), np.sin(angle)
                    x[i], x[j] = cosine * x[i] + sine * x[j], cosine * x[j] - sine * x[i]
    squares = (x**2).sum(axis=1)
    order = np.argsort(-squares)
    x = x[order] / np.sqrt(np.maximum(squares[order], nothing))[:, None]
    return squares[order].astype(np.float64), x.astype(np.float64)


def weighted_events(hours: Mapping[int, Matrix]) -> pa.Table:
    """Events that make these matrices, one for each cell that is not 0; users are called u000, u001, …"""
    rows: dict[str, list[Any]] = {"user": [], "time": [], "n": []}
    for hour, matrix in hours.items():
        for day, user in np.argwhere(matrix != 0):
            rows["user"].append(f"u{user:03}")
            rows["time"].append(
                datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + timedelta(days=int(day))
            )
            rows["n"].append(float(matrix[day, user]))
    kinds = {"user": pa.string(), "time": pa.timestamp("us", "UTC"), "n": pa.float64()}
    return pa.table({name: pa.array(values, kinds[name]) for name, values in rows.items()})


def cells(matrix: Matrix) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Matrix]:
    """User, day and count of the cells of a days × users matrix that are not 0."""
    user, day = np.nonzero(matrix.T)
    return user.astype(np.int32), day.astype(np.int32), matrix.T[user, day].astype(np.float64)


def days_of(matrix: Matrix) -> npt.NDArray[np.int32]:
    return np.arange(len(matrix), dtype=np.int32)
