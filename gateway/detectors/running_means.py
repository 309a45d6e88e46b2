"""Exponential means of many columns at once, each with a span of its own, restarted at every stretch.

One recursion serves every running feature of a device, and of many devices: the columns stand side by side, so a row
costs two passes over a short array however many features there are. Rows are taken one behind the other, so that a
batch gives the bits of single rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.stacking import stacked

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
        self.means = np.zeros(len(self.gains))
        self.weights = np.zeros(len(self.gains))

    def run(self, rows: Floats, starts: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Means and weights (m, columns) after each of m rows; `starts` (m,): a stretch begins with this row."""
        means, weights = self.run_together([self], rows[None], starts[None])
        return means[0], weights[0]

    @staticmethod
    def run_together(
        devices: Sequence["RunningMeans"], rows: Floats, starts: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        """`run` of D devices with the same spans: rows and results (D, m, columns), `starts` (D, m)."""
        gains = devices[0].gains
        count, readings, columns = rows.shape
        # Means and weights take the same step; a table of it, reading by reading, becomes the table of results.
        table = np.empty((readings, 2, count, columns))
        np.multiply(rows.transpose(1, 0, 2), gains, out=table[:, 0])
        table[:, 1] = gains
        missing = np.isnan(table[:, 0])
        gaps, begins = np.asarray(missing.any(axis=(1, 2))), np.asarray(starts.any(axis=0))
        keep = 1.0 - gains
        state = np.stack((stacked([d.means for d in devices]), stacked([d.weights for d in devices])))
        kept = np.empty_like(state)
        for index in range(readings):
            if begins[index]:
                state = np.where(starts[:, index, None], 0.0, state)
            step = table[index]
            np.multiply(state, keep, out=kept)
            np.add(step, kept, out=step)
            if gaps[index]:
                np.copyto(step, state, where=missing[index])
            state = step
        for number, device in enumerate(devices):
            device.means, device.weights = state[0, number].copy(), state[1, number].copy()
        means, weights = np.empty(rows.shape), np.ascontiguousarray(table[:, 1].transpose(1, 0, 2))
        np.divide(table[:, 0].transpose(1, 0, 2), np.maximum(weights, 1e-300), out=means)
        return means, weights

    def fields(self) -> dict[str, Any]:
        """What the next row depends on."""
        return {"running means": self.means, "running weights": self.weights}

    @classmethod
    def from_fields(cls, fields: dict[str, Any], spans: Floats) -> "RunningMeans":
        """The means whose `fields` these are; ValueError when they do not fit `spans`."""
        restored = cls(spans)
        means, weights = np.array(fields["running means"]), np.array(fields["running weights"])
        if means.shape != restored.means.shape or weights.shape != means.shape:
            raise ValueError("running means have another size than the features")
        restored.means, restored.weights = means, weights
        return restored
