"""What a channel usually is at this time of the day, learned as the days go by and taken out as far as it explains."""

from typing import Any

import numpy as np

#: Parts of a day; the profile holds the usual value of each.
PARTS = 48
_DAY_NS = 86_400 * 10**9
#: Days that a part of the profile remembers, and readings that the usual value of any time remembers.
_DAYS, _READINGS = 6, 2000


class DayProfile:
    """Usual value of each part of the day (UTC), by the time of a reading alone: gaps, duplicates and stamps that run
    backwards disturb nothing but the parts they fall in.

    The profile is trusted by the share of the variance that it explained so far, of readings it had not seen.
    """

    def __init__(self) -> None:
        self._profile = [0.0] * PARTS
        self._days = [0] * PARTS
        self._left, self._about = 1e-12, 1e-12
        self._compared = self._readings = 0
        self._usual = 0.0
        self._part = -1
        self._sum, self._count = 0.0, 0

    def steady(self, time_ns: int, value: float) -> float:
        """A value less what the time of day explains of it; then learn it."""
        part = time_ns % _DAY_NS * PARTS // _DAY_NS
        if not self._readings:
            self._usual = value
        steady = value
        if self._days[part]:
            expected, usual = self._profile[part], self._usual
            self._left += ((value - expected) ** 2 - self._left) / _READINGS
            self._about += ((value - usual) ** 2 - self._about) / _READINGS
            self._compared += 1
            if self._compared > PARTS:
                steady = value - max(0.0, 1.0 - self._left / max(self._about, 1e-12)) * (expected - usual)
        if part != self._part:
            self._close()
            self._part = part
        self._sum += value
        self._count += 1
        self._readings += 1
        self._usual += (value - self._usual) / min(self._readings, _READINGS)
        return steady

    def _close(self) -> None:
        """Take the mean of the part that ends into the profile."""
        if self._count:
            days = self._days[self._part]
            self._profile[self._part] += (self._sum / self._count - self._profile[self._part]) / min(days + 1, _DAYS)
            self._days[self._part] = days + 1
        self._sum, self._count = 0.0, 0

    def fields(self) -> dict[str, Any]:
        """Everything that later values depend on."""
        return {
            "profile": np.array(self._profile),
            "days": np.array(self._days, np.float64),
            "explained": np.array([self._left, self._about]),
            "counts": [self._compared, self._readings, self._part, self._count],
            "usual": np.array([self._usual, self._sum]),
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "DayProfile":
        """The profile whose `fields` these are; KeyError or ValueError when they do not fit together."""
        restored = cls()
        restored._profile = fields["profile"].tolist()
        restored._days = [int(days) for days in fields["days"].tolist()]
        restored._left, restored._about = fields["explained"].tolist()
        restored._compared, restored._readings, restored._part, restored._count = map(int, fields["counts"])
        restored._usual, restored._sum = fields["usual"].tolist()
        if len(restored._profile) != PARTS or len(restored._days) != PARTS or not -1 <= restored._part < PARTS:
            raise ValueError("the profile of the day has other parts")
        return restored
