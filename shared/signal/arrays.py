"""The features of `integer.py` and `fast.py` for many windows at once, in NumPy: the same integers, much faster.

Used to train and to judge long recordings; `tests/equivalence` holds it equal to the reference.
"""

import numpy as np
from numpy.typing import NDArray

from shared.signal.definition import MISSING
from shared.signal.spectrum import POINT_BITS
from shared.signal.spectrum_arrays import (
    Integers,
    band_sums,
    bits_of,
    envelope_sums,
    half_spectrum,
    plan_of,
    windowed_energies,
)

#: First bin and number of bins of the band whose envelope is looked at, edges of the envelope's bands.
Envelope = tuple[int, int, tuple[int, ...]]

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
    exponent = bits_of(work) - 1
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
    """`SlowWindow.features` of each row of a slow device.

    `scaled`: (rows, channels), int16 range. Returns (rows, 4 * channels) and whether the row's window is full; the
    features of other rows are 0. Sums run over all rows, of which there may be 2**24 before one leaves int64; beyond
    that they wrap, and their differences, which are as small as a window's, come out right all the same.
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


def _columns(windows: Integers, edges: tuple[int, ...], envelope: Envelope | None) -> Integers:
    """`fast_features` of windows that stand side by side: (N, windows) -> (features, windows)."""
    samples = len(windows)
    mean = (windows.sum(axis=0) + (samples >> 1)) >> (samples.bit_length() - 1)
    x = windows - mean
    squares = x * x
    level = log2_q8(squares.sum(axis=0) + 1)
    square = squares.max(axis=0)
    crest = log2_q8(square + 1) - level
    bits = bits_of(square)
    places = np.maximum(bits - 24, 0)
    squares >>= places
    squares *= squares
    kurtosis = log2_q8((squares.sum(axis=0) >> (16 - 2 * places)) + 1) - 2 * level
    shift = POINT_BITS - ((bits + 1) >> 1)
    real, imag = half_spectrum(x, shift)
    bands = band_sums(windowed_energies(real, imag), edges) >> (plan_of(samples).energy_shift(0) + 2 * shift)
    rows = [level[None], crest[None], kurtosis[None], log2_q8(bands + 1)]
    if envelope is not None:
        sums, unit = envelope_sums(real, imag, shift, envelope)
        rows.append(np.maximum(log2_q8(sums + 1) + unit, 0))
    return np.concatenate(rows)


def fast_features(windows: Integers, edges: tuple[int, ...], envelope: Envelope | None = None) -> Integers:
    """`fast.fast_features` of each window of one axis: (windows, N) scaled samples -> (windows, features).

    `edges`: bins of the bands; `envelope`: first bin, bins and edges of the envelope's bands, if the image has one. The
    features are 3, bands, envelope bands.
    """
    count = 2 + len(edges) + (0 if envelope is None else len(envelope[2]) - 1)
    features = np.empty((len(windows), count), np.int64)
    for low in range(0, len(windows), _TOGETHER):
        features[low : low + _TOGETHER] = _columns(
            np.ascontiguousarray(windows[low : low + _TOGETHER].T), edges, envelope
        ).T
    return features
