"""Exponential means of many columns at once, each with a span of its own, restarted at every stretch.

One recursion serves every running feature of a device: the columns stand side by side, so a row costs three passes over
a short array however many features there are. Rows are taken one behind the other, so that a batch gives the bits of
single rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class RunningMeans:
    """Bias-corrected exponential means: ``mean += (value - mean) / span``, divided by the weight gathered so far.

    A missing value (NaN) leaves its column as it was; before the first value of a stretch a mean is 0.

    Parameters
    ----------
    spans
        Rows that each column remembers, float64 (columns,).

    >>> running = RunningMeans(np.array([2.0, 4.0]))
    >>> means, _ = running.run(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([True, False]))
    >>> means.round(6).tolist()
    [[1.0, 1.0], [0.333333, 0.428571]]
    """

    def __init__(self, spans: Floats) -> None:
        self.gains = 1.0 / np.asarray(spans, np.float64)
        self._keep = 1.0 - self.gains
        self.means = np.zeros(len(self.gains))
        self.weights = np.zeros(len(self.gains))

    def run(self, rows: Floats, starts: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Means and weights (m, columns) after each of m rows; `starts` (m,): a stretch begins with this row."""
        means, weights = np.empty(rows.shape), np.empty(rows.shape)
        mean, weight = self.means, self.weights
        complete = not np.isnan(rows).any()
        added = rows * self.gains if complete else None
        for index, begins in enumerate(starts.tolist()):
            if begins:
                mean, weight = np.zeros_like(mean), np.zeros_like(weight)
            if added is not None:
                mean = mean * self._keep + added[index]
                weight = weight * self._keep + self.gains
            else:
                present = ~np.isnan(rows[index])
                value = np.where(present, rows[index], 0.0)
                mean = np.where(present, mean * self._keep + value * self.gains, mean)
                weight = np.where(present, weight * self._keep + self.gains, weight)
            means[index], weights[index] = mean, weight
        self.means, self.weights = mean, weight
        return means / np.maximum(weights, 1e-300), weights

    def fields(self) -> dict[str, Any]:
        """What the next row depends on."""
        return {"running spans": 1.0 / self.gains, "running means": self.means, "running weights": self.weights}

    @classmethod
    def from_fields(cls, fields: dict[str, Any], spans: Floats) -> "RunningMeans":
        """The means whose `fields` these are; ValueError when they do not fit `spans`."""
        restored = cls(spans)
        means, weights = np.array(fields["running means"]), np.array(fields["running weights"])
        if means.shape != restored.means.shape or weights.shape != means.shape:
            raise ValueError("running means have another size than the features")
        restored.means, restored.weights = means, weights
        return restored
