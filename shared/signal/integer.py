"""The reference of Tocsin's features, in plain integers, in the subset of Python that MicroPython shares.

Everything a device computes from samples is here; `arrays.py` and the C sources tell the same in their own way and must
give the same integers for every input. Division is always a shift that rounds towards minus infinity.

Ranges. Counts are int32, scaled values int16. A slow window of W <= 256 rows: ``S`` below 2**23, ``Q`` below 2**38,
``W*Q - S*S`` below 2**46, ``P`` below 2**31 in magnitude, the slope below 2**30. A fast window of N <= 4096 samples:
after the
mean is removed ``|x| <= 65535``, so ``E2 < 2**44``, ``E4 < 2**60``; the FFT of N/2 complex points grows by at most
N/2, so every
part stays below 2**16 * 2**11 * sqrt(2) < 2**28 and, after the real split, below 2**29; a bin's energy stays below
2**58 and the sum over bins, by
Parseval at most N * E2 * 2 plus rounding, below 2**58: signed 64 bits always suffice.
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
    """``sin(2 pi index / length)`` in Q15 from the quarter table; `length` a power of two up to 4 * QUARTER.

    >>> sine(0, 64), sine(16, 64), sine(48, 64)
    (0, 32767, -32767)
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


class SpectrumPlan:
    """Window function and twiddle factors for windows of `samples` samples, made once."""

    def __init__(self, samples: int) -> None:
        half = samples // 2
        self.samples = samples
        self.half = half
        self.log2_samples = 0
        while (1 << self.log2_samples) < samples:
            self.log2_samples += 1
        quarter = samples // 4
        # Hann, periodic: (1 - cos) / 2 in Q15
        self.hann = [(32767 - sine(i + quarter, samples) + 1) >> 1 for i in range(samples)]
        self.cosines = [sine(i + quarter, samples) for i in range(half)]
        self.sines = [sine(i, samples) for i in range(half)]
        bits = self.log2_samples - 1
        self.reversed = [0] * half
        for i in range(half):
            value = i
            mirrored = 0
            for _ in range(bits):
                mirrored = (mirrored << 1) | (value & 1)
                value >>= 1
            self.reversed[i] = mirrored

    def bin_energies(self, x: "list[int]") -> "list[int]":
        """Energy of bins 0..N/2 of the Hann-windowed integer FFT of N samples (17 bits and a sign each).

        The N real samples are N/2 complex points; decimation in time, no scaling between stages, products rounded
        half up
        from Q15.
        """
        half = self.half
        hann = self.hann
        re = [0] * half
        im = [0] * half
        for i in range(half):
            source = self.reversed[i] << 1
            re[i] = (x[source] * hann[source] + 16384) >> 15
            im[i] = (x[source + 1] * hann[source + 1] + 16384) >> 15
        cosines = self.cosines
        sines = self.sines
        size = 1
        stride = half
        while size < half:
            for k in range(size):
                c = cosines[k * stride]
                s = sines[k * stride]
                for low in range(k, half, size << 1):
                    high = low + size
                    a = re[high]
                    b = im[high]
                    tr = (a * c + b * s + 16384) >> 15
                    ti = (b * c - a * s + 16384) >> 15
                    a = re[low]
                    b = im[low]
                    re[low] = a + tr
                    im[low] = b + ti
                    re[high] = a - tr
                    im[high] = b - ti
            size <<= 1
            stride >>= 1
        energies = [0] * (half + 1)
        first = re[0] + im[0]
        energies[0] = first * first
        first = re[0] - im[0]
        energies[half] = first * first
        for k in range(1, half):
            a = re[k]
            b = im[k]
            c = re[half - k]
            d = im[half - k]
            even_re = a + c
            even_im = b - d
            odd_re = b + d
            odd_im = c - a
            cosine = cosines[k]
            s = sines[k]
            real = (even_re + ((odd_re * cosine + odd_im * s + 16384) >> 15)) >> 1
            imag = (even_im + ((odd_im * cosine - odd_re * s + 16384) >> 15)) >> 1
            energies[k] = real * real + imag * imag
        return energies


def fast_features(plan: SpectrumPlan, values: "list[int]", edges: "list[int]") -> "list[int]":
    """``[level, crest, kurtosis, bands...]`` of one axis' window of scaled samples (int16), before scaling.

    `edges` are the bands' bins, ascending, one more than there are bands.

    >>> fast_features(SpectrumPlan(32), [1000, -1000] * 16, [1, 8, 17])[:3]
    [6382, -1280, -5376]
    """
    mean = (sum(values) + (plan.samples >> 1)) >> plan.log2_samples
    x = [value - mean for value in values]
    squares = [value * value for value in x]
    level = log2_q8(sum(squares) + 1)
    peak = max(max(x), -min(x))  # noqa: PLW3301 - unpacking x would need a stack of N
    fourth = 0
    for square in squares:
        reduced = square >> 8
        fourth += reduced * reduced
    energies = plan.bin_energies(x)
    result = [level, 2 * log2_q8(peak + 1) - level, log2_q8(fourth + 1) - 2 * level]
    for band in range(len(edges) - 1):
        result.append(log2_q8(sum(energies[edges[band] : edges[band + 1]]) + 1))
    return result


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
