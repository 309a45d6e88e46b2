"""int8 layers for many inputs at once, in NumPy: the same bytes as `integer.Dense` and `convolution`."""

import numpy as np
from numpy.typing import NDArray

from shared.image_content import (
    LAYER_CONVOLUTION,
    LAYER_DENSE,
    ROUNDING_TWICE,
    SUM_LIMIT,
    ImageContent,
    Layer,
    feature_names,
)
from shared.quantized.packed import refuse_packed
from shared.signal.arrays import isqrt

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Values that are gathered for a convolution at once: 32 MiB.
_GATHERED_MAX = 1 << 22


def requantize(values: Integers, multiplier: Integers | int, shift: Integers | int, rounding: int = 0) -> Integers:
    """`integer.requantize` element by element; with `rounding` 1 rounded twice, as `integer.rounding_half` tells."""
    wide = np.asarray(shift, np.int64)
    half = np.int64(1) << (wide - 1)
    if rounding == ROUNDING_TWICE:
        first = np.where(values >= 0, np.int64(1 << 30), np.int64(-(1 << 30)))
        half = half + np.where(wide > 31, first, 0)
    rounded: Integers = (values * np.asarray(multiplier, np.int64) + half) >> wide
    return rounded


def forward(layer: Layer, x: Integers) -> Integers:
    """Outputs, int8 values as int64, of (rows, inputs): (rows, outputs)."""
    if layer.kind == LAYER_DENSE:
        return _rows_of(layer, x.astype(np.float64))
    places = layer.outputs // layer.filters
    together = max(1, _GATHERED_MAX // (places * layer.taps * layer.channels))
    outputs = np.empty((len(x), layer.outputs), np.int64)
    for low in range(0, len(x), together):
        gathered = _gathered(layer, x[low : low + together])
        if layer.kind == LAYER_CONVOLUTION:
            parts = _rows_of(layer, gathered.reshape(len(gathered), places, -1))
        else:
            parts = _channels_of(layer, gathered)
        outputs[low : low + together] = parts.reshape(len(gathered), layer.outputs)
    return outputs


def _weights_of(layer: Layer) -> Floats:
    return np.frombuffer(layer.weights, np.int8).reshape(layer.rows, layer.columns).astype(np.float64)


def _finished(layer: Layer, sums: Floats) -> Integers:
    """From sums without biases, filters along the last axis, to int8 outputs; float64 holds every sum exactly."""
    totals = np.rint(sums).astype(np.int64) + np.array(layer.bias, np.int64)
    scaled = requantize(totals, np.array(layer.multipliers), np.array(layer.shifts), layer.rounding)
    return np.clip(scaled + layer.zero, layer.low, 127)


def _rows_of(layer: Layer, values: Floats) -> Integers:
    """All rows on (..., columns): (..., rows). Every partial sum stays below 2**31."""
    return _finished(layer, values @ _weights_of(layer).T)


def _channels_of(layer: Layer, gathered: Floats) -> Integers:
    """Depthwise rows on (rows, places, taps, channels): (rows, places, filters)."""
    weights = _weights_of(layer).reshape(layer.channels, -1, layer.taps)
    sums = np.einsum("rptc,cft->rpcf", gathered, weights)
    return _finished(layer, sums.reshape(*sums.shape[:2], layer.filters))


def _gathered(layer: Layer, x: Integers) -> Floats:
    """What the rows are laid on at each place: (rows, inputs) -> (rows, places, taps, channels)."""
    positions = layer.inputs // layer.channels
    places = layer.outputs // layer.filters
    behind = max(0, (places - 1) * layer.stride - layer.pad + layer.taps - positions)
    wide = np.full((len(x), layer.pad + positions + behind, layer.channels), layer.padding, np.float64)
    wide[:, layer.pad : layer.pad + positions] = x.reshape(len(x), positions, layer.channels)
    return wide[:, np.arange(places)[:, None] * layer.stride + np.arange(layer.taps)]


def infer(image: ImageContent, inputs: Integers) -> Integers:
    """The model's int8 outputs: (rows, inputs) int16 -> (rows, inputs) int8 values as int64.

    ImageError: the image is packed for a processor.
    """
    refuse_packed(image)
    x = requantize(inputs, image.input_multiplier, image.input_shift) + image.input_zero
    x = np.clip(x, -128, 127)
    for layer in image.layers:
        x = forward(layer, x)
    return x


def dequantize_output(image: ImageContent, outputs: Integers) -> Integers:
    """int8 outputs back in the units of the inputs."""
    return requantize(outputs - image.output_zero, image.output_multiplier, image.output_shift)


def score_sums(image: ImageContent, inputs: Integers) -> tuple[Integers, Integers]:
    """The score's sum of each row of inputs before the threshold divides it, and the `top` of a reading.

    That is the feature furthest off; where the model reads samples, the first feature of the channel furthest off.
    """
    errors = inputs - dequantize_output(image, infer(image, inputs))
    parts = np.array(image.weights, np.int64) * errors * errors
    sums = np.minimum(parts.sum(axis=1) >> 6, SUM_LIMIT - 1)
    if image.samples:
        of_channels = parts.reshape(len(parts), image.window, len(image.channels)).sum(axis=1)
        return sums, of_channels.argmax(axis=1) * len(feature_names(image))
    return sums, parts.argmax(axis=1)


def scores(image: ImageContent, inputs: Integers) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Q12 scores and tops of (rows, inputs): the same numbers as `scorer.Scorer`."""
    sums, tops = score_sums(image, inputs)
    ratio = ((sums << 24) // image.threshold).astype(np.uint64)
    return isqrt(ratio).astype(np.uint32), tops.astype(np.uint16)
