"""The features of `integer.py` for many windows at once, in NumPy: the same integers, much faster on a server.

Used to train and to judge long recordings; `tests/equivalence` holds it equal to the reference.
"""

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

from shared.signal.definition import MISSING
from shared.signal.integer import SpectrumPlan

Integers = NDArray[np.int64]

#: Windows whose spectra are computed together: their points should stay in the processor's cache.
_TOGETHER = 32


def scale(
    values: NDArray[np.integer],
    centre: NDArray[np.integer],
    multiplier: NDArray[np.integer],
    shift: NDArray[np.integer],
) -> Integers:
    """`integer.scale` along the last axis; int64, not limited."""
    places = shift.astype(np.int64)
    wide = values.astype(np.int64) - centre.astype(np.int64)
    scaled: Integers = (wide * multiplier.astype(np.int64) + (np.int64(1) << (places - 1))) >> places
    return scaled


def clamp16(values: Integers) -> Integers:
    """Limit to int16, still int64."""
    return np.clip(values, -32768, 32767)


def log2_q8(values: Integers) -> Integers:
    """`integer.log2_q8` element by element, for 0 <= value < 2**63."""
    work = np.maximum(values, 1)
    exponent = np.zeros_like(work)
    rest = work.copy()
    for step in (32, 16, 8, 4, 2, 1):
        above = (rest >> step) > 0
        rest = np.where(above, rest >> step, rest)
        exponent += np.where(above, step, 0)
    mantissa = np.where(exponent <= 30, work << np.maximum(30 - exponent, 0), work >> np.maximum(exponent - 30, 0))
    result = exponent
    for _ in range(8):
        mantissa = (mantissa * mantissa) >> 30
        carry = mantissa >> 31
        mantissa = mantissa >> carry
        result = (result << 1) + carry
    return np.where(values < 2, 0, result)


def isqrt(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`integer.isqrt` element by element, for values below 2**63."""
    root = np.floor(np.sqrt(values.astype(np.float64))).astype(np.uint64)
    root = np.where(root * root > values, root - np.uint64(1), root)
    above = root + np.uint64(1)
    return np.where(above * above <= values, above, root)


def hold_missing(counts: NDArray[np.int32], scaled: Integers, starts: NDArray[np.bool_]) -> Integers:
    """Replace the scaled value of each missing count by the last one of its stretch, 0 before the first.

    `counts`, `scaled`: (rows, channels); `starts[row]` says that a stretch begins there.
    """
    missing = counts == MISSING
    if not missing.any():
        return scaled
    rows = np.arange(len(counts))[:, None]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(counts)), 0))[:, None]
    source = np.maximum.accumulate(np.where(missing, -1, rows), axis=0)
    held = np.where(source >= first, np.take_along_axis(scaled, np.maximum(source, 0), axis=0), 0)
    return np.where(missing, held, scaled)


def slow_features(scaled: Integers, starts: NDArray[np.bool_], window: int) -> tuple[Integers, NDArray[np.bool_]]:
    """Features of each row of a slow device.

    `scaled`: (rows, channels), int16 range. Returns (rows, 4 * channels) and whether the row's window is full; the
    features of other rows are 0.
    """
    rows, channels = scaled.shape
    order = np.arange(rows)
    first = np.maximum.accumulate(np.where(starts, order, 0))
    full = order - first + 1 >= window
    index = order[:, None]
    sums = [
        np.concatenate([np.zeros((1, channels), np.int64), np.cumsum(part, axis=0)])
        for part in (scaled, scaled * scaled, scaled * index)
    ]
    begin = np.maximum(order + 1 - window, 0)
    total, squares, weighted = (part[order + 1] - part[begin] for part in sums)
    ramp = weighted - begin[:, None] * total
    spread = window * squares - total * total
    features = np.stack(
        [
            scaled << 4,
            (total << 4) >> (window.bit_length() - 1),
            log2_q8(spread + 10 * window * window),
            2 * ramp - (window - 1) * total,
        ],
        axis=2,
    ).reshape(rows, 4 * channels)
    features[~full] = 0
    return features, full


class _Plan(SpectrumPlan):
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
def _plan(samples: int) -> _Plan:
    return _Plan(samples)


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


def _transform(plan: _Plan, re: Integers, im: Integers) -> tuple[Integers, Integers]:
    """`SpectrumPlan.transform` of each column."""
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


def _split(plan: _Plan, re: Integers, im: Integers) -> tuple[Integers, Integers]:
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


def _column_energies(x: Integers) -> Integers:
    """`SpectrumPlan.bin_energies` of each column: (N, windows) -> (N // 2 + 1, windows)."""
    plan = _plan(len(x))
    real, imag = _split(plan, *_transform(plan, x[0::2] << 12, x[1::2] << 12))
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


def bin_energies(x: Integers) -> Integers:
    """`SpectrumPlan.bin_energies` of each row: (windows, N) -> (windows, N // 2 + 1)."""
    energies = np.empty((len(x), x.shape[1] // 2 + 1), np.int64)
    for low in range(0, len(x), _TOGETHER):
        energies[low : low + _TOGETHER] = _column_energies(x[low : low + _TOGETHER].T).T
    return energies


def fast_features(windows: Integers, edges: tuple[int, ...]) -> Integers:
    """Features of windows of one axis: (windows, N) scaled samples -> (windows, 3 + bands)."""
    samples = windows.shape[1]
    mean = (windows.sum(axis=1) + (samples >> 1)) >> (samples.bit_length() - 1)
    x = windows - mean[:, None]
    squares = x * x
    level = log2_q8(squares.sum(axis=1) + 1)
    square = squares.max(axis=1)
    shift = sum((square >> places > 0).astype(np.int64) for places in range(24, 32))
    squares >>= shift[:, None]
    squares *= squares
    fourth = squares.sum(axis=1) >> (16 - 2 * shift)
    energies = bin_energies(x)
    columns = [level, log2_q8(square + 1) - level, log2_q8(fourth + 1) - 2 * level]
    bands = np.empty((len(windows), len(edges) - 1), np.int64)
    for band, (low, high) in enumerate(itertools.pairwise(edges)):
        bands[:, band] = energies[:, low:high].sum(axis=1)
    bands >>= _plan(samples).energy_shift
    return np.concatenate([np.stack(columns, axis=1), log2_q8(bands + 1)], axis=1)
