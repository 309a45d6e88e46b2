"""Readings of a device as its detector takes them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """m readings of one device, in their order.

    ``times_ns`` and ``stretches`` int64[m]: equal neighbours in `stretches` belong together; ``values``
    float64[m, columns], NaN where missing; ``sensor_scores`` float64[m], 1.0 = threshold, NaN = none;
    ``learn_allowed``: nothing but the detector's own gate keeps it from learning them.
    """

    times_ns: NDArray[np.int64]
    stretches: NDArray[np.int64]
    values: NDArray[np.float64]
    sensor_scores: NDArray[np.float64]
    learn_allowed: bool = True

    def __len__(self) -> int:
        return len(self.times_ns)

    def part(self, rows: slice) -> "Readings":
        """Some of the readings."""
        if rows.start == 0 and rows.stop == len(self):
            return self
        return Readings(
            self.times_ns[rows], self.stretches[rows], self.values[rows], self.sensor_scores[rows], self.learn_allowed
        )
