"""Powers of a covariance, in elementwise arithmetic only.

BLAS and LAPACK split their sums by the number of threads, so their last bits may change with the number of cores that a
process was given. A score must not: the same reading judged by `tocsin score` and by a gateway has the same bits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Steps of the iteration for a square root; it converges quadratically, and a dozen suffice for what is given to it.
_ROOT_STEPS = 30
_ROOT_TOLERANCE = 1e-13


def invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a symmetric positive definite matrix (d, d), symmetric to the bit. Costs d passes over the matrix.

    Gauss-Jordan elimination without pivoting, which is stable for positive definite matrices (Higham, *Accuracy and
    Stability of Numerical Algorithms*, 2002, chapter 14).

    >>> invert(np.array([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    work = np.array(matrix, dtype=np.float64)
    for pivot in range(len(work)):
        inverse_pivot = 1.0 / work[pivot, pivot]
        row = work[pivot] * inverse_pivot
        column = work[:, pivot].copy()
        row[pivot] = inverse_pivot
        column[pivot] = -1.0
        work[:, pivot] = 0.0
        work[pivot] = 0.0
        work -= column[:, None] * row[None, :]
    return 0.5 * (work + work.T)


def inverse_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse square root of a symmetric positive definite matrix (d, d), symmetric to the bit.

    The coupled iteration of Denman and Beavers, 1976 (Higham, *Functions of Matrices*, 2008, chapter 6), on the matrix
    divided by its mean eigenvalue.

    >>> inverse_root(np.array([[4.0, 0.0], [0.0, 16.0]])).round(9).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    size = float(np.trace(matrix)) / len(matrix)
    root, inverse = np.array(matrix, np.float64) / size, np.eye(len(matrix))
    for _ in range(_ROOT_STEPS):
        root, inverse = 0.5 * (root + invert(inverse)), 0.5 * (inverse + invert(root))
        if float(np.abs(product(inverse, root) - np.eye(len(matrix))).max()) < _ROOT_TOLERANCE:
            break
    found: NDArray[np.float64] = 0.5 * (inverse + inverse.T) / np.sqrt(size)
    return found


def product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """``left @ right``, rows times a matrix, (n, d) and (d, k).

    Column after column of `left` is added, whatever n is: a row has the same bits alone and among others, which a
    matrix product of BLAS does not promise.
    """
    return np.asarray(products(left[None], [right])[0])


def products(left: NDArray[np.float64], rights: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """`product` of D pairs, (D, n, d) and D times (d, k), as (D, n, k)."""
    if rights[0].shape[1] == 1:
        # One column makes no inner loop of an einsum: a running sum is in order by its definition.
        return sums_in_order(left * np.array([right[:, 0] for right in rights])[:, None])[..., None]
    found = np.empty((*left.shape[:2], rights[0].shape[1]))
    for own, right, into in zip(left, rights, found, strict=True):
        # The last axis is the innermost loop, so that the sums run over the axis before it in order.
        np.einsum("ij,jk->ik", np.ascontiguousarray(own), np.ascontiguousarray(right), out=into, optimize=False)
    return found


def sums_in_order(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the last axis, (..., d) to (...), from its first value to its last: a plain sum may go in pairs.

    >>> sums_in_order(np.array([[1e16, 1.0, -1e16]])).tolist()
    [0.0]
    """
    return np.asarray(np.add.accumulate(values, axis=-1)[..., -1])


def times(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix (d, d) times vector (d,), summed in NumPy's own fixed order, not in that of BLAS."""
    found: NDArray[np.float64] = np.einsum("ij,j->i", matrix, vector, optimize=False)
    return found


def moments(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """``rows.T @ rows`` of (n, d), in NumPy's own fixed order."""
    found: NDArray[np.float64] = np.einsum("ni,nj->ij", rows, rows, optimize=False)
    return found
