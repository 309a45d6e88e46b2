"""Models as .tflite files with drawn or extreme numbers, for LiteRT, NumPy, C and kernels alike."""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tflite_files import NO_ACTIVATION, RELU, VALID, Part, Step, bias, file_of, weights

from shared.model_image import Layer
from shared.tflite.reader import parse_tflite

_LEAST = -128
#: Shifts that an image may have, and columns of the model that has them all.
_SHIFTS = np.arange(1, 63)
_SHIFT_COLUMNS = 24


@dataclass(frozen=True, eq=False)
class Chain:
    """A file, the layers that are read from it, and inputs (rows, width) int8, all of them different."""

    name: str
    content: bytes
    layers: list[Layer]
    inputs: NDArray[np.int8]

    @property
    def output_bytes(self) -> int:
        """Bytes of output that its inputs give."""
        return len(self.inputs) * self.layers[-1].outputs


@dataclass(frozen=True, eq=False)
class Dense:
    """Weights (rows, columns), biases and ratios (rows) of a layer; zero point of its outputs; a ReLU behind it."""

    weights: NDArray[np.int64]
    biases: NDArray[np.int64]
    ratios: NDArray[np.float64]
    zero: int
    relu: bool = False


def chain(name: str, layers: list[Dense], inputs: NDArray[np.int64], zero: int, *, per_row: bool = True) -> Chain:
    """A model of these layers; `zero` is the zero point of its inputs. Scales of activations are 1 throughout."""
    parts = [Part((1, inputs.shape[1]), scales=(1.0,), zeros=(zero,))]
    steps = []
    for layer in layers:
        first = len(parts)
        scales = layer.ratios.tolist() if per_row else [float(layer.ratios[0])]
        zeros = [0] * len(scales)
        parts += [
            weights(layer.weights, scales=scales, zeros=zeros),
            bias(layer.biases, scales=scales, zeros=zeros),
            Part((1, len(layer.weights)), scales=(1.0,), zeros=(layer.zero,)),
        ]
        activation = {"FusedActivationFunction": RELU if layer.relu else NO_ACTIVATION}
        steps.append(Step("FULLY_CONNECTED", (first - 1, first, first + 1), (first + 2,), activation))
    content = file_of(parts, steps)
    return Chain(
        name, content, parse_tflite(content, f"{name}.tflite").layers, np.unique(inputs, axis=0).astype(np.int8)
    )


