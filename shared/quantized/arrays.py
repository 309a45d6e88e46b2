"""Dense int8 layers for many inputs at once, in NumPy: the same bytes as `integer.Dense`."""

import numpy as np
from numpy.typing import NDArray

from shared.model_image import SUM_LIMIT, ImageContent, Layer
from shared.signal.arrays import isqrt

Integers = NDArray[np.int64]


def requantize(values: Integers, multiplier: Integers | int, shift: Integers | int) -> Integers:
    """`integer.requantize` element by element."""
    wide = np.asarray(shift, np.int64)
    rounded: Integers = (values * np.asarray(multiplier, np.int64) + (np.int64(1) << (wide - 1))) >> wide
    return rounded


def forward(layer: Layer, x: Integers) -> Integers:
    """Outputs, int8 values as int64, of (rows, inputs)."""
    weights = np.frombuffer(layer.weights, np.int8).reshape(layer.outputs, layer.inputs)
    # float64 holds every partial sum exactly: they stay below 2**31
    sums = np.rint(x.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
    totals = sums + np.array(layer.bias, np.int64)
    scaled = requantize(totals, np.array(layer.multipliers), np.array(layer.shifts)) + layer.zero
    return np.clip(scaled, layer.low, 127)


def infer(image: ImageContent, features: Integers) -> Integers:
    """The autoencoder's int8 outputs: (rows, features) int16 -> (rows, features) int8 values as int64."""
    x = requantize(features, image.input_multiplier, image.input_shift) + image.input_zero
    x = np.clip(x, -128, 127)
    for layer in image.layers:
        x = forward(layer, x)
    return x


def dequantize_output(image: ImageContent, outputs: Integers) -> Integers:
    """int8 outputs back in the units of the features."""
    return requantize(outputs - image.output_zero, image.output_multiplier, image.output_shift)


def score_sums(image: ImageContent, features: Integers) -> tuple[Integers, Integers]:
    """The score's sum of each row before the threshold divides it, and the feature furthest off."""
    errors = features - dequantize_output(image, infer(image, features))
    parts = np.array(image.weights, np.int64) * errors * errors
    return np.minimum(parts.sum(axis=1) >> 6, SUM_LIMIT - 1), parts.argmax(axis=1)


def scores(image: ImageContent, features: Integers) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Q12 scores and top features of (rows, features): the same numbers as `scorer.Scorer`."""
    sums, tops = score_sums(image, features)
    ratio = ((sums << 24) // image.threshold).astype(np.uint64)
    return isqrt(ratio).astype(np.uint32), tops.astype(np.uint16)
