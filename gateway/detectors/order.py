"""An order of columns that is made of what they hold, so that the order in which they come changes nothing."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def canonical_order(
    deviations: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Columns in the order of the digests of their healthy deviations (n, columns), int64 (columns,).

    A digest does not change with a channel's scale by powers of two. Columns that are alike (constant ones) follow
    their mean and scale, then each other.

    >>> columns = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 2.0]])
    >>> order = canonical_order(columns, np.zeros(3), np.ones(3))
    >>> swapped = canonical_order(columns[:, ::-1], np.zeros(3), np.ones(3))
    >>> (2 - swapped).tolist() == order.tolist()
    True
    """
    digests = [hashlib.sha256(np.ascontiguousarray(column).tobytes()).digest() for column in deviations.T]
    keys = [(digest, float(mean[number]), float(scale[number]), number) for number, digest in enumerate(digests)]
    return np.array([key[3] for key in sorted(keys)], np.int64)
