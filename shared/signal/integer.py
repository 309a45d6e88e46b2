"""The reference of Tocsin's features, in plain integers, in the subset of Python that MicroPython shares.

Everything a device computes from samples is here; `arrays.py` and the C sources tell the same in their own way and must
give the same integers for every input. Division is always a shift that rounds towards minus infinity.

Ranges. Counts are int32, scaled values int16. A slow window of W <= 256 rows: ``S`` below 2**23, ``Q`` below 2**38,
``W*Q - S*S`` below 2**46, ``P`` below 2**31 in magnitude, the slope below 2**30. A fast window of N <= 4096 samples:
once the mean is removed ``|x| <= 65535``, so ``E2 < 2**44``, ``E4 < 2**60``.

The FFT, in words of 32 bits. A point's parts are ``|x| * 2**12 < 2**28``, its magnitude is below 2**28.5; the stage of
radix 2 gives a sum of two, below 2**29.5. A stage of radix 4 gives the sum of four quarters, each turned: a mean, no
larger than the largest of them. What is rounded off adds less than 12 to a magnitude in each of the 5 stages, in all
less than 2**6. The inner sums of a butterfly are sums of some of the four quarters and no larger either. So every part
is below 2**29.5 + 2**6, sums and differences of two in the split are below 2**30.6. Half a bin of the spectrum is, by
the sum of its terms, at most ``N * 2**16 * 2**12 / 4**stages / 2 <= 2**29``, and four times that under the window,
whose mean is one half, at most 2**30; both have less than 2**9 of rounding beside them. So a bin's energy is below
2**61, and the sum of all, by Parseval ``16/4 * 3/8 * N**2 * 2**32 * 2**24 / 16**stages`` and its rounding, below 2**61
too: signed 64 bits always suffice.
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


class SpectrumPlan:
    """What the FFT of windows of `samples` samples needs, made once."""

    def __init__(self, samples: int) -> None:
        half = samples // 2
        self.samples = samples
        self.half = half
        self.log2_samples = 0
        while (1 << self.log2_samples) < samples:
            self.log2_samples += 1
        #: Stages of radix 4; where log2(N/2) is odd, one of radix 2 comes first.
        self.stages = (self.log2_samples - 1) >> 1
        #: A bin's energy is told in units of 2**-energy_shift.
        self.energy_shift = 26 - 4 * self.stages
        self.mirrored = [0] * half
        for i in range(1, half):
            self.mirrored[i] = (self.mirrored[i >> 1] >> 1) | (half >> 1 if i & 1 else 0)
        #: Cosine and sine of one, two and three times each group's angle, Q30; a group's angle does not depend on N.
        self.turns: "list[tuple[int, int, int, int, int, int]]" = []
        quarter = samples >> 2
        for group in range(3 * half // 8):
            turn = self.mirrored[group] >> 1
            self.turns.append(
                (
                    sine(turn + quarter, samples),
                    sine(turn, samples),
                    sine(2 * turn + quarter, samples),
                    sine(2 * turn, samples),
                    sine(3 * turn + quarter, samples),
                    sine(3 * turn, samples),
                )
            )

    def transform(self, re: "list[int]", im: "list[int]") -> None:
        """The FFT of N/2 complex points in place, divided by 4 in each stage of radix 4; bins in mirrored order.

        Decimation in time from natural order, so that all butterflies of a group share their twiddle factors. A product
        is the high word of a point and a factor in Q30: ``(part * factor) >> 32``, rounded down by itself.
        """
        length = self.half
        groups = 1
        if not self.log2_samples & 1:
            length >>= 1
            groups = 2
            for i in range(length):
                a = re[i]
                b = re[i + length]
                re[i] = a + b
                re[i + length] = a - b
                a = im[i]
                b = im[i + length]
                im[i] = a + b
                im[i + length] = a - b
        turns = self.turns
        while length > 1:
            length >>= 2
            begin = 0
            for group in range(groups):
                c1, s1, c2, s2, c3, s3 = turns[group]
                for i in range(begin, begin + length):
                    j = i + length
                    k = j + length
                    m = k + length
                    a = re[j]
                    b = im[j]
                    x1 = (a * c1 >> 32) + (b * s1 >> 32)
                    y1 = (b * c1 >> 32) + (-a * s1 >> 32)
                    a = re[k]
                    b = im[k]
                    x2 = (a * c2 >> 32) + (b * s2 >> 32)
                    y2 = (b * c2 >> 32) + (-a * s2 >> 32)
                    a = re[m]
                    b = im[m]
                    x3 = (a * c3 >> 32) + (b * s3 >> 32)
                    y3 = (b * c3 >> 32) + (-a * s3 >> 32)
                    a = re[i] >> 2
                    b = a + x2
                    a -= x2
                    x2 = x1 + x3
                    x1 -= x3
                    re[i] = b + x2
                    re[j] = b - x2
                    x2 = im[i] >> 2
                    b = x2 + y2
                    x2 -= y2
                    y2 = y1 + y3
                    y1 -= y3
                    im[i] = b + y2
                    im[j] = b - y2
                    re[k] = a + y1
                    im[k] = x2 - x1
                    re[m] = a - y1
                    im[m] = x2 + x1
                begin += length << 2
            groups <<= 2

    def split(self, re: "list[int]", im: "list[int]") -> "tuple[list[int], list[int]]":
        """Half the spectrum of the real samples, bins 0..N/2 in natural order, from the transformed points.

        Bin 0 would hold what rounding left of the mean: it is 0.
        """
        half = self.half
        mirrored = self.mirrored
        real = [0] * (half + 1)
        imag = [0] * (half + 1)
        real[half] = (re[0] - im[0]) >> 1
        real[half >> 1] = re[1] >> 1
        imag[half >> 1] = -im[1] >> 1
        # In mirrored order the bins k and N/2 - k of a block of 2**n stand at the same distance from its ends.
        block = 2
        while block < half:
            for low in range(block, block + (block >> 1)):
                high = 3 * block - 1 - low
                a = re[low]
                b = im[low]
                c = re[high]
                d = im[high]
                even_re = (a + c) >> 2
                even_im = (b - d) >> 2
                odd_re = b + d
                odd_im = c - a
                cosine, sin = self.turns[low >> 1][:2]
                x = (odd_re * cosine >> 32) + (odd_im * sin >> 32)
                y = (odd_im * cosine >> 32) + (-odd_re * sin >> 32)
                if low & 1:  # a quarter of a circle further than its neighbour
                    x, y = y, -x
                k = mirrored[low]
                real[k] = even_re + x
                imag[k] = even_im + y
                real[half - k] = even_re - x
                imag[half - k] = y - even_im
            block <<= 1
        return real, imag

    def bin_energies(self, x: "list[int]") -> "list[int]":
        """Energy of bins 0..N/2 of N samples below 2**16 in magnitude under a Hann window, times ``2**energy_shift``.

        The even samples are the real, the odd ones the imaginary parts of N/2 points. The window is applied to the
        spectrum, where it is twice each bin less its neighbours, exact but for the rounding of those.
        """
        re = [value << 12 for value in x[0::2]]
        im = [value << 12 for value in x[1::2]]
        self.transform(re, im)
        real, imag = self.split(re, im)
        half = self.half
        energies = [0] * (half + 1)
        first = 2 * (real[0] - real[1])
        energies[0] = first * first
        first = 2 * (real[half] - real[half - 1])
        energies[half] = first * first
        for k in range(1, half):
            a = 2 * real[k] - real[k - 1] - real[k + 1]
            b = 2 * imag[k] - imag[k - 1] - imag[k + 1]
            energies[k] = a * a + b * b
        return energies


def fourth_shift(square: int) -> int:
    """How far squares up to this one are moved right so that 4096 of them, squared once more, stay below 2**60.

    >>> fourth_shift(4095 * 4095), fourth_shift(4096 * 4096), fourth_shift(65535 * 65535)
    (0, 1, 8)
    """
    shift = 0
    while square >> (24 + shift):
        shift += 1
    return shift


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
    square = max(squares)
    shift = fourth_shift(square)
    fourth = 0
    for value in squares:
        reduced = value >> shift
        fourth += reduced * reduced
    energies = plan.bin_energies(x)
    fourth >>= 16 - 2 * shift
    result = [level, log2_q8(square + 1) - level, log2_q8(fourth + 1) - 2 * level]
    for band in range(len(edges) - 1):
        result.append(log2_q8((sum(energies[edges[band] : edges[band + 1]]) >> plan.energy_shift) + 1))
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
