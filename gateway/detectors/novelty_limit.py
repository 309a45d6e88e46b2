"""From the peaks of healthy levels to a limit that the false-alarm budget asks for, which may fall and never rises.

    rate of peaks above 2, per reading:  rate * exp(-(limit - 2) / height)  =  budget * interval / one day

Rate and mean height are those seen, leaning on what is usual: levels are in deviations of their own past, so that
their peaks are much the same on different machines. Whenever the readings have doubled the limit is taken anew; the
lower one stays.
"""

import math
from typing import Any

_DAY_SECONDS = 86400.0
#: Peaks above this level are looked at; no limit is lower.
LEAST_LEVEL = 2.0
#: Usual peaks per reading and their usual height above it, of one channel at a time of SKAB, TEP, SMD, ASD and noise
#: (docs/detection.md); they count as so many readings and peaks.
_USUAL_RATE, _RATE_READINGS = 0.0012, 2000
_USUAL_HEIGHT, _HEIGHT_PEAKS = 0.8, 10
#: A higher peak counts as one of this height: a single spike must not blind a channel.
_HIGHEST = 3.0
#: Readings at the beginning that are not looked at: everything is new to a detector that is.
_EARLY_READINGS = 100


class NoveltyLimit:
    """Limit of levels, from `fix` on; infinite before.

    Parameters
    ----------
    rate_per_reading
        Alarms that healthy readings may raise.
    """

    def __init__(self, rate_per_reading: float) -> None:
        self.rate_per_reading = rate_per_reading
        self.limit = math.inf
        self._readings = 0
        self._peaks, self._heights = 0, 0.0
        self._due = 0

    @classmethod
    def of_budget(cls, false_alarms_per_day: float, interval_ns: int) -> "NoveltyLimit":
        """For a budget of a device that reads every `interval_ns`."""
        return cls(false_alarms_per_day * interval_ns * 1e-9 / _DAY_SECONDS)

    def take(self, level: float, peak: bool) -> None:
        """Take in a reading; `peak`: its level is above those shortly before."""
        self._readings += 1
        if peak and level > LEAST_LEVEL and self._readings > _EARLY_READINGS:
            self._peaks += 1
            self._heights += min(level - LEAST_LEVEL, _HIGHEST)
        if self._readings == self._due:
            self.fix()

    def fix(self) -> None:
        """Take the limit from all readings so far; again when they have doubled."""
        seen = max(self._readings - _EARLY_READINGS, 0)
        rate = (self._peaks + _USUAL_RATE * _RATE_READINGS) / (seen + _RATE_READINGS)
        height = (self._heights + _USUAL_HEIGHT * _HEIGHT_PEAKS) / (self._peaks + _HEIGHT_PEAKS)
        found = LEAST_LEVEL + height * max(0.0, math.log(rate / self.rate_per_reading))
        self.limit = min(self.limit, found)
        self._due = 2 * self._readings

    def fields(self) -> dict[str, Any]:
        """Everything that later limits depend on."""
        return {
            "rate": self.rate_per_reading,
            "limit": self.limit,
            "readings": self._readings,
            "peaks": self._peaks,
            "heights": self._heights,
            "due": self._due,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "NoveltyLimit":
        """The limit whose `fields` these are; KeyError when one is missing."""
        restored = cls(float(fields["rate"]))
        restored.limit = float(fields["limit"])
        restored._readings, restored._peaks = int(fields["readings"]), int(fields["peaks"])
        restored._heights, restored._due = float(fields["heights"]), int(fields["due"])
        return restored
