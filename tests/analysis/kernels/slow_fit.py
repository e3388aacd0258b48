"""Plain, slow and obviously right versions of what the kernels compute, in extended precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbone.analysis.groups import Groups, Kernel, chunks

Floats = npt.NDArray[np.float64]
Long = npt.NDArray[np.longdouble]


def table_of(groups: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows of the groups (x, y) or (x, y, w), x of shape (rows, features), as columns x0, x1, …, y, w."""
    widths = {np.asarray(group[0]).shape[1] for group in groups}
    assert len(widths) == 1
    x = np.concatenate([np.asarray(group[0], dtype=np.float64) for group in groups])
    columns: dict[str, Any] = {"key": np.repeat(np.arange(len(groups)), [len(group[1]) for group in groups])}
    columns |= {f"x{j}": x[:, j] for j in range(x.shape[1])}
    columns["y"] = np.concatenate([np.asarray(group[1], dtype=np.float64) for group in groups])
    if len(groups[0]) > 2:
        columns["w"] = np.concatenate([np.asarray(group[2], dtype=np.float64) for group in groups])
    return pa.table(columns)


def groups_of(table: pa.Table) -> Groups:
    (groups,) = chunks(table.combine_chunks().to_batches(), by=["key"], chunk_bytes=1 << 62)
    return groups


def models_of(kernel: Kernel, groups: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kernel(groups_of(table_of(groups))).to_pylist()
    return found


def coefficients(model: dict[str, Any]) -> Floats:
    return np.array([value for name, value in model.items() if name.startswith("coef_")], dtype=np.float64)


def solved(matrix: Long, right: Long) -> Long:
    """Gaussian elimination with pivots, in extended precision."""
    a = np.column_stack([matrix, right]).astype(np.longdouble)
    n = len(right)
    for k in range(n):
        best = k + int(np.argmax(np.abs(a[k:, k])))
        a[[k, best]] = a[[best, k]]
        for i in range(k + 1, n):
            a[i] -= a[i, k] / a[k, k] * a[k]
    x = np.zeros(n, dtype=np.longdouble)
    for k in reversed(range(n)):
        x[k] = (a[k, -1] - a[k, k + 1 : n] @ x[k + 1 :]) / a[k, k]
    return x


def optimum(
    x: Floats,
    y: Floats,
    w: Floats | None = None,
    *,
    classes: bool = True,
    penalty: float = 0.0,
    fit_intercept: bool = True,
    prior: tuple[float, Floats, Floats, Floats, float] | None = None,
) -> tuple[float, Floats]:
    """Intercept and coefficients that minimise Σ w · loss + ½ · penalty · ‖coefficients‖², or with a prior
    (intercept, coefficients, center, scale, strength) in the place of the penalty."""
    rows, d = x.shape
    weight = np.ones(rows, np.longdouble) if w is None else w.astype(np.longdouble)
    u = x.astype(np.longdouble)
    center, scale = np.zeros(d, np.longdouble), np.ones(d, np.longdouble)
    if prior is not None:
        center, scale = prior[2].astype(np.longdouble), prior[3].astype(np.longdouble)
    elif fit_intercept and rows > 0:  # any center is exact, and this one keeps the numbers small
        center = u.mean(axis=0)
    u = (u - center) / scale
    one = [np.ones(rows, np.longdouble)] if fit_intercept else []
    z = np.column_stack([u, *one])
    pull = np.full(d + len(one), penalty, np.longdouble)
    anchor = np.zeros(d + len(one), np.longdouble)
    if prior is not None:
        pull[:] = prior[4]
        anchor = np.append(prior[1] * scale, prior[0] + prior[1] @ center).astype(np.longdouble)
    elif fit_intercept:
        pull[-1] = 0.0
    sign = 2 * y - 1

    def objective(b: Long) -> Any:
        score = z @ b
        loss = np.logaddexp(0, -sign * score) if classes else (score - y) ** 2 / 2
        return weight @ loss + (pull * (b - anchor) ** 2).sum() / 2

    b = anchor.copy()
    for _ in range(60 if classes else 3):
        score = z @ b
        if classes:
            wrong = np.exp(-np.logaddexp(0, sign * score))
            slope, curve = -weight * sign * wrong, weight * wrong * (1 - wrong)
        else:
            slope, curve = weight * (score - y), weight
        gradient = z.T @ slope + pull * (b - anchor)
        step = -solved((z * curve[:, None]).T @ z + np.diag(pull), gradient)
        length, here = 1.0, objective(b)
        while classes and objective(b + length * step) > here * (1 + 1e-17) and length > 1e-9:
            length /= 2
        b = b + length * step
        if np.abs(step).max(initial=0) <= 1e-13 * np.abs(b).max(initial=0):
            break
    found = b[:d] / scale
    intercept = (b[d] if fit_intercept else 0) - found @ (center if fit_intercept else 0 * center)
    return float(intercept), found.astype(np.float64)
