"""The reference of Tocsin's arithmetic, in plain integers, in the subset of Python that MicroPython shares.

Everything a device computes from samples is here and in `spectrum.py`, `envelope.py` and `fast.py`; `arrays.py` and the
C sources tell the same in their own way and must give the same integers for every input. Division is always a shift
that rounds towards minus infinity.

Ranges. Counts are int32, scaled values int16: ``value - centre`` is below 2**32, times a multiplier below 2**30 and
half a unit of the shift below 2**63. A slow window of W <= 256 rows: ``S = sum(v)`` is at most 2**8 * 2**15 = 2**23 in
magnitude, ``Q = sum(v*v)`` at most 2**8 * 2**30 = 2**38. ``W*Q - S*S`` is W*W times the variance, so it is never
negative and at most 2**16 * 2**30 = 2**46; ``10*W*W`` is below 2**20. ``P = sum(i*v)``, i from 0 to W - 1, is at most
``W*(W - 1)/2 * 2**15 < 2**30``; the slope ``2*P - (W - 1)*S = sum((2*i - W + 1)*v)`` at most ``W*W/2 * 2**15 = 2**30``,
and so are both of its terms, the second of 2**31 at most. While `push` takes a value in, nothing is larger.
"""

from shared.signal.definition import MISSING
from shared.signal.tables import QUARTER, QUARTER_SINE


def scale(value: int, centre: int, multiplier: int, shift: int) -> int:
    """``((value - centre) * multiplier) / 2**shift`` rounded half up, not yet limited to int16.

    `value` and `centre` are int32, 0 < multiplier < 2**30, 1 <= shift <= 46.

    >>> scale(1000, 0, 1 << 14, 14), scale(-3, 0, 1, 1)
    (1000, -1)
    """
    return ((value - centre) * multiplier + (1 << (shift - 1))) >> shift


def clamp16(value: int) -> int:
    """Limit to int16.

    >>> clamp16(40000), clamp16(-40000), clamp16(5)
    (32767, -32768, 5)
    """
    if value > 32767:
        return 32767
    if value < -32768:
        return -32768
    return value


def log2_q8(value: int) -> int:
    """Base-2 logarithm in 1/256, rounded down; 0 for values below 1. Exact for powers of two.

    The integer part is the position of the highest bit; each fraction bit comes from squaring a 31-bit mantissa.

    >>> log2_q8(1), log2_q8(2), log2_q8(3), log2_q8(2**40)
    (0, 256, 405, 10240)
    """
    if value < 2:
        return 0
    exponent = 0
    rest = value
    for step in (32, 16, 8, 4, 2, 1):
        if rest >> step:
            rest >>= step
            exponent += step
    mantissa = value << (30 - exponent) if exponent <= 30 else value >> (exponent - 30)
    result = exponent
    for _ in range(8):
        mantissa = (mantissa * mantissa) >> 30
        result <<= 1
        if mantissa >> 31:
            mantissa >>= 1
            result += 1
    return result


def isqrt(value: int) -> int:
    """Integer square root, rounded down, of 0 <= value < 2**64.

    >>> isqrt(0), isqrt(15), isqrt(16), isqrt(2**63)
    (0, 3, 4, 3037000499)
    """
    root = 0
    bit = 1 << 62
    while bit > value:
        bit >>= 2
    while bit:
        if value >= root + bit:
            value -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


def sine(index: int, length: int) -> int:
    """``sin(2 pi index / length)`` in Q30 from the quarter table; `length` a power of two up to 4 * QUARTER.

    >>> sine(0, 64), sine(16, 64), sine(48, 64)
    (0, 1073741824, -1073741824)
    """
    position = (index % length) * (4 * QUARTER // length)
    quadrant, within = divmod(position, QUARTER)
    if quadrant == 0:
        return QUARTER_SINE[within]
    if quadrant == 1:
        return QUARTER_SINE[QUARTER - within]
    if quadrant == 2:
        return -QUARTER_SINE[within]
    return -QUARTER_SINE[QUARTER - within]


class SlowWindow:
    """The last W rows of one channel of a slow device, and its four features.

    >>> window = SlowWindow(4)
    >>> for value in (0, 64, 128, 192):
    ...     window.push(value)
    >>> window.features()
    [3072, 1536, 4179, 640]
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.log2_rows = 0
        while (1 << self.log2_rows) < rows:
            self.log2_rows += 1
        self.values = [0] * rows
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new stretch."""
        self.filled = 0
        self.position = 0
        self.total = 0
        self.squares = 0
        self.ramp = 0

    def push(self, value: int) -> None:
        """Take the next scaled value, int16."""
        if self.filled < self.rows:
            self.ramp += self.filled * value
            self.filled += 1
        else:
            oldest = self.values[self.position]
            self.total -= oldest
            self.squares -= oldest * oldest
            self.ramp += (self.rows - 1) * value - self.total
        self.total += value
        self.squares += value * value
        self.values[self.position] = value
        self.position = (self.position + 1) & (self.rows - 1)

    def last(self) -> int:
        """The value pushed last; 0 in an empty window."""
        return self.values[self.position - 1] if self.filled else 0

    def features(self) -> "list[int]":
        """``[value, mean, deviation, slope]`` of a full window, before scaling."""
        rows = self.rows
        spread = rows * self.squares - self.total * self.total
        return [
            self.last() << 4,
            (self.total << 4) >> self.log2_rows,
            log2_q8(spread + 10 * rows * rows),
            2 * self.ramp - (rows - 1) * self.total,
        ]


def gap_between(previous_ns: int, time_ns: int, gap_ns: int) -> bool:
    """Whether a stretch ends between two samples: a step backwards or above `gap_ns`.

    >>> gap_between(0, 5, 10), gap_between(0, 11, 10), gap_between(5, 4, 10)
    (False, True, True)
    """
    return time_ns < previous_ns or time_ns - previous_ns > gap_ns


def hold_missing(count: int, centre: int, multiplier: int, shift: int, last: int) -> int:
    """The scaled value of a count, not limited; a missing count gives `last`."""
    if count == MISSING:
        return last
    return scale(count, centre, multiplier, shift)
