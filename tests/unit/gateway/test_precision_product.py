"""The product of rows and matrices that scores rest on: one order of sums, however many rows stand together."""

import numpy as np
import pytest

from gateway.detectors.precision import product, products

SHAPES = [(1, 1), (9, 1), (1, 7), (2, 2), (8, 8), (24, 24), (32, 128), (32, 127), (193, 65)]


def column_after_column(left, right):
    total = left[:, 0, None] * right[0]
    for column in range(1, len(right)):
        total += left[:, column, None] * right[column]
    return total


@pytest.mark.parametrize(("inner", "outer"), SHAPES)
@pytest.mark.parametrize("rows", [1, 2, 17, 300])
def test_columns_are_added_in_order_alone_and_among_others(rows, inner, outer):
    random = np.random.default_rng(inner * outer + rows)
    left, right = random.normal(size=(3, rows, inner)), random.normal(size=(3, inner, outer))
    expected = np.array([column_after_column(*pair) for pair in zip(left, right, strict=True)])
    assert np.array_equal(products(left, list(right)), expected)
    for own, matrix, one in zip(left, right, expected, strict=True):
        assert np.array_equal(product(own, matrix), one)
        assert np.array_equal(product(own[:1], matrix), one[:1])
        assert np.array_equal(product(np.asfortranarray(own), np.asfortranarray(matrix)), one)