def fitted(
    rng: np.random.Generator, sums: NDArray[np.int64], zero: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Biases and ratios of rows (the last axis of `sums`), and the outputs less `zero` that they lead to.

    Half of the values of a ReLU are its zero, and outputs spread over int8.
    """
    others = tuple(range(sums.ndim - 1))
    rows = sums.shape[-1]
    biases = rng.integers(-300, 300, rows) - np.rint(np.median(sums, axis=others)).astype(np.int64)
    ratios = 45 / np.maximum(sums.std(axis=others), 1.0) * rng.uniform(0.5, 1.0, rows)
    outputs = np.clip(np.rint((sums + biases) * ratios) + zero, _LEAST, 127)
    return biases, ratios, outputs.astype(np.int64) - zero


def drawn(rng: np.random.Generator, widths: tuple[int, ...], rows: int, *, per_row: bool = True) -> Chain:
    """Dense layers with drawn weights, ReLU between."""
    zero = int(rng.integers(-20, 21))
    inputs = rng.integers(-128, 128, (rows, widths[0]))
    layers, values = [], inputs[:500] - zero
    for number, (columns, outputs) in enumerate(itertools.pairwise(widths)):
        hidden = number + 2 < len(widths)
        matrix = np.clip(np.rint(rng.normal(0, 40, (outputs, columns))), -127, 127).astype(np.int64)
        behind = _LEAST if hidden else int(rng.integers(-20, 21))
        biases, ratios, values = fitted(rng, values @ matrix.T, behind)
        ratios = ratios if per_row else np.full(outputs, ratios.mean())
        layers.append(Dense(matrix, biases, ratios, behind, relu=hidden))
    name = f"{'-'.join(map(str, widths))}{'' if per_row else ' of one scale'}"
    return chain(name, layers, inputs, zero, per_row=per_row)


def convolved(rng: np.random.Generator, rows: int) -> Chain:
    """Two convolutions over 40 places of three channels."""
    places, channels, zero = 40, 3, int(rng.integers(-20, 21))
    inputs = np.unique(rng.integers(-128, 128, (rows, places * channels)), axis=0)
    parts, steps = [Part((1, 1, places, channels), scales=(1.0,), zeros=(zero,))], []
    values = inputs[:500].reshape(-1, places, channels) - zero
    for filters, taps, stride, behind in ((8, 5, 2, _LEAST), (6, 3, 1, 11)):
        matrix = np.clip(np.rint(rng.normal(0, 40, (filters, taps * channels))), -127, 127).astype(np.int64)
        seen = np.lib.stride_tricks.sliding_window_view(values, taps, axis=1)[:, ::stride].swapaxes(2, 3)
        biases, ratios, values = fitted(rng, seen.reshape(*seen.shape[:2], -1) @ matrix.T, behind)
        said = {"scales": ratios.tolist(), "zeros": [0] * filters}
        first, places = len(parts), values.shape[1]
        parts += [
            weights(matrix.reshape(filters, 1, taps, channels), **said),
            bias(biases, **said),
            Part((1, 1, places, filters), scales=(1.0,), zeros=(behind,)),
        ]
        activation = RELU if behind == _LEAST else NO_ACTIVATION
        fields = {"Padding": VALID, "StrideW": stride, "StrideH": 1, "FusedActivationFunction": activation}
        steps.append(Step("CONV_2D", (first - 1, first, first + 1), (first + 2,), fields))
        channels = filters
    content = file_of(parts, steps)
    return Chain("convolutions", content, parse_tflite(content, "convolutions.tflite").layers, inputs.astype(np.int8))


def railed(rng: np.random.Generator, weight: int, columns: int) -> Chain:
    """All weights alike: sums at the ends of what so many columns can reach."""
    matrix = np.full((16, columns), weight)
    ratios = np.exp2(rng.uniform(-17, -12, 16))
    ends = np.concatenate([np.full((1, columns), end) for end in (-128, -127, 0, 126, 127)])
    inputs = np.concatenate([ends, rng.choice([-128, 127], (30, columns))])
    layer = Dense(matrix, rng.integers(-(2**20), 2**20, 16), ratios, -5)
    return chain(f"all {weight}, {columns} columns", [layer], inputs, 3)


def at_the_edge(rng: np.random.Generator, edge: int) -> Chain:
    """The greatest sum of every other row is `edge` - 1, of the others `edge`; likewise at the least end."""
    matrix = rng.integers(-127, 128, (16, 64))
    greatest = np.where(matrix > 0, 127, -128)
    least = np.where(matrix > 0, -128, 127)
    biases = edge - 1 - (matrix * greatest).sum(axis=1) + np.arange(16) % 2
    biases[8:] = (-edge - (matrix * least).sum(axis=1) - np.arange(16) % 2)[8:]
    inputs = np.concatenate([greatest, least, rng.integers(-128, 128, (300, 64))])
    layer = Dense(matrix, biases, np.exp2(rng.uniform(-17, -15.5, 16)), -90)
    return chain(f"sums at {edge}", [layer], inputs, 0)


def at_the_ends_of_int32(rng: np.random.Generator) -> Chain:
    """Biases as large as packed rows may have them: the sums come near the ends of int32."""
    matrix = rng.choice([-127, 127], (16, 64))
    biases = ((1 << 31) - (64 << 16)) * rng.choice([-1, 1], 16)
    ends = np.where(matrix > 0, 127, -128)
    inputs = np.concatenate([ends, -1 - ends, rng.integers(-128, 128, (300, 64))])
    return chain(
        "sums near the ends of int32", [Dense(matrix, biases, np.exp2(rng.uniform(-25, -24, 16)), 7)], inputs, 0
    )


def all_shifts(rng: np.random.Generator) -> Chain:
    """Four rows of every shift that an image may have; products that LiteRT can hold, near the last of them."""
    shifts = np.repeat(_SHIFTS, 4)
    room = np.exp2(np.minimum(shifts, 30)).astype(np.int64) - 1
    bound = np.minimum(127, room // (2 * 256 * _SHIFT_COLUMNS))
    matrix = rng.integers(-bound[:, None], bound[:, None] + 1, (len(shifts), _SHIFT_COLUMNS))
    reach = np.minimum(room - 256 * bound * _SHIFT_COLUMNS, 1 << 22)
    layer = Dense(
        matrix, rng.integers(-reach, reach + 1), np.exp2(30 - shifts) * rng.uniform(1.0, 1.99, len(shifts)), 5
    )
    return chain("shifts 1 to 62", [layer], rng.integers(-128, 128, (300, _SHIFT_COLUMNS)), 0)


@functools.cache
def drawn_chains() -> tuple[Chain, ...]:
    """Models of drawn numbers: a sensor's, odd widths, a wide end, one scale, as deep as may be, convolutions."""
    rng = np.random.default_rng(20260101)
    return (
        drawn(rng, (64, 32, 8, 32, 64), 9000),
        drawn(rng, (33, 5, 3, 37, 67), 2000),
        drawn(rng, (12, 16, 1024), 250),
        drawn(rng, (48, 24, 48), 3000, per_row=False),
        drawn(rng, (19, *[13] * 11, 30), 1000),
        convolved(rng, 1500),
    )


@functools.cache
def extreme_chains() -> tuple[Chain, ...]:
    """Models whose weights, sums or shifts are at their ends."""
    rng = np.random.default_rng(7)
    made = [railed(rng, weight, columns) for weight in (-127, 127) for columns in (1, 333, 4096)]
    made += [at_the_edge(rng, edge) for edge in (1 << 23, (1 << 23) - (1 << 15))]
    return (*made, at_the_ends_of_int32(rng), all_shifts(rng))
