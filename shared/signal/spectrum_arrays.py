"""`spectrum.py` and `envelope.py` for many windows at once, in NumPy: the same integers.

Samples and bins stand in rows, windows side by side in columns.
"""

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

from shared.signal.envelope import EnvelopePlan
from shared.signal.spectrum import POINT_BITS, SpectrumPlan

Integers = NDArray[np.int64]


class Plan(SpectrumPlan):
    """The reference's plan with its tables as arrays; points stand in rows, windows side by side in columns."""

    def __init__(self, samples: int) -> None:
        super().__init__(samples)
        self.factors = np.array(self.turns, np.int64).reshape(-1, 6, 1, 1)
        blocks = [1 << n for n in range(1, self.half.bit_length() - 1)]
        self.low = np.concatenate([np.arange(block, block + (block >> 1)) for block in blocks])
        self.high = np.concatenate([np.arange(2 * block - 1, block + (block >> 1) - 1, -1) for block in blocks])
        self.bins = np.array(self.mirrored)[self.low]
        self.odd = np.flatnonzero(self.low & 1)


@functools.lru_cache(maxsize=16)
def plan_of(samples: int) -> Plan:
    """The plan of windows of `samples` samples, made once."""
    return Plan(samples)


def _turned(a: Integers, b: Integers, c: Integers, s: Integers) -> tuple[Integers, Integers]:
    """Points (a, b) times (c, -s), Q30: a quarter of them, each product rounded down by itself."""
    x, y, z = a * c, b * c, b * s
    x >>= 32
    y >>= 32
    z >>= 32
    x += z
    np.multiply(a, s, out=z)
    np.negative(z, out=z)
    z >>= 32
    y += z
    return x, y


def _transform(plan: Plan, re: Integers, im: Integers) -> tuple[Integers, Integers]:
    """`SpectrumPlan.transform` of each column; `re` and `im` are overwritten."""
    half, windows = re.shape
    length, groups = half, 1
    if not plan.log2_samples & 1:
        length, groups = half >> 1, 2
        re, im = (np.concatenate([part[:length] + part[length:], part[:length] - part[length:]]) for part in (re, im))
    while length > 1:
        length >>= 2
        re, im = (part.reshape(groups, 4, length, windows) for part in (re, im))
        factors = plan.factors[:groups]
        x0, y0 = re[:, 0] >> 2, im[:, 0] >> 2
        (x1, y1), (x2, y2), (x3, y3) = (
            _turned(re[:, i], im[:, i], factors[:, 2 * i - 2], factors[:, 2 * i - 1]) for i in (1, 2, 3)
        )
        for outer, inner, odd, even, part in ((x0, x2, x1, x3, re), (y0, y2, y1, y3, im)):
            near, together = outer + inner, odd + even
            np.add(near, together, out=part[:, 0])
            np.subtract(near, together, out=part[:, 1])
            np.subtract(outer, inner, out=outer)
            np.subtract(odd, even, out=odd)
        np.add(x0, y1, out=re[:, 2])
        np.subtract(x0, y1, out=re[:, 3])
        np.subtract(y0, x1, out=im[:, 2])
        np.add(y0, x1, out=im[:, 3])
        groups <<= 2
    return re.reshape(half, windows), im.reshape(half, windows)


def _split(plan: Plan, re: Integers, im: Integers) -> tuple[Integers, Integers]:
    """`SpectrumPlan.split` of each column: (N // 2, windows) -> (N // 2 + 1, windows)."""
    half = plan.half
    real, imag = (np.zeros((half + 1, re.shape[1]), np.int64) for _ in range(2))
    real[half] = (re[0] - im[0]) >> 1
    real[half >> 1], imag[half >> 1] = re[1] >> 1, -im[1] >> 1
    a, b, c, d = re[plan.low], im[plan.low], re[plan.high], im[plan.high]
    factors = plan.factors[plan.low >> 1, :, 0]
    x, y = _turned(b + d, c - a, factors[:, 0], factors[:, 1])
    x[plan.odd], y[plan.odd] = y[plan.odd], -x[plan.odd]
    a += c
    a >>= 2
    b -= d
    b >>= 2
    real[plan.bins], imag[plan.bins] = a + x, b + y
    real[half - plan.bins], imag[half - plan.bins] = a - x, y - b
    return real, imag


