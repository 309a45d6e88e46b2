"""How new a reading of one channel is: its level, from distances to what came before on three time scales.

    value -> less its time of day -> value and running mean and log deviation of 5, 20 and 80 readings
          -> three running distances | distance to the nearest of the states kept -> running standards -> mean

It always learns, and forgets over thousands of readings: what lasts is new only once. A level is in deviations of its
own past, so that levels of different machines mean nearly the same.
"""

import math
from typing import Any

import numpy as np

from gateway.detectors.novelty_day import DayProfile
from gateway.detectors.novelty_moments import RunningDistance, RunningMoments, RunningStandard
from gateway.detectors.novelty_states import States

SPANS = (5, 20, 80)
#: Values further than this from the healthy mean (in healthy deviations) count as this far.
VALUE_LIMIT = 1000.0
_DEVIATION_OFFSET = 0.05
_DISTANCE_OFFSET, _STATE_OFFSET = 0.01, 0.03


class NoveltyLevel:
    """Level of each reading of one channel, in its order. A level depends on earlier readings and its own."""

    def __init__(self) -> None:
        self._day = DayProfile()
        self._running = [RunningMoments(span) for span in SPANS]
        self._distances = [RunningDistance(3), *(RunningDistance(2) for _ in SPANS[1:])]
        self._states = States(5)
        self._standards = [RunningStandard() for _ in range(len(SPANS) + 1)]

    def of(self, time_ns: int, deviation: float) -> float:
        """Level of a value in healthy deviations; then learn it."""
        value = self._day.steady(time_ns, min(max(deviation, -VALUE_LIMIT), VALUE_LIMIT))
        recent: list[tuple[float, float]] = []
        for moments in self._running:
            moments.take(value)
            recent.append((moments.mean, math.log(math.sqrt(moments.variance) + _DEVIATION_OFFSET)))
        total = 0.0
        features: tuple[float, ...] = (value, *recent[0])
        for index, distance in enumerate(self._distances):
            total += self._standards[index].of(math.log(distance.of(features) + _DISTANCE_OFFSET))
            features = recent[min(index + 1, len(recent) - 1)]
        state = self._states.of(np.array((value, *recent[0], *recent[1])))
        other = self._standards[-1].of(math.log(state + _STATE_OFFSET))
        return 0.5 * (total / len(SPANS) + other)

    def fields(self) -> dict[str, Any]:
        """Everything that later levels depend on."""
        own: dict[str, Any] = {
            "running": np.array([moments.values() for moments in self._running]),
            "standards": np.array([standard.values() for standard in self._standards]),
        }
        own |= {f"day {name}": value for name, value in self._day.fields().items()}
        own |= {f"states {name}": value for name, value in self._states.fields().items()}
        for index, distance in enumerate(self._distances):
            own |= {f"distance {index} {name}": value for name, value in distance.fields().items()}
        return own

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "NoveltyLevel":
        """The level whose `fields` these are; KeyError or ValueError when they do not fit together."""

        def of(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}

        restored = cls()
        running, standards = fields["running"], fields["standards"]
        if (running.shape, standards.shape) != ((len(SPANS), 3), (len(SPANS) + 1, 3)):
            raise ValueError("the running means of a level have other spans")
        restored._running = [RunningMoments(span, *v) for span, v in zip(SPANS, running.tolist(), strict=True)]
        restored._standards = [RunningStandard(*values) for values in standards.tolist()]
        restored._day = DayProfile.from_fields(of("day "))
        restored._states = States.from_fields(of("states "))
        restored._distances = [RunningDistance.from_fields(of(f"distance {index} ")) for index in range(len(SPANS))]
        if [distance.features for distance in restored._distances] != [3, *(2 for _ in SPANS[1:])]:
            raise ValueError("the distances of a level have other features")
        return restored
