"""Components of a small variance beside a large one, from the matrix itself instead of its products.

In the products of a matrix's rows, a variance of a millionth of the largest has lost six digits. So the
users are turned by what was found first, V = UᵀX: in that product it loses three. Its rows are nearly
orthogonal, and Jacobi's rotations make them so, which find each eigenvalue with an error relative to itself,
however far apart they lie. The result is as exact as a singular value decomposition of the whole matrix, in
memory that does not grow with the users.

References
----------
Demmel and Veselić, Jacobi's Method is More Accurate than QR (1992).
"""

from __future__ import annotations

import numpy as np

from backbone.analysis.hourly_components.hour_matrix import HourMatrix
from backbone.analysis.hourly_components.products import add_products, mirrored
from backbone.analysis.hourly_components.projection import Room, project, room
from backbone.analysis.kernels.compiled import Floats, compiled

SWEEPS = 30  # many times as many as are needed
ROUNDING = float(np.finfo(np.float64).eps)
NOTHING = 1e-22  # of the largest variance: far below the rounding of the smallest that is kept


def refined(matrix: HourMatrix, patterns: Floats) -> tuple[Floats, Floats]:
    """The squares of all components, descending, and their patterns.

    Parameters
    ----------
    patterns : shape (rows, rows); orthonormal and nearly the components', the strongest first.

    Returns
    -------
    Shapes (rows - 1,) and (rows, rows - 1): without the direction in which centred columns have nothing.

    Examples
    --------
    >>> from backbone.analysis.hourly_components.hour_matrix import hour_matrix
    >>> code, day = np.array([0, 1, 2], dtype=np.int32), np.array([0, 1, 2], dtype=np.int32)
    >>> matrix = hour_matrix(code, day, np.array([1e7, 2.0, 1.0]), day, 3)
    >>> squares, _ = refined(matrix, np.eye(3))
    >>> squares[1].round(9).tolist()  # the first is 6.7e13
    2.5
    """
    # Exactly orthogonal to the row of means, so that columns need not be centred before they are turned.
    basis = np.linalg.qr(np.column_stack([matrix.root, patterns]))[0][:, 1 : len(matrix.root)]
    products = mirrored(_products(matrix, room(basis.T)), basis.shape[1])
    turn = np.eye(len(products))
    _diagonalise(products, turn)
    squares = np.maximum(np.diag(products), 0.0)
    order = np.argsort(-squares, kind="stable")
    return squares[order], basis @ turn[:, order]


@compiled
def _products(matrix: HourMatrix, space: Room) -> Floats:
    """Shape (components, components), the lower half: of the entries of all users."""
    products = np.zeros((len(space.entries), len(space.entries)))
    for filled in (True, False):
        user = 0
        while user < len(matrix.starts) - 1:
            user, _ = project(matrix, space, user, filled)
            add_products(space.entries, products)
    return products


@compiled
def _diagonalise(products: Floats, turn: Floats) -> None:
    """Rotate a symmetric matrix until nothing counts off its diagonal, and another one's columns with it."""
    n = len(products)
    largest = 0.0
    for i in range(n):
        largest = max(largest, products[i, i])
    for _ in range(SWEEPS):
        turned = False
        for i in range(n):
            for j in range(i + 1, n):
                off, a, b = products[i, j], products[i, i], products[j, j]
                if off * off <= ROUNDING * ROUNDING * a * b or abs(off) <= NOTHING * largest:
                    continue
                turned = True
                slope = (b - a) / (2.0 * off)
                tangent = (1.0 if slope >= 0.0 else -1.0) / (abs(slope) + np.sqrt(1.0 + slope * slope))
                cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
                sine = cosine * tangent
                for k in range(n):
                    p, q = products[i, k], products[j, k]
                    products[i, k], products[j, k] = cosine * p - sine * q, sine * p + cosine * q
                for k in range(n):
                    products[k, i], products[k, j] = products[i, k], products[j, k]
                    p, q = turn[k, i], turn[k, j]
                    turn[k, i], turn[k, j] = cosine * p - sine * q, sine * p + cosine * q
                products[i, i], products[j, j] = a - tangent * off, b + tangent * off
                products[i, j] = products[j, i] = 0.0
        if not turned:
            break
