"""The spectrum of the squared envelope of a part of the spectrum: how often something rings that part.

A damaged bearing knocks at the rate at which balls pass the damage, and each knock rings a resonance. The spectrum
shows the resonance, wide and quiet among the rest; the envelope of the resonance's band rises and falls with the
knocks, and its spectrum has a line at their rate. The square of the envelope is taken, for it makes of two tones one
line at their difference and nothing else, and because theory leads to it: J. Antoni, "Cyclic spectral analysis of
rolling-element bearing signals: facts and fictions", Journal of Sound and Vibration 304 (2007); P. Borghesani et al.,
"Application of cepstrum pre-whitening for the diagnosis of bearing faults under variable speed conditions", Mechanical
Systems and Signal Processing 36 (2013).

Definition, for L bins from bin `first` on of a window's spectrum X, before a window function; L is a power of two:

1. the bins, moved left until their parts fill 28 bits (`lift`), are the spectrum of L points: bin k stands at place
   ``k mod L``. Their FFT is the complex envelope z, turned and told backwards in time, which neither its magnitude nor
   the energies below can see;
2. ``e = |z|**2``, moved right into 28 bits (`drop`), less its mean, which is rounded half up;
3. the spectrum of these L real values under a Hann window, as for the bands of a window, and the sums of its energies
   over the envelope's bands;
4. ``log2_q8(sum + 1)`` and the powers of two that shift, lift, drop and the stages of the FFTs stand for: the energy of
   e in 1/256 of a squared scaled unit, where |z| is the amplitude of a tone. Below 1 of that a feature is 0.

The exponents are the window's own, so that a quiet band keeps its bits. The window function stands behind the square,
not before X: there it would shape e, whose mean would then fill the first bins. What leaks from loud tones elsewhere
comes as one knock where the window's ends meet, and there the Hann window is 0. The square has twice the band's width
but L points: what happens more than L / 2 times a window is folded, and of a line at bin d a share of about d / L. A
band should have four times as many bins as the highest line that is looked for.

Ranges. X is below 2**29 + 2**9 in magnitude (`spectrum.py`), and is lifted only while its parts stay within 28 bits and
a sign, a magnitude of 2**28.5. A stage of radix 2 doubles that at most; stages of radix 4 are means that round off less
than 2**6 in all: every part of z, and its magnitude, is below 2**30 + 2**11, and ``e < 2**61``. Moved right, e is below
2**28 and not negative, the sum of L <= 1024 of them below 2**38, the mean below 2**28, e less the mean below 2**28 in
magnitude. That is what a window's points are: the second FFT and its energies have the ranges of the first.
"""

from shared.signal.integer import log2_q8
from shared.signal.spectrum import POINT_BITS, SpectrumPlan, bits_of, windowed_energies


class EnvelopePlan:
    """What the envelope of one band needs, made once.

    `window`: the plan of the windows, of N samples; `first`, `bins`: the band, `bins` a power of two within 16..1024,
    first >= 1, first + bins <= N/2; `edges`: bins of the envelope's spectrum, ascending, the last at most bins/2 + 1.
    """

    def __init__(self, window: SpectrumPlan, first: int, bins: int, edges: "list[int]") -> None:
        self.first = first
        self.bins = bins
        self.edges = edges
        self.points = SpectrumPlan(2 * bins, window)
        self.values = SpectrumPlan(bins, window)
        #: The feature of energy 1 without shift, lift and drop.
        stages = window.stages + self.points.stages
        self.unit = 256 * (22 + 8 * stages + 4 * self.values.stages - 4 * window.log2_samples)

    def features(self, real: "list[int]", imag: "list[int]", shift: int) -> "list[int]":
        """Envelope bands, before scaling, of a window's half spectrum (`SpectrumPlan.of_samples` with `shift`)."""
        bins = self.bins
        band = range(self.first, self.first + bins)
        seen = 0
        for k in band:
            part = real[k]
            seen |= ~part if part < 0 else part
            part = imag[k]
            seen |= ~part if part < 0 else part
        lift = max(0, POINT_BITS - bits_of(seen))
        re = [0] * bins
        im = [0] * bins
        for k in band:
            re[k & (bins - 1)] = real[k] << lift
            im[k & (bins - 1)] = imag[k] << lift
        self.points.transform(re, im)
        squares = [0] * bins
        mirrored = self.points.mirrored
        seen = 0
        for i in range(bins):
            square = re[i] * re[i] + im[i] * im[i]
            squares[mirrored[i]] = square
            seen |= square
        drop = max(0, bits_of(seen) - POINT_BITS)
        squares = [square >> drop for square in squares]
        mean = (sum(squares) + (bins >> 1)) >> self.values.log2_samples
        real, imag = self.values.of_samples([square - mean for square in squares], 0)
        energies = windowed_energies(real, imag)
        unit = self.unit + 512 * drop - 1024 * (lift + shift)
        edges = self.edges
        sums = [sum(energies[edges[i] : edges[i + 1]]) for i in range(len(edges) - 1)]
        return [max(0, log2_q8(total + 1) + unit) for total in sums]
