"""Chains of layers of any shape with drawn numbers, usual ones or at the ends of their ranges."""

import numpy as np
from layer_images import convolution, dense

from shared.model_image import Layer


def at_their_ends(rng: np.random.Generator, layer: Layer) -> Layer:
    """The layer with weights, biases, multipliers, shifts and zeros at the ends of what a reader accepts."""
    rows, bound = layer.rows, (1 << 31) - 128 * 128 * layer.columns
    layer.weights = rng.choice([-128, -127, 0, 127], rows * layer.columns).astype(np.int8).tobytes()
    layer.bias = rng.choice([-bound, bound - 1, 0, 1000], rows).tolist()
    layer.multipliers = rng.choice([1, 1 << 20, 1 << 30, (1 << 31) - 1], rows).tolist()
    layer.shifts = rng.integers(1, 63, rows).tolist()
    layer.low, layer.zero = rng.integers(-128, 128, 2).tolist()
    return layer


def drawn_places(
    rng: np.random.Generator, inputs: int, channels: int, *, depthwise: bool, most: int = 9, rounding: int | None = None
) -> Layer:
    """A convolution with any taps and filters up to `most`, stride and pad, and at least half of its places.

    It rounds once or twice, as drawn, unless `rounding` says how.
    """
    taps = int(rng.integers(1, most + 1))
    layer = convolution(
        rng,
        inputs,
        channels,
        filters=int(rng.integers(1, 4 if depthwise else most + 1)),
        taps=taps,
        stride=int(rng.integers(1, 4)),
        pad=int(rng.integers(0, taps)),
        depthwise=depthwise,
        rounding=int(rng.integers(0, 2)) if rounding is None else rounding,
    )
    places = layer.outputs // layer.rows
    layer.outputs = layer.rows * int(rng.integers((places + 1) // 2, places + 1))
    return layer


def drawn_chain(
    rng: np.random.Generator,
    inputs: int,
    channels: int,
    kinds: str,
    *,
    most: int = 9,
    rounding: int | None = None,
    extreme: bool = False,
) -> list[Layer]:
    """Layers of the kinds ``c`` (convolution), ``w`` (depthwise) and ``d`` (dense), then a dense one to the inputs.

    >>> [layer.kind for layer in drawn_chain(np.random.default_rng(1), 40, 2, "cwd")]
    [1, 2, 0, 0]
    """
    layers = []
    width = inputs
    for letter in kinds:
        if letter == "d":
            layer = dense(rng, width, int(rng.integers(1, 4 * most)))
            channels = 1
        else:
            layer = drawn_places(rng, width, channels, depthwise=letter == "w", most=most, rounding=rounding)
            channels = layer.filters
        width = layer.outputs
        layers.append(layer)
    layers.append(dense(rng, width, inputs))
    return [at_their_ends(rng, layer) for layer in layers] if extreme else layers
