"""Small arrays of many devices as one, so that one call of NumPy serves them all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays of one shape (...) as (number, ...): a view of a single one, else a copy.

    >>> stacked([np.zeros(3), np.ones(3)]).shape
    (2, 3)
    """
    if len(arrays) == 1:
        return arrays[0][None]
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)
