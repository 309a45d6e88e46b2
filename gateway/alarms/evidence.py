"""Evidence against a device: scores that stay high, not scores that are high once.

The evidence is a running mean of the logarithm of the fused score. Its limit comes from how high the evidence of the
healthy readings climbed, out of block, and from the false-alarm budget:

    rate of excursions above u, per reading:  r * exp(-(limit - u) / b)  =  budget * interval / one day

with u the healthy 0.9 quantile (higher where there are many readings), r how often the healthy evidence rose above it
per reading, and b the mean height of those excursions. Peaks over a threshold have exponential tails for a wide family
of distributions (Pickands, 1975, Statistical inference using extreme order statistics).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.explanation.onset import Onset

DEFAULT_FALSE_ALARMS_PER_DAY = 1.0 / 7.0
#: Evidence gathers for this long, within these numbers of readings. Nobody answers an alarm faster than in ten
#: seconds, so a quick device may look that long; a slow one must not wait for hours, but one odd reading, or two, are
#: no alarm of a device at its usual level, whatever its pace.
PERSISTENCE_SECONDS = 10.0
PERSISTENCE_READINGS = (5, 30)
#: One reading counts as at most this much above the limit (natural logarithm of the score), and at most
#: `SINGLE_READING_SHARE` of the way from the healthy median to the limit: over the shortest span two such readings then
#: end just below it, ``(1 + 1.5) * (1 - 0.8**2) = 0.9`` of the way.
SINGLE_READING_LIMIT = 1.0
SINGLE_READING_SHARE = 1.5
_LEAST_SINGLE_READING = 0.25
#: An alarm ends when the evidence stayed this far below its limit, or half-way down to its healthy median if that is
#: nearer, for `HOLD_SPANS` times the persistence.
HYSTERESIS = 0.5
HOLD_SPANS = 3
#: After a gap of this many times the persistence what was gathered before counts no longer.
FORGET_SPANS = 10
#: Below this limit (half of the threshold of a single reading) a short healthy part would be trusted too far.
LOWEST_LIMIT = math.log(0.5)
#: A short healthy part shows few excursions, and low ones by luck: so many of this height are added to those seen if
#: that makes them higher. The height is for the shortest span; a mean of more readings moves less.
ASSUMED_EXCURSION = 0.1
ASSUMED_EXCURSIONS = 10
_LOWEST_SCORE = 1e-3
_DAY_SECONDS = 86400.0


class Evidence:
    """Whether one device is in alarm, reading by reading. The result does not depend on how readings are grouped.

    `limit` and `usual` are natural logarithms of a score: the limit of the alarm, and the healthy median, where the
    evidence starts. `since_ns` is when the scores rose to the alarm that lasts, None without one.

    >>> times = np.arange(400) * 1_000_000_000
    >>> evidence = Evidence.calibrate(times, np.exp(np.sin(np.arange(400.0)) * 0.1 - 1.0), 1.0)
    >>> [evidence.step(int(time), 9.0) for time in times[:12] + 400_000_000_000].index(True)
    4
    """

    def __init__(self, limit: float, usual: float, span_readings: int, interval_ns: int) -> None:
        self.limit = limit
        self.usual = usual
        self.span_readings = span_readings
        self.interval_ns = interval_ns
        self.end_level = max(limit - HYSTERESIS, 0.5 * (limit + usual))
        above = min(SINGLE_READING_LIMIT, max(SINGLE_READING_SHARE * (limit - usual), _LEAST_SINGLE_READING))
        self.highest_level = limit + above
        self.value = usual
        self.alarm = False
        self.since_ns: int | None = None
        self._onset = Onset()
        self._below = 0
        self._last_ns: int | None = None

    @classmethod
    def calibrate(
        cls, times_ns: NDArray[np.int64], healthy_scores: NDArray[np.float64], false_alarms_per_day: float
    ) -> "Evidence":
        """Evidence with a limit from out-of-block scores (n,) of healthy readings, NaN = none."""
        interval_ns = typical_interval_ns(times_ns)
        low, high = PERSISTENCE_READINGS
        span = int(min(max(math.ceil(PERSISTENCE_SECONDS * 1e9 / interval_ns), low), high))
        path = _path(healthy_scores[np.isfinite(healthy_scores)], span)
        settled = path[min(span, len(path) // 2) :]
        if not len(settled):
            return cls(0.0, math.log(0.5), span, interval_ns)
        rate = false_alarms_per_day * interval_ns * 1e-9 / _DAY_SECONDS
        evidence = cls(_limit(settled, span, rate), float(np.median(settled)), span, interval_ns)
        evidence.value = float(path[-1])
        evidence._last_ns = int(times_ns[-1])
        return evidence

    def step(self, time_ns: int, fused_score: float) -> bool:
        """Take in one reading; True while the device is in alarm. A reading without a score (NaN) changes nothing."""
        if math.isnan(fused_score):
            return self.alarm
        if self._last_ns is not None and not self.alarm:
            gap_ns = time_ns - self._last_ns
            if gap_ns < 0 or gap_ns > FORGET_SPANS * self.span_readings * self.interval_ns:
                self.value = min(self.value, self.usual)
        self._last_ns = time_ns
        level = min(math.log(max(fused_score, _LOWEST_SCORE)), self.highest_level)
        self.value += (level - self.value) / self.span_readings
        self._onset.add(time_ns, max(level - 0.5 * (self.usual + self.limit), 0.0))
        if not self.alarm:
            self.alarm = self.value > self.limit
            self._below = 0
            if self.alarm:
                self.since_ns = self._onset.since()
        else:
            self._below = self._below + 1 if self.value < self.end_level else 0
            self.alarm = self._below < HOLD_SPANS * self.span_readings
            if not self.alarm:
                self.since_ns, self._onset = None, Onset()
        return self.alarm

    def shift(self, by: float) -> None:
        """Scores are from now on higher by this factor's logarithm: limit, value and usual level go with them."""
        self.limit += by
        self.usual += by
        self.value += by
        self.end_level += by
        self.highest_level += by

    def fields(self) -> dict[str, Any]:
        """Everything that later readings depend on."""
        return {
            "limit": self.limit,
            "usual": self.usual,
            "end level": self.end_level,
            "highest level": self.highest_level,
            "span readings": self.span_readings,
            "interval": self.interval_ns,
            "evidence": self.value,
            "in alarm": self.alarm,
            "below": self._below,
            "last time": self._last_ns,
            "since": self.since_ns,
        } | self._onset.fields()

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Evidence":
        """The evidence whose `fields` these are; KeyError when one is missing."""
        restored = cls(fields["limit"], fields["usual"], fields["span readings"], fields["interval"])
        restored.end_level = fields["end level"]
        restored.highest_level = fields["highest level"]
        restored.value = fields["evidence"]
        restored.alarm = fields["in alarm"]
        restored._below = fields["below"]
        restored._last_ns = fields["last time"]
        restored.since_ns = fields.get("since")
        restored._onset = Onset.from_fields(fields)
        return restored


