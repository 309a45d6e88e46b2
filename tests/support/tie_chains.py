"""Models whose sums lie half way between two bytes, on both sides of zero: rounding up, down and away differ there."""

import copy
import functools

import numpy as np
from tflite_chains import Chain, Dense, chain
from tflite_files import NO_ACTIVATION, VALID, Part, Step, bias, file_of, weights

from shared.tflite.reader import parse_tflite

#: Ratios of a layer are 2**-1 to 2**-10, of so many rows each.
_HALVINGS = np.repeat(np.arange(1, 11), 8)
_COLUMNS = 16
_PLACES = 4


def _tied_rows(rng: np.random.Generator, rows: int, columns: int) -> tuple[Dense, np.ndarray]:
    """A layer and `rows` inputs: sums are multiples of half of what a step of the output is, half of them odd ones."""
    halves = np.minimum(_HALVINGS - 1, 6)
    matrix = rng.integers(-1, 2, (len(_HALVINGS), columns)) << halves[:, None]
    biases = rng.integers(-40, 41, len(_HALVINGS)) << (_HALVINGS - 1)
    return Dense(matrix, biases, np.exp2(-_HALVINGS.astype(float)), 3), rng.integers(-16, 16, (rows, columns)) << 3


def tied_share(layer: Dense, inputs: np.ndarray) -> float:
    """The part of a layer's sums that lie half way."""
    sums = inputs.astype(np.int64) @ layer.weights.T + layer.biases
    return float((sums % (1 << _HALVINGS) == 1 << (_HALVINGS - 1)).mean())


def _dense(rng: np.random.Generator) -> Chain:
    layer, inputs = _tied_rows(rng, 300, _COLUMNS)
    assert tied_share(layer, inputs) > 0.4
    return chain("ties", [layer], inputs, 0)


def _convolution(rng: np.random.Generator) -> Chain:
    """A convolution of one tap, each place the same layer: LiteRT rounds its sums twice."""
    layer, places = _tied_rows(rng, 80 * _PLACES, _COLUMNS)
    assert tied_share(layer, places) > 0.4
    said = {"scales": layer.ratios.tolist(), "zeros": [0] * len(_HALVINGS)}
    parts = [
        Part((1, 1, _PLACES, _COLUMNS), scales=(1.0,), zeros=(0,)),
        weights(layer.weights.reshape(-1, 1, 1, _COLUMNS), **said),
        bias(layer.biases, **said),
        Part((1, 1, _PLACES, len(_HALVINGS)), scales=(1.0,), zeros=(layer.zero,)),
    ]
    fields = {"Padding": VALID, "StrideW": 1, "StrideH": 1, "FusedActivationFunction": NO_ACTIVATION}
    content = file_of(parts, [Step("CONV_2D", (0, 1, 2), (3,), fields)])
    inputs = np.unique(places.reshape(-1, _PLACES * _COLUMNS), axis=0).astype(np.int8)
    return Chain("ties of a convolution", content, parse_tflite(content, "ties.tflite").layers, inputs)


def _up(dense: Chain) -> Chain:
    """The dense layer with the multipliers of its ratios as they are: an image of ours, which rounds its ties up."""
    (layer,) = dense.layers
    kept = copy.copy(layer)
    kept.multipliers = [multiplier & -2 for multiplier in layer.multipliers]
    assert kept.multipliers != layer.multipliers
    return Chain("ties rounded up", dense.content, [kept], dense.inputs)


@functools.cache
def tie_chains() -> tuple[Chain, ...]:
    """A dense layer as LiteRT rounds it, a convolution, which it rounds twice, and the dense layer of an own image."""
    rng = np.random.default_rng(12)
    dense = _dense(rng)
    return dense, _convolution(rng), _up(dense)
