from __future__ import annotations

import numpy as np
import pytest

from backbone.analysis.kernels.compiled import Floats, compiled
from backbone.analysis.kernels.lanes import LANES, dot, dot3, largest


@compiled
def reduced(a: int, b: int, c: int, n: int, result: Floats) -> None:
    result[0], result[1], result[2] = dot(a, b, n), dot3(a, b, c, n), largest(a, n)


@pytest.mark.parametrize("n", [0, LANES, 5 * LANES])
def test_columns_are_reduced(n: int) -> None:
    a, b, c = np.random.default_rng(n).normal(size=(3, n + 1))  # addresses need not be those of a cache line
    result = np.empty(3)
    reduced(a.ctypes.data, b.ctypes.data, c.ctypes.data, n, result)
    a, b, c = a[:n], b[:n], c[:n]
    assert result == pytest.approx([a @ b, (a * b) @ c, np.abs(a).max(initial=0.0)])


def test_the_largest_passes_over_nan() -> None:
    a = np.array([1.0, np.nan, -3.0, 2.0, 0, 0, 0, 0])
    result = np.empty(3)
    reduced(a.ctypes.data, a.ctypes.data, a.ctypes.data, LANES, result)
    assert result[2] == 3.0
