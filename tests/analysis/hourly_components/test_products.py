"""Products of rows, tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

from backbone.analysis.hourly_components.products import add_products, mirrored, multiply, tiled


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


@pytest.mark.parametrize(("components", "rows"), [(1, 1), (3, 9), (16, 14)])
def test_a_block_is_multiplied_with_weights(components: int, rows: int) -> None:
    random = np.random.default_rng(rows)
    weights, block = np.zeros((tiled(components), tiled(rows))), np.zeros((tiled(rows), 50))
    weights[:components, :rows] = random.standard_normal((components, rows))
    block[:rows] = random.standard_normal((rows, 50))
    into = np.full((len(weights), 50), np.nan)
    multiply(weights, block, into)
    np.testing.assert_allclose(into, weights @ block, atol=1e-12)
