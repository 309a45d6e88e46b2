"""The time of a board that has no clock of its own: its gateway's, carried on by counting milliseconds.

>>> ticks = [1000]
>>> clock = Clock(lambda: ticks[0])
>>> clock.now_ns() is None, clock.set(5000000000), clock.now_ns()
(True, None, 5000000000)
>>> ticks[0] = 1020
>>> clock.set(4000000000)
>>> clock.now_ns()
5020000000
"""


class Clock:
    """`ticks_ms` never wraps. The time is unknown until the gateway says it; it is never stepped back."""

    def __init__(self, ticks_ms) -> None:  # type: ignore[no-untyped-def]
        self._ticks_ms = ticks_ms
        self._offset_ns: "int | None" = None

    def set(self, time_ns: int) -> None:
        """The gateway's time now."""
        offset = time_ns - self._ticks_ms() * 1000000
        if self._offset_ns is None or offset > self._offset_ns:
            self._offset_ns = offset

    def now_ns(self) -> "int | None":
        """Nanoseconds UTC; None as long as nobody has said the time."""
        return None if self._offset_ns is None else self._offset_ns + self._ticks_ms() * 1000000


class Ticks:
    """A millisecond counter that wraps, made one that does not; call it more often than once per wrap.

    `ticks` counts, `difference(new, old)` subtracts: `time.ticks_ms` and `time.ticks_diff` on a board.
    """

    def __init__(self, ticks, difference) -> None:  # type: ignore[no-untyped-def]
        self._ticks = ticks
        self._difference = difference
        self._last = ticks()
        self._total = 0

    def __call__(self) -> int:
        now = self._ticks()
        self._total += self._difference(now, self._last)
        self._last = now
        return self._total
