"""Events of a single channel: readings unlike anything before them, told once.

The distance of a reading from the healthy part ranks what lasts; one channel alone mostly has events: a spike, a jump,
a rhythm that stops. The level of novelty always learns, so it tells these apart from what has become usual, and an
event is a level above its limit and above the levels of the last hundred readings.
"""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.novelty_level import NoveltyLevel
from gateway.detectors.novelty_limit import LEAST_LEVEL, NoveltyLimit

Floats = NDArray[np.float64]

#: Readings above which an event must stand out.
RECENT_READINGS = 100


class Novelty:
    """Novelty of the readings of one channel, in their order; made by `fit` or `from_fields`.

    A novelty depends on its reading and on earlier ones, to the bit, not on how readings are grouped. A missing reading
    (NaN) changes nothing; of the time only the time of the day counts, in whatever order. Memory is bounded.

    Attributes
    ----------
    alarm
        An event was less than `hold_readings` readings ago.
    """

    def __init__(self, level: NoveltyLevel, limit: NoveltyLimit, hold_readings: int) -> None:
        self.level = level
        self.limit = limit
        self.hold_readings = hold_readings
        self._recent = [-math.inf] * RECENT_READINGS
        self._place = 0
        self._held = 0

    @property
    def alarm(self) -> bool:
        """Whether an event holds an alarm."""
        return self._held > 0

    @classmethod
    def fit(
        cls,
        times_ns: NDArray[np.int64],
        deviations: Floats,
        *,
        false_alarms_per_day: float,
        interval_ns: int,
        hold_readings: int,
    ) -> Self:
        """Ready for the reading after n healthy ones, in healthy deviations (n,), NaN where missing.

        Each of them is judged before it is learned, so the limit rests on levels out of sample.
        """
        found = cls(NoveltyLevel(), NoveltyLimit.of_budget(false_alarms_per_day, interval_ns), hold_readings)
        found.run(times_ns, deviations)
        found.limit.fix()
        return found

    def run(self, times_ns: NDArray[np.int64], deviations: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Novelty (m,) of readings, and `alarm` after each.

        1 = the lowest limit that any budget gives, so that novelties of different machines compare; 0 = not above the
        recent ones; NaN = missing.
        """
        novelty = np.full(len(deviations), np.nan)
        alarm = np.zeros(len(deviations), np.bool_)
        for index, (time_ns, deviation) in enumerate(zip(times_ns.tolist(), deviations.tolist(), strict=True)):
            if math.isfinite(deviation):
                novelty[index] = self._step(time_ns, deviation)
            alarm[index] = self._held > 0
        return novelty, alarm

    def _step(self, time_ns: int, deviation: float) -> float:
        level = self.level.of(time_ns, deviation)
        peak = level > max(self._recent)
        self._recent[self._place] = level
        self._place = (self._place + 1) % RECENT_READINGS
        self._held = self.hold_readings if peak and level > self.limit.limit else max(self._held - 1, 0)
        self.limit.take(level, peak)
        return math.exp(0.5 * (level - LEAST_LEVEL)) if peak else 0.0

    def fields(self) -> dict[str, Any]:
        """Everything that later novelties depend on, for `portable.pack`."""
        own: dict[str, Any] = {
            "novelty recent": np.array(self._recent),
            "novelty counts": [self._place, self._held, self.hold_readings],
        }
        own |= {f"novelty level {name}": value for name, value in self.level.fields().items()}
        return own | {f"novelty limit {name}": value for name, value in self.limit.fields().items()}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The novelty whose `fields` these are; KeyError or ValueError when they do not fit together."""

        def of(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}

        place, held, hold_readings = map(int, fields["novelty counts"])
        level, limit = NoveltyLevel.from_fields(of("novelty level ")), NoveltyLimit.from_fields(of("novelty limit "))
        restored = cls(level, limit, hold_readings)
        restored._recent = fields["novelty recent"].tolist()
        restored._place, restored._held = place, held
        if len(restored._recent) != RECENT_READINGS or not 0 <= place < RECENT_READINGS:
            raise ValueError("the recent levels of a novelty have another number")
        return restored
