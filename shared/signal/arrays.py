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


@functools.lru_cache(maxsize=16)
def _plan(samples: int) -> SpectrumPlan:
    return SpectrumPlan(samples)


def bin_energies(x: Integers) -> Integers:
    """`SpectrumPlan.bin_energies` of each row: (windows, N) -> (windows, N // 2 + 1)."""
    plan = _plan(x.shape[1])
    half = plan.half
    windowed = (x * np.array(plan.hann) + 16384) >> 15
    order = np.array(plan.reversed)
    re = windowed[:, 0::2][:, order]
    im = windowed[:, 1::2][:, order]
    cosines = np.array(plan.cosines)
    sines = np.array(plan.sines)
    size, stride = 1, half
    while size < half:
        c = cosines[: size * stride : stride]
        s = sines[: size * stride : stride]
        re = re.reshape(len(x), -1, 2, size)
        im = im.reshape(len(x), -1, 2, size)
        high_re, high_im = re[:, :, 1], im[:, :, 1]
        turned_re = (high_re * c + high_im * s + 16384) >> 15
        turned_im = (high_im * c - high_re * s + 16384) >> 15
        low_re, low_im = re[:, :, 0], im[:, :, 0]
        re = np.stack([low_re + turned_re, low_re - turned_re], axis=2).reshape(len(x), half)
        im = np.stack([low_im + turned_im, low_im - turned_im], axis=2).reshape(len(x), half)
        size <<= 1
        stride >>= 1
    energies = np.zeros((len(x), half + 1), np.int64)
    energies[:, 0] = (re[:, 0] + im[:, 0]) ** 2
    energies[:, half] = (re[:, 0] - im[:, 0]) ** 2
    a, b = re[:, 1:], im[:, 1:]
    c, d = re[:, :0:-1], im[:, :0:-1]
    odd_re, odd_im = b + d, c - a
    cosine, s = cosines[1:half], sines[1:half]
    real = (a + c + ((odd_re * cosine + odd_im * s + 16384) >> 15)) >> 1
    imag = (b - d + ((odd_im * cosine - odd_re * s + 16384) >> 15)) >> 1
    energies[:, 1:half] = real * real + imag * imag
    return energies


def fast_features(windows: Integers, edges: tuple[int, ...]) -> Integers:
    """Features of windows of one axis: (windows, N) scaled samples -> (windows, 3 + bands)."""
    samples = windows.shape[1]
    mean = (windows.sum(axis=1) + (samples >> 1)) >> (samples.bit_length() - 1)
    x = windows - mean[:, None]
    squares = x * x
    level = log2_q8(squares.sum(axis=1) + 1)
    peak = np.abs(x).max(axis=1)
    eighth = squares >> 8
    fourth = (eighth * eighth).sum(axis=1)
    energies = bin_energies(x)
    columns = [level, 2 * log2_q8(peak + 1) - level, log2_q8(fourth + 1) - 2 * level]
    columns += [log2_q8(energies[:, low:high].sum(axis=1) + 1) for low, high in itertools.pairwise(edges)]
    return np.stack(columns, axis=1)
