"""Time as a value that is handed in: real, or recorded time that passes at a chosen speed.

Judgement never asks a clock: it knows the times of readings only. Clocks pace replays and repeat what was not
acknowledged.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where recorded time stands now, and how to wait for it."""

    def wait_until(self, time_ns: int) -> float:
        """Seconds of real time until recorded time reaches `time_ns`; 0.0 when it has."""
        ...


class ReplayClock:
    """Recorded time that passes `speed` times as fast as real time; infinitely fast when `speed` is None.

    >>> ReplayClock(0, None).wait_until(10**18)
    0.0
    """

    def __init__(self, start_ns: int, speed: float | None) -> None:
        self._start_ns = start_ns
        self._speed = speed
        self._started = time.monotonic()

    def wait_until(self, time_ns: int) -> float:
        """Seconds of real time to wait for `time_ns`."""
        if self._speed is None:
            return 0.0
        due = self._started + (time_ns - self._start_ns) / 1e9 / self._speed
        return max(0.0, due - time.monotonic())

    def hold(self, seconds: float) -> None:
        """Recorded time stood still for `seconds` (the devices could not keep up)."""
        self._started += seconds
