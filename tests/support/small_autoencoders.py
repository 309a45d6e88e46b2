"""Small int8 autoencoders as .tflite files, drawn, in the shapes that others train."""

from typing import Any

import numpy as np
from tflite_files import RELU, SAME, VALID, Part, Step, bias, file_of, weights


def dense_autoencoder(
    width: int = 4, *, hidden: int = 3, seed: int = 1, scales: tuple[float, float] = (0.05, 0.06), zero: int = 7
) -> bytes:
    """Two dense layers, `width` - `hidden` - `width`: input and output with these scales."""
    rng = np.random.default_rng(seed)
    parts = [
        Part((1, width), scales=(scales[0],), zeros=(zero,)),
        _drawn(rng, (hidden, width), 0.02),
        bias(rng.integers(-500, 500, hidden)),
        Part((1, hidden), scales=(0.04,), zeros=(-128,)),
        _drawn(rng, (width, hidden), 0.02),
        bias(rng.integers(-500, 500, width)),
        Part((1, width), scales=(scales[1],), zeros=(zero - 3,)),
    ]
    steps = [
        Step("FULLY_CONNECTED", (0, 1, 2), (3,), {"FusedActivationFunction": RELU}),
        Step("FULLY_CONNECTED", (3, 4, 5), (6,)),
    ]
    return file_of(parts, steps)


def window_autoencoder(positions: int = 32, channels: int = 2, *, seed: int = 2) -> bytes:
    """A convolution, a depthwise layer and two dense ones over a window of samples."""
    rng = np.random.default_rng(seed)
    half, places, filters, hidden = positions // 2, positions // 2 - 2, 3, 5
    values = positions * channels
    same = {"Padding": SAME, "StrideW": 2, "StrideH": 1, "FusedActivationFunction": RELU}
    valid = {"Padding": VALID, "StrideW": 1, "StrideH": 1}
    parts = [
        Part((1, positions, channels), scales=(0.05,), zeros=(-4,)),
        Part((1, 1, positions, channels), scales=(0.05,), zeros=(-4,)),
        _drawn(rng, (filters, 1, 5, channels), 0.02, axis=0),
        Part((1, 1, half, filters), scales=(0.04,), zeros=(-128,)),
        _drawn(rng, (1, 1, 3, filters * 2), 0.02, axis=3),
        Part((1, 1, places, filters * 2), scales=(0.03,), zeros=(11,)),
        Part((1, places * filters * 2), scales=(0.03,), zeros=(11,)),
        _drawn(rng, (hidden, places * filters * 2), 0.02, axis=0),
        Part((1, hidden), scales=(0.05,), zeros=(-128,)),
        _drawn(rng, (values, hidden), 0.02, axis=0),
        Part((1, values), scales=(0.06,), zeros=(2,)),
        bias((1, 1, positions, channels), scales=(), zeros=()),
        bias((1, places * filters * 2), scales=(), zeros=()),
        bias(rng.integers(-400, 400, filters), scales=(), zeros=()),
        bias(rng.integers(-400, 400, filters * 2), scales=(), zeros=()),
    ]
    steps = [
        Step("RESHAPE", (0, 11), (1,)),
        Step("CONV_2D", (1, 2, 13), (3,), same),
        Step("DEPTHWISE_CONV_2D", (3, 4, 14), (5,), valid | {"DepthMultiplier": 2}),
        Step("RESHAPE", (5, 12), (6,)),
        Step("FULLY_CONNECTED", (6, 7), (8,), {"FusedActivationFunction": RELU}),
        Step("FULLY_CONNECTED", (8, 9), (10,)),
    ]
    return file_of(parts, steps)


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], scale: float, **changes: Any) -> Part:
    rows = shape[changes["axis"]] if changes else 1
    scales = (scale * rng.uniform(0.5, 2.0, rows)).tolist()
    return weights(rng.integers(-127, 128, shape), scales=scales, zeros=[0] * rows, **changes)
