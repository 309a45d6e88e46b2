"""Readings of a slow device at its rate: what the user's ``read()`` gives in physical units, as rows of counts.

>>> ticks = [0]
>>> clock = Clock(lambda: ticks[0])
>>> sampler = Sampler(lambda: [21.5, None], [(20.0, 0.5), (0.0, 1.0)], 1000, clock, lambda: ticks[0])
>>> sampler() is None  # nobody has said the time yet
True
>>> clock.set(7000000000)
>>> sampler(), sampler() is None
([(7000000000, [3, -2147483648])], True)
"""

from firmware.micropython.clock import Clock
from shared.signal import definition

_COUNT_MAX = 2147483647


def count_of(value: "float | None", offset: float, step: float) -> int:
    """The int32 count of a physical value; `definition.MISSING` for None and for what is no number or too large.

    >>> count_of(2.6, 0.0, 1.0), count_of(-2.6, 0.0, 1.0), count_of(1e30, 0.0, 1.0), count_of(None, 0.0, 1.0)
    (3, -3, -2147483648, -2147483648)
    """
    if value is None:
        return definition.MISSING
    ratio = (value - offset) / step
    if not -_COUNT_MAX <= ratio <= _COUNT_MAX:
        return definition.MISSING
    count = round(ratio)
    return count if -_COUNT_MAX <= count <= _COUNT_MAX else definition.MISSING


class Sampler:
    """A source of rows for `SerialLoop`: `read()` gives one number per channel, None where there is none.

    `resolutions` holds each channel's (offset, step), `period_ms` is the time from row to row. An OSError of `read`, a
    sensor that does not answer, is a row of missing values.
    """

    def __init__(  # type: ignore[no-untyped-def]
        self, read, resolutions: "list[tuple[float, float]]", period_ms: int, clock: Clock, ticks_ms
    ) -> None:
        self._read = read
        self._resolutions = resolutions
        self._period_ms = period_ms
        self._clock = clock
        self._ticks_ms = ticks_ms
        self._due: "int | None" = None

    def __call__(self) -> "list[tuple[int, list[int]]] | None":
        """One row when it is due. ValueError: `read` does not give one number per channel."""
        time_ns = self._clock.now_ns()
        now = self._ticks_ms()
        if time_ns is None or (self._due is not None and now < self._due):
            return None
        following = now if self._due is None else self._due
        while following <= now:  # what could not be read in time is left out
            following += self._period_ms
        self._due = following
        resolutions = self._resolutions
        try:
            values = self._read()
        except OSError:
            values = [None] * len(resolutions)
        if len(values) != len(resolutions):
            raise ValueError(
                "sensor.py gives "
                + str(len(values))
                + " numbers, the device has "
                + str(len(resolutions))
                + " channels"
            )
        counts = [count_of(values[i], resolutions[i][0], resolutions[i][1]) for i in range(len(values))]
        return [(time_ns, counts)]
