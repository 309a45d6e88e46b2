"""A threshold that may fall as healthy readings come in, and never rises.

Healthy levels are kept as an even sample. Whenever the healthy readings have doubled the threshold is taken anew from
the sample and from how much all of them tell; the lower one stays.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.calibration import effective_readings, threshold_of
from gateway.detectors.session import session_threshold

Floats = NDArray[np.float64]

#: Levels that are kept; a full sample loses every second one, and takes half as many from then on.
SAMPLE_READINGS = 512


class Tightening:
    """Threshold of levels (natural logarithm of a squared score).

    Attributes
    ----------
    threshold
        The level that is a score of 1.
    effective
        How many independent healthy readings it rests on.
    readings
        How many healthy readings these are.
    """

    def __init__(self, levels: Floats) -> None:
        self.effective = effective_readings(levels)
        self.threshold = threshold_of(levels, self.effective)
        self._effective_share = self.effective / len(levels)
        step = -(-len(levels) // SAMPLE_READINGS)
        self._sample: list[float] = [float(np.float16(level)) for level in levels[::step]]
        self._step, self._until_kept = step, step
        self.readings = len(levels)
        self._due = 2 * self.readings

    @property
    def height(self) -> float:
        """How far the threshold stands above the median of the healthy levels."""
        return self.threshold - float(np.median(self._sample))

    @classmethod
    def of_session(cls, levels: Floats, effective: float, before: "Tightening") -> "Tightening":
        """The threshold of a new session, from levels (n,) out of fold and from that of the session before.

        A short stretch may be quieter than what follows, so that it can only raise the threshold; and it takes as many
        healthy readings as before until the threshold may fall.
        """
        found = cls(levels)
        found.effective = effective
        found._effective_share = effective / len(levels)
        found.threshold = max(session_threshold(levels, effective, before.height), before.threshold)
        found._due = 2 * max(found.readings, before.readings)
        return found

    def take(self, healthy_levels: Floats) -> float:
        """Take in levels of healthy readings, in their order; by how much the threshold fell."""
        for level in healthy_levels.tolist():
            self._until_kept -= 1
            if self._until_kept == 0:
                self._sample.append(float(np.float16(level)))
                if len(self._sample) > SAMPLE_READINGS:
                    del self._sample[1::2]
                    self._step *= 2
                self._until_kept = self._step
        self.readings += len(healthy_levels)
        if self.readings < self._due:
            return 0.0
        self._due *= 2
        self.effective = self._effective_share * self.readings
        before = self.threshold
        self.threshold = min(before, threshold_of(np.array(self._sample), self.effective))
        return before - self.threshold

    def fields(self) -> dict[str, Any]:
        """Everything that later thresholds depend on."""
        return {
            "threshold": self.threshold,
            "effective readings": self.effective,
            "effective share": self._effective_share,
            "sample": np.array(self._sample, np.float16),
            "sample step": self._step,
            "until kept": self._until_kept,
            "healthy readings": self.readings,
            "threshold due": self._due,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Tightening":
        """The threshold whose `fields` these are; KeyError or ValueError when they do not fit together."""
        restored = cls.__new__(cls)
        restored.threshold, restored.effective = float(fields["threshold"]), float(fields["effective readings"])
        restored._effective_share = float(fields["effective share"])
        restored._sample = fields["sample"].astype(np.float16).tolist()
        restored._step, restored._until_kept = int(fields["sample step"]), int(fields["until kept"])
        restored.readings, restored._due = int(fields["healthy readings"]), int(fields["threshold due"])
        if restored._step < 1 or restored._until_kept < 1:
            raise ValueError("the sample of healthy levels has no step")
        return restored
