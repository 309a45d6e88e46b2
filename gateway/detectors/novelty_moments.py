"""Running mean, distance and standard of single readings, in plain floating point: the same bits anywhere.

The sizes are two or three, so that Python's own arithmetic is quicker than arrays, and no library chooses an order.
Means and variances are weighted ones that forget exponentially, updated about the mean (West, 1979, *Updating mean and
variance estimates*): nothing large is subtracted from something large.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Readings that a running distance, and a running standard, remember.
MEMORY_READINGS = 5000
#: Readings before a distance means anything; until then it is 1.
_SETTLED_READINGS = 20
_RIDGE = 1e-3
_LEAST_VARIANCE = 1e-12
#: Added to the variance of a running standard: what hardly moved is not infinitely steady.
_STANDARD_VARIANCE = 0.05


class RunningMoments:
    """Mean and variance of the last `span` values or so, each without a bias towards 0 at the beginning.

    >>> moments = RunningMoments(5)
    >>> for value in (1.0, 3.0):
    ...     moments.take(value)
    >>> round(moments.mean, 3), round(moments.variance, 3)
    (2.111, 0.988)
    """

    def __init__(self, span: int, mean: float = 0.0, variance: float = 0.0, weight: float = 0.0) -> None:
        self._gain = 1.0 / span
        self.mean, self.variance, self._weight = mean, variance, weight

    def take(self, value: float) -> None:
        """Learn a value."""
        self._weight += self._gain * (1.0 - self._weight)
        gain = self._gain / self._weight
        about = value - self.mean
        self.mean += gain * about
        self.variance = (1.0 - gain) * (self.variance + gain * about * about)

    def values(self) -> tuple[float, float, float]:
        """What new ones of the same span are made of."""
        return self.mean, self.variance, self._weight


class RunningStandard(RunningMoments):
    """A value in deviations from its own past, which it joins afterwards."""

    def __init__(self, mean: float = 0.0, variance: float = 0.0, weight: float = 0.0) -> None:
        super().__init__(MEMORY_READINGS, mean, variance, weight)

    def of(self, value: float) -> float:
        """The value in deviations; then learn it."""
        deviations = (value - self.mean) / math.sqrt(self.variance + _STANDARD_VARIANCE)
        self.take(value)
        return deviations


class RunningDistance:
    """Squared Mahalanobis distance per feature of a reading from all earlier ones, which it joins afterwards."""

    def __init__(self, features: int) -> None:
        self.features = features
        self._means = [0.0] * features
        self._covariances = [[0.0] * (row + 1) for row in range(features)]
        self._weight = 0.0
        self._readings = 0

    def of(self, values: Sequence[float]) -> float:
        """Distance of a reading (features,); then learn it."""
        about = [value - mean for value, mean in zip(values, self._means, strict=True)]
        distance = 1.0 if self._readings < _SETTLED_READINGS else self._distance(about)
        self._weight += (1.0 - self._weight) / MEMORY_READINGS
        gain = 1.0 / (MEMORY_READINGS * self._weight)
        for row, (part, covariances) in enumerate(zip(about, self._covariances, strict=True)):
            self._means[row] += gain * part
            step = gain * part
            for column in range(row + 1):
                covariances[column] = (1.0 - gain) * (covariances[column] + step * about[column])
        self._readings = min(self._readings + 1, _SETTLED_READINGS)
        return distance

    def _distance(self, about: list[float]) -> float:
        """By a Cholesky decomposition of the correlations, with a ridge, solved along the way."""
        deviations = [math.sqrt(max(line[-1], _LEAST_VARIANCE)) for line in self._covariances]
        lower: list[list[float]] = []
        solved: list[float] = []
        total = 0.0
        for row, covariances in enumerate(self._covariances):
            deviation = deviations[row]
            rest = about[row] / deviation
            pivot = covariances[row] / (deviation * deviation) + _RIDGE
            line: list[float] = []
            for column in range(row):
                entry = covariances[column] / (deviation * deviations[column])
                for inner in range(column):
                    entry -= line[inner] * lower[column][inner]
                entry /= lower[column][column]
                line.append(entry)
                rest -= entry * solved[column]
                pivot -= entry * entry
            root = math.sqrt(max(pivot, _LEAST_VARIANCE))
            line.append(root)
            lower.append(line)
            solved.append(rest / root)
            total += solved[row] * solved[row]
        return total / self.features

    def fields(self) -> dict[str, Any]:
        """Everything that later distances depend on."""
        return {
            "means": np.array(self._means),
            "covariances": np.array([covariance for line in self._covariances for covariance in line]),
            "weight": self._weight,
            "readings": self._readings,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "RunningDistance":
        """The distance whose `fields` these are; KeyError or ValueError when they do not fit together."""
        restored = cls(len(fields["means"]))
        restored._means = fields["means"].tolist()
        covariances = fields["covariances"].tolist()
        if len(covariances) != restored.features * (restored.features + 1) // 2:
            raise ValueError("the covariances of a distance do not fit its means")
        restored._covariances = [covariances[row * (row + 1) // 2 :][: row + 1] for row in range(restored.features)]
        restored._weight, restored._readings = float(fields["weight"]), int(fields["readings"])
        return restored
