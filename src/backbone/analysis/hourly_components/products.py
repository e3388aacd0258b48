"""Products of the rows of a block, with each other and with weights: four rows by four at a time.

So each number that is read is multiplied four times. Of the rows with each other half of the products need
not be made at all, and both take less time than the general products of BLAS, which are made for larger
matrices. The columns of a block go through vector instructions side by side.
"""

from __future__ import annotations

import numpy as np

from backbone.analysis.kernels.compiled import Floats, compiled

TILE = 4


def tiled(rows: int) -> int:
    """The rows that a block needs for so many.

    Examples
    --------
    >>> tiled(14)
    16
    """
    return rows + -rows % TILE


@compiled
def add_products(block: Floats, products: Floats) -> None:
    """Add the products of each row with those before it and itself.

    Parameters
    ----------
    block : shape (rows, lanes); of rows a multiple of `TILE`.
    products : shape (rows, rows); its lower half is added to, and of the upper no more than is below it.
    """
    lanes = block.shape[1]
    for i in range(0, len(block), TILE):
        for j in range(0, i + 1, TILE):
            aa = ab = ac = ad = ba = bb = bc = bd = 0.0
            ca = cb = cc = cd = da = db = dc = dd = 0.0
            for lane in range(lanes):
                a, b, c, d = block[i, lane], block[i + 1, lane], block[i + 2, lane], block[i + 3, lane]
                w, x, y, z = block[j, lane], block[j + 1, lane], block[j + 2, lane], block[j + 3, lane]
                aa, ab, ac, ad = aa + a * w, ab + a * x, ac + a * y, ad + a * z
                ba, bb, bc, bd = ba + b * w, bb + b * x, bc + b * y, bd + b * z
                ca, cb, cc, cd = ca + c * w, cb + c * x, cc + c * y, cd + c * z
                da, db, dc, dd = da + d * w, db + d * x, dc + d * y, dd + d * z
            _add(products[i], j, aa, ab, ac, ad)
            _add(products[i + 1], j, ba, bb, bc, bd)
            _add(products[i + 2], j, ca, cb, cc, cd)
            _add(products[i + 3], j, da, db, dc, dd)


@compiled
def _add(row: Floats, j: int, a: float, b: float, c: float, d: float) -> None:
    row[j] += a
    row[j + 1] += b
    row[j + 2] += c
    row[j + 3] += d


@compiled
def multiply(weights: Floats, block: Floats, into: Floats) -> None:
    """The matrix product of weights and a block.

    Parameters
    ----------
    weights, block, into : shapes (m, rows), (rows, lanes) and (m, lanes); `m` and `rows` are multiples of
        `TILE`.
    """
    lanes = block.shape[1]
    for i in range(0, len(weights), TILE):
        k, m, n, o = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        w, x, y, z = into[i], into[i + 1], into[i + 2], into[i + 3]
        for lane in range(lanes):
            w[lane] = x[lane] = y[lane] = z[lane] = 0.0
        for j in range(0, len(block), TILE):
            ka, kb, kc, kd = k[j], k[j + 1], k[j + 2], k[j + 3]
            ma, mb, mc, md = m[j], m[j + 1], m[j + 2], m[j + 3]
            na, nb, nc, nd = n[j], n[j + 1], n[j + 2], n[j + 3]
            oa, ob, oc, od = o[j], o[j + 1], o[j + 2], o[j + 3]
            for lane in range(lanes):
                a, b, c, d = block[j, lane], block[j + 1, lane], block[j + 2, lane], block[j + 3, lane]
                w[lane] += ka * a + kb * b + kc * c + kd * d
                x[lane] += ma * a + mb * b + mc * c + md * d
                y[lane] += na * a + nb * b + nc * c + nd * d
                z[lane] += oa * a + ob * b + oc * c + od * d


@compiled
def mirrored(products: Floats, rows: int) -> Floats:
    """Shape (rows, rows): the products, the upper half as the lower one."""
    full = np.empty((rows, rows))
    for i in range(rows):
        for j in range(i + 1):
            full[i, j] = full[j, i] = products[i, j]
    return full