def typical_interval_ns(times_ns: NDArray[np.int64]) -> int:
    """Mean time from reading to reading, one hundredth of the longest steps left out as pauses of the plant.

    The mean, for a device may wake for a snapshot of a few readings and sleep in between: then a day holds fewer
    readings than the median step says, and what it gathered must outlast its sleep.

    >>> typical_interval_ns(np.array([0, 1, 60, 61, 120, 121, 180]) * 10**9)
    30000000000
    """
    steps = np.diff(times_ns)
    steps = np.sort(steps[steps > 0])
    kept = steps[: len(steps) - len(steps) // 100]
    return max(int(kept.mean()), 1) if len(kept) else 1_000_000_000


def _path(scores: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """The evidence after each of `scores`, bias-corrected at the beginning."""
    path = np.empty(len(scores))
    weight = value = 0.0
    for index, score in enumerate(scores.tolist()):
        weight += (1.0 - weight) / span
        value += (math.log(max(score, _LOWEST_SCORE)) - value) / span
        path[index] = value / weight
    return path


def _limit(path: NDArray[np.float64], span: int, rate_per_reading: float) -> float:
    """The level that the healthy evidence would rise above at `rate_per_reading`."""
    level = float(np.quantile(path, max(0.9, 1.0 - 100 * span / len(path))))
    above = np.concatenate(([False], path > level, [False]))
    begins = np.flatnonzero(above[1:] & ~above[:-1])
    ends = np.flatnonzero(above[:-1] & ~above[1:])
    peaks = [float(path[begin:end].max()) - level for begin, end in zip(begins, ends, strict=True)]
    assumed = ASSUMED_EXCURSION * math.sqrt(PERSISTENCE_READINGS[0] / span)
    tempered = (sum(peaks) + ASSUMED_EXCURSIONS * assumed) / (len(peaks) + ASSUMED_EXCURSIONS)
    height = max(tempered, sum(peaks) / len(peaks)) if peaks else tempered
    excursions_per_reading = max(len(peaks), 1) / len(path)
    limit = level + height * max(0.0, math.log(excursions_per_reading / rate_per_reading))
    # One great excursion, a run-in for example, is no measure of the others: they alone say how far to go beyond it,
    # for the readings that the healthy part lacks to show one alarm.
    others = sorted(peaks)[:-1]
    beyond = max(tempered, sum(others) / len(others)) if others else tempered
    highest = float(path.max()) + beyond * max(0.0, -math.log(rate_per_reading * len(path)))
    return max(min(limit, highest), LOWEST_LIMIT)