def half_spectrum(x: Integers, shift: Integers) -> tuple[Integers, Integers]:
    """`SpectrumPlan.of_samples` of each column: (N, windows), shifts (windows,) -> twice (N // 2 + 1, windows)."""
    plan = plan_of(len(x))
    return _split(plan, *_transform(plan, x[0::2] << shift, x[1::2] << shift))


def windowed_energies(real: Integers, imag: Integers) -> Integers:
    """`spectrum.windowed_energies` of each column."""
    energies = np.empty_like(real)
    energies[0] = (2 * (real[0] - real[1])) ** 2
    energies[-1] = (2 * (real[-1] - real[-2])) ** 2
    for part in (real, imag):
        windowed = 2 * part[1:-1]
        windowed -= part[:-2]
        windowed -= part[2:]
        windowed *= windowed
        if part is real:
            energies[1:-1] = windowed
        else:
            energies[1:-1] += windowed
    return energies


def band_sums(energies: Integers, edges: tuple[int, ...]) -> Integers:
    """Energies of bins (bins, windows) summed up between `edges`: (bands, windows)."""
    return np.stack([energies[low:high].sum(axis=0) for low, high in itertools.pairwise(edges)])


def bits_of(values: Integers) -> Integers:
    """`spectrum.bits_of` element by element, for 0 <= value < 2**63."""
    bits = np.zeros_like(values)
    rest = values.copy()
    for step in (32, 16, 8, 4, 2, 1):
        above = (rest >> step) > 0
        rest = np.where(above, rest >> step, rest)
        bits += np.where(above, step, 0)
    return bits + rest


def _seen(parts: Integers) -> Integers:
    """All bits that the values (rows, windows) have, beside their sign."""
    seen: Integers = np.bitwise_or.reduce(parts ^ (parts >> 63), axis=0)
    return seen


@functools.lru_cache(maxsize=16)
def _envelope_of(samples: int, first: int, bins: int, edges: tuple[int, ...]) -> EnvelopePlan:
    return EnvelopePlan(plan_of(samples), first, bins, list(edges))


def envelope_sums(
    real: Integers, imag: Integers, shift: Integers, envelope: tuple[int, int, tuple[int, ...]]
) -> tuple[Integers, Integers]:
    """Energies of the envelope's bands (bands, windows), and the feature of energy 1 (windows,): see `EnvelopePlan`.

    `real`, `imag`: half spectra of samples moved left by `shift`; `envelope`: first bin, bins, edges.
    """
    first, bins, edges = envelope
    one = _envelope_of(2 * len(real) - 2, first, bins, edges)
    parts = np.stack([real[first : first + bins], imag[first : first + bins]])
    lift = np.maximum(POINT_BITS - bits_of(_seen(parts.reshape(2 * bins, -1))), 0)
    placed = np.empty_like(parts)
    placed[:, np.arange(first, first + bins) & (bins - 1)] = parts << lift
    re, im = _transform(plan_of(2 * bins), placed[0], placed[1])
    re *= re
    im *= im
    re += im
    drop = np.maximum(bits_of(_seen(re)) - POINT_BITS, 0)
    squares = (re >> drop)[one.points.mirrored]
    squares -= (squares.sum(axis=0) + (bins >> 1)) >> one.values.log2_samples
    energies = windowed_energies(*half_spectrum(squares, np.zeros_like(drop)))
    return band_sums(energies, edges), one.unit + 512 * drop - 1024 * (lift + shift)
