"""Sort without the interpreter: a merge sort whose compilation takes a moment, not seconds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backbone.analysis.kernels.compiled import Floats, compiled

_RUN = 16  # rows that are sorted by insertion before runs are merged


@compiled
def order_of(keys: Floats) -> npt.NDArray[np.int64]:
    """The positions of the keys from the smallest to the largest; equal keys stay in their order.

    Parameters
    ----------
    keys : shape (n,), without NaN.

    Examples
    --------
    >>> from backbone.analysis.kernels.sorting import order_of
    >>> order_of(np.array([3.0, 1.0, 2.0, 1.0])).tolist()
    [1, 3, 2, 0]
    """
    n = len(keys)
    order = np.arange(n)
    for start in range(0, n, _RUN):
        for i in range(start + 1, min(start + _RUN, n)):
            moved = order[i]
            k = i
            while k > start and keys[order[k - 1]] > keys[moved]:
                order[k] = order[k - 1]
                k -= 1
            order[k] = moved
    merged = np.empty_like(order)
    width = _RUN
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for k in range(start, stop):
                if right >= stop or (left < middle and keys[order[left]] <= keys[order[right]]):
                    merged[k] = order[left]
                    left += 1
                else:
                    merged[k] = order[right]
                    right += 1
        order, merged = merged, order
        width *= 2
    return order
