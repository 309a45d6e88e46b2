"""The dense autoencoder: what it sees, its shape, its weights, and where its training starts.

It sees what the int8 input sees (scaled features, limited) and begins as the best linear denoiser of the rows
(`cloud.training.start`); how it learns is told in `cloud.training.trainer`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloud.training.start import Disturbance, linear_denoiser, started
from shared.signal.definition import UNITS_PER_DEVIATION

Floats = NDArray[np.float32]

#: Inputs further than this from the centre, in healthy deviations, look alike to the autoencoder (not to the score).
INPUT_LIMIT = 8.0


class Reconstructor(Protocol):
    """A trained autoencoder of any shape."""

    def forward(self, x: Floats) -> Floats:
        """Reconstruction of (rows, inputs), deviations."""
        ...

    def graph(self, tf: Any) -> Callable[[Any], Any]:
        """The same as a function of TensorFlow, with the weights as constants: (1, inputs) -> (1, inputs)."""
        ...


class Network(Protocol):
    """The shape of an autoencoder, for `cloud.training.trainer.Trainer`."""

    inputs: int

    def layers(self, keras: Any, constraint: Any) -> list[Any]:
        """Layers of Keras behind the input, whose kernels keep the `constraint`."""
        ...

    def centre_of(self, x: Floats) -> Floats:
        """What is taken from every row (inputs,) before the weights see it."""
        ...

    def begin(self, drawn: list[Floats], x: Floats, disturbance: Disturbance, norm_max: float) -> list[Floats]:
        """The weights that training starts from, by the drawn ones and centred rows (rows, inputs)."""
        ...

    def trained(self, weights: list[Floats], centre: Floats) -> Reconstructor:
        """The autoencoder of rows as they are, from weights for ``x - centre``."""
        ...


def widths_for(features: int) -> tuple[int, ...]:
    """Widths of the layers, input and output included.

    >>> widths_for(32), widths_for(8)
    ((32, 16, 8, 16, 32), (8, 8, 4, 8, 8))
    """
    hidden = max(8, min(64, features // 2))
    code = max(4, min(32, features // 4))
    return (features, hidden, code, hidden, features)


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """Trained weights: `kernels` float32 (inputs, outputs) and `biases` of each layer; ReLU between them."""

    kernels: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def forward(self, x: Floats) -> Floats:
        """Reconstruction of (rows, features), deviations."""
        last = len(self.kernels) - 1
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = x @ kernel + bias
            if number < last:
                x = np.maximum(x, np.float32(0))
        return x

    def graph(self, tf: Any) -> Callable[[Any], Any]:
        """The same as a function of TensorFlow, with the weights as constants."""
        pairs = [(tf.constant(k), tf.constant(b)) for k, b in zip(self.kernels, self.biases, strict=True)]

        def call(x: Any) -> Any:
            for kernel, bias in pairs[:-1]:
                x = tf.nn.relu(tf.matmul(x, kernel) + bias)
            kernel, bias = pairs[-1]
            return tf.matmul(x, kernel) + bias

        return call


class DenseNetwork:
    """Dense layers of the widths of `widths_for`, for features that may lie anywhere."""

    def __init__(self, features: int) -> None:
        self.inputs = features
        self._widths = widths_for(features)

    def layers(self, keras: Any, constraint: Any) -> list[Any]:
        """Dense layers, ReLU on all but the last."""
        hidden = [keras.layers.Dense(width, "relu", kernel_constraint=constraint) for width in self._widths[1:-1]]
        return [*hidden, keras.layers.Dense(self._widths[-1], kernel_constraint=constraint)]

    def centre_of(self, x: Floats) -> Floats:
        """The median of each feature: it hides from the weights where healthy features lie."""
        return np.median(x, axis=0).astype(np.float32)

    def begin(self, drawn: list[Floats], x: Floats, disturbance: Disturbance, norm_max: float) -> list[Floats]:
        """The best linear denoiser of the rows; see `cloud.training.start`."""
        return started(drawn, linear_denoiser(x, min(self._widths), disturbance), norm_max)

    def trained(self, weights: list[Floats], centre: Floats) -> Autoencoder:
        """An autoencoder of x from one of ``x - centre``: the first and the last bias take the centre."""
        kernels, biases = weights[0::2], [bias.copy() for bias in weights[1::2]]
        biases[0] = (biases[0] - centre @ kernels[0]).astype(np.float32)
        biases[-1] = biases[-1] + centre
        return Autoencoder(tuple(kernels), tuple(biases))


def as_inputs(values: NDArray[np.int64], limit: float = INPUT_LIMIT, units: int = UNITS_PER_DEVIATION) -> Floats:
    """The model's inputs (rows, inputs), `units` a deviation, as the autoencoder sees them: deviations, limited."""
    return np.clip(values / units, -limit, limit).astype(np.float32)


def input_limit(values: NDArray[np.int64], units: int = UNITS_PER_DEVIATION) -> float:
    """The limit for `as_inputs`: `INPUT_LIMIT`, wider where healthy inputs lie off the centre they were scaled by."""
    furthest = float(np.abs(np.median(values, axis=0)).max()) / units
    return min(INPUT_LIMIT + furthest, 256.0)
