"""States that one channel was in: how far a reading is from the nearest one, and a new one where it is far."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: States that are kept; a new one takes the place of the one that was matched least recently.
STATES = 128
#: A reading this far from all states (root mean square of its features in deviations) becomes one.
_NEW_DISTANCE = 0.5
#: Readings that the scale remembers; no step of it is longer than so many deviations, after the first readings.
_MEMORY_READINGS, _LONGEST_STEP, _FREE_READINGS = 3000, 4.0, 30


class States:
    """Bounded memory of states of a few features, in running units; distances are squared, per feature."""

    def __init__(self, features: int) -> None:
        self._kept = np.zeros((features, STATES))
        self._count = 0
        self._matched = np.zeros(STATES)
        self._mean: Floats = np.zeros(features)
        self._variance: Floats = np.full(features, 1e-4)
        self._readings = 0

    def of(self, values: Floats) -> float:
        """Squared distance of a reading (features,) from the nearest state; then learn it."""
        if not self._readings:
            self._mean = values.copy()
        scale = np.sqrt(self._variance) + 1e-6
        about = values - self._mean
        place = about / scale if self._readings > 1 else np.zeros_like(about)
        step = np.minimum(np.maximum(place, -_LONGEST_STEP), _LONGEST_STEP) * scale
        if self._readings < _FREE_READINGS:
            step = about
        gain = 1.0 / min(self._readings + 1, _MEMORY_READINGS)
        self._variance = self._variance + gain * (step * step - self._variance)
        self._mean = self._mean + gain * step
        distance = self._match(place)
        self._readings += 1
        return distance

    def _match(self, place: Floats) -> float:
        if not self._count:
            self._kept[:, 0] = place
            self._count = 1
            return 0.0
        away = self._kept[:, : self._count] - place[:, None]
        away *= away
        # Added feature after feature, so that the number of states changes no bit.
        distances = away[0]
        for line in away[1:]:
            distances += line
        nearest = int(distances.argmin())
        distance = float(distances[nearest]) / len(place)
        if distance > _NEW_DISTANCE * _NEW_DISTANCE:
            if self._count < STATES:
                nearest = self._count
                self._count += 1
            else:
                nearest = int(self._matched.argmin())
            self._kept[:, nearest] = place
        self._matched[nearest] = self._readings
        return distance

    def fields(self) -> dict[str, Any]:
        """Everything that later distances depend on."""
        return {
            "kept": self._kept[:, : self._count],
            "matched": self._matched[: self._count],
            "mean": self._mean,
            "variance": self._variance,
            "readings": self._readings,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "States":
        """The states whose `fields` these are; KeyError or ValueError when they do not fit together."""
        features, count = fields["kept"].shape
        restored = cls(features)
        if count > STATES or {fields["mean"].shape, fields["variance"].shape} != {(features,)}:
            raise ValueError("the kept states have another size than their features")
        restored._count = count
        restored._kept[:, :count] = fields["kept"]
        restored._matched[:count] = fields["matched"]
        restored._mean, restored._variance = fields["mean"], fields["variance"]
        restored._readings = int(fields["readings"])
        return restored
