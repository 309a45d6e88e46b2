"""The inverse of a covariance, in elementwise arithmetic only.

BLAS and LAPACK split their sums by the number of threads, so their last bits may change with the number of cores that a
process was given. A score must not: the same reading judged by `tocsin score` and by a gateway has the same bits.
"""

import numpy as np
from numpy.typing import NDArray


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


def times(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix (d, d) times vector (d,), summed in NumPy's own fixed order, not in that of BLAS."""
    product: NDArray[np.float64] = np.einsum("ij,j->i", matrix, vector, optimize=False)
    return product
