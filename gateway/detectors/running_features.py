"""Running means and deviations of the channels of a device, restarted at every stretch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Values further than this from the healthy mean (in healthy deviations) count as this far: one absurd reading would
#: else stay in the running means for hundreds of rows. Lower limits cost detection on real recordings.
VALUE_LIMIT = 30.0
#: Added to the running deviation before its logarithm, so that a channel at rest is not infinitely quiet.
DEVIATION_OFFSET = 0.05


class RunningFeatures:
    """Short mean, long mean and, if wanted, log deviation per channel, as bias-corrected exponential means.

    Channels come as deviations from their healthy mean. A missing value (NaN) leaves its channel's features as they
    were; before the first value of a stretch they are those of a channel at its healthy mean.

    Parameters
    ----------
    channels
        Number of values in a row.
    short_rows, long_rows
        Rows that the two means remember; with a short of 1 the value itself is the first feature.
    usual_variance
        Healthy variance within `long_rows`, float64 (channels,): what the deviation leans on while a stretch is young.
        None leaves the deviation out.

    >>> features = RunningFeatures(1, 2, 4, None)
    >>> features.start()
    >>> [features.step(np.array([value])).tolist() for value in (1.0, 0.0)]
    [[1.0, 1.0], [0.333333333333, 0.428571428571]]
    """

    def __init__(
        self, channels: int, short_rows: int, long_rows: int, usual_variance: NDArray[np.float64] | None
    ) -> None:
        self.channels = channels
        self.short_rows = short_rows
        self.long_rows = long_rows
        self.usual_variance = usual_variance
        self._gains = np.array([[1.0 / short_rows], [1.0 / long_rows]])
        self.start()

    @property
    def names(self) -> tuple[str, ...]:
        """Kinds of features, in their order: all channels of the first come before those of the second."""
        return ("short mean", "long mean") if self.usual_variance is None else ("short mean", "long mean", "deviation")

    def start(self) -> None:
        """Forget the past: a stretch begins."""
        self._weights = np.zeros((2, self.channels))
        self._means = np.zeros((2, self.channels))
        self._squares = np.zeros(self.channels)

    def step(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features after one more row, float64 (kinds * channels,); `row` float64 (channels,), NaN = missing."""
        present = np.isfinite(row)
        gains: NDArray[np.float64] = self._gains
        if not present.all():
            gains = self._gains * present
            row = np.where(present, row, 0.0)
        row = np.minimum(np.maximum(row, -VALUE_LIMIT), VALUE_LIMIT)
        self._weights += gains * (1.0 - self._weights)
        self._means += gains * (row - self._means)
        means = self._means / np.maximum(self._weights, 1e-300)
        if self.usual_variance is None:
            return means.ravel()
        self._squares += gains[1] * (row * row - self._squares)
        weight = self._weights[1]
        variance = self._squares / np.maximum(weight, 1e-300) - means[1] * means[1]
        variance = np.maximum(variance, 0.0) + (1.0 - weight) * self.usual_variance
        return np.concatenate((means[0], means[1], np.log(np.sqrt(variance) + DEVIATION_OFFSET)))

    def fields(self) -> dict[str, Any]:
        """Everything that the next features depend on."""
        return {
            "short rows": self.short_rows,
            "long rows": self.long_rows,
            "usual variance": self.usual_variance,
            "weights": self._weights,
            "running means": self._means,
            "running squares": self._squares,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "RunningFeatures":
        """The features whose `fields` these are; KeyError or ValueError when they do not fit together."""
        weights = np.array(fields["weights"], dtype=np.float64)
        if weights.ndim != 2 or len(weights) != 2:
            raise ValueError("weights must be (2, channels)")
        restored = cls(weights.shape[1], fields["short rows"], fields["long rows"], fields["usual variance"])
        restored._weights = weights
        restored._means = np.array(fields["running means"], dtype=np.float64)
        restored._squares = np.array(fields["running squares"], dtype=np.float64)
        if restored._means.shape != weights.shape or restored._squares.shape != weights.shape[1:]:
            raise ValueError("running means and squares differ in size")
        return restored


def usual_variance(rows: NDArray[np.float64], stretches: NDArray[np.int64], long_rows: int) -> NDArray[np.float64]:
    """Median over healthy rows of the variance within the last `long_rows`, float64 (channels,)."""
    channels = rows.shape[1]
    features = RunningFeatures(channels, long_rows, long_rows, np.zeros(channels))
    logarithms = run(features, rows, stretches)[:, 2 * channels :]
    settled = np.asarray(np.median(logarithms[len(logarithms) // 20 :], axis=0))
    return np.maximum(np.exp(settled) - DEVIATION_OFFSET, 0.0) ** 2


def run(features: RunningFeatures, rows: NDArray[np.float64], stretches: NDArray[np.int64]) -> NDArray[np.float64]:
    """Features of many rows from the beginning, float64 (rows, kinds * channels). Leaves `features` after the last."""
    found = np.empty((len(rows), len(features.names) * features.channels))
    for index, row in enumerate(rows):
        if index == 0 or stretches[index] != stretches[index - 1]:
            features.start()
        found[index] = features.step(row)
    return found
