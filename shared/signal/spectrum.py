"""The FFT of real samples, in plain integers: the spectrum of a window, and of its envelope.

Runs in MicroPython too. Everything is in words of 32 bits until squares are made.

Ranges, for N <= 4096 samples. They are moved left until they fill 28 bits: a point's parts are below 2**28, its
magnitude is below 2**28.5; the stage of radix 2 gives a sum of two, below 2**29.5. A stage of radix 4 gives the sum of
four quarters, each turned: a mean, no larger than the largest of them. What is rounded off adds less than 12 to a
magnitude in each of the 5 stages (in each part 7 products and quarters, rounded down by less than 1 each, and factors
that are rounded in their 30th bit), in all less than 2**6. The inner sums of a butterfly are sums of some of the four
quarters and no larger either. So every part is below 2**29.5 + 2**6, sums and differences of two in the split are below
2**30.6. Half a bin of the spectrum is, by the sum of its terms, at most ``N * 2**28 / 4**stages / 2 <= 2**29``, and
four times that under the window, whose mean is one half, at most 2**30; both have less than 2**9 of rounding beside
them. So a bin's energy is below 2**61, and the sum of all, by Parseval ``16/4 * 3/8 * N**2 * 2**56 / 16**stages`` and
its rounding, below 2**61 too: signed 64 bits always suffice.
"""

from shared.signal.integer import sine

#: Parts of points have so many bits, beside the sign, before they are transformed.
POINT_BITS = 28


def bits_of(value: int) -> int:
    """How many bits a value >= 0 has.

    >>> bits_of(0), bits_of(1), bits_of(255), bits_of(256)
    (0, 1, 8, 9)
    """
    bits = 0
    while value >> bits:
        bits += 1
    return bits


class SpectrumPlan:
    """What the FFT of windows of `samples` samples needs, made once; `samples` is a power of two within 16..4096.

    A plan of a longer window lends its twiddle factors: `longer` saves making them again.
    """

    def __init__(self, samples: int, longer: "SpectrumPlan | None" = None) -> None:
        half = samples // 2
        self.samples = samples
        self.half = half
        self.log2_samples = 0
        while (1 << self.log2_samples) < samples:
            self.log2_samples += 1
        #: Stages of radix 4; where log2(N/2) is odd, one of radix 2 comes first.
        self.stages = (self.log2_samples - 1) >> 1
        self.mirrored = [0] * half
        for i in range(1, half):
            self.mirrored[i] = (self.mirrored[i >> 1] >> 1) | (half >> 1 if i & 1 else 0)
        #: Cosine and sine of one, two and three times each group's angle, Q30; a group's angle does not depend on N.
        self.turns: list[tuple[int, int, int, int, int, int]] = [] if longer is None else longer.turns
        quarter = samples >> 2
        for group in range(len(self.turns), 3 * half // 8):
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

        Magnitudes up to 2**29 + 2**9 give parts below 2**30 + 2**11.

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

    def shift_for(self, square: int) -> int:
        """How far samples up to the root of `square` < 2**32 are moved left to fill 28 bits: 12 to 28.

        >>> plan = SpectrumPlan(32)
        >>> plan.shift_for(65535 * 65535), plan.shift_for(1024 * 1024), plan.shift_for(1023 * 1023), plan.shift_for(0)
        (12, 17, 18, 28)
        """
        return POINT_BITS - ((bits_of(square) + 1) >> 1)

    def energy_shift(self, shift: int) -> int:
        """Energies of samples that were moved left by `shift` are told in units of ``2**-energy_shift``: 6 to 50."""
        return 2 + 2 * shift - 4 * self.stages

    def of_samples(self, x: "list[int]", shift: int) -> "tuple[list[int], list[int]]":
        """Half the spectrum of N real samples, which `shift` moves left to below 2**28: see `split`.

        The even samples are the real, the odd ones the imaginary parts of N/2 points.
        """
        re = [value << shift for value in x[0::2]]
        im = [value << shift for value in x[1::2]]
        self.transform(re, im)
        return self.split(re, im)


def windowed_energies(real: "list[int]", imag: "list[int]") -> "list[int]":
    """Energy of every bin of half a spectrum under a Hann window.

    The window is applied to the spectrum, where it is twice each bin less its neighbours, exact but for the rounding of
    those.

    >>> windowed_energies([0, 4, -2], [0, 1, 0])
    [64, 104, 144]
    """
    half = len(real) - 1
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
