"""Products of rows, tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

from backbone.analysis.hourly_components.products import add_products, mirrored, tiled


@pytest.mark.parametrize("rows", [1, 3, 4, 9, 16])
def test_products_are_added(rows: int) -> None:
    random = np.random.default_rng(rows)
    block = np.zeros((tiled(rows), 50))
    block[:rows] = random.standard_normal((rows, 50))
    products = np.zeros((len(block), len(block)))
    add_products(block, products)
    add_products(block, products)
    expected = 2 * block[:rows] @ block[:rows].T
    np.testing.assert_allclose(mirrored(products, rows), expected, atol=1e-12)
