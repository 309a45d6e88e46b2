"""The autoencoder of raw windows: two strided convolutions and a dense code, decoded by one dense layer.

It reads the samples of a window, sample by sample, instead of features (`--input samples`), and restores them; its
error grows where a window holds what the healthy ones lack. Samples have no centre to hide: those of a fast device are
free of their mean, those of a slow one are scaled about it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloud.training.autoencoder import Floats
from cloud.training.start import Disturbance

TAPS = 5
STRIDES = (2, 4)
_CODE_MAX = 64
_FILTERS_MIN, _FILTERS_MAX = 8, 64


@dataclass(frozen=True, eq=False)
class ConvolutionalAutoencoder:
    """Trained weights: kernels (taps, channels, filters) of the convolutions, (inputs, outputs) of the dense layers,
    each with its bias; ReLU behind all but the last."""

    window: int
    channels: int
    kernels: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def forward(self, x: Floats) -> Floats:
        """Reconstruction of (rows, window * channels), deviations."""
        values = x.reshape(len(x), self.window, self.channels)
        for kernel, bias, stride in zip(self.kernels, self.biases, STRIDES, strict=False):
            values = np.maximum(_convolved(values, kernel, stride) + bias, np.float32(0))
        code = values.reshape(len(x), -1) @ self.kernels[-2] + self.biases[-2]
        restored: Floats = np.maximum(code, np.float32(0)) @ self.kernels[-1] + self.biases[-1]
        return restored

    def graph(self, tf: Any) -> Callable[[Any], Any]:
        """The same as a function of TensorFlow, with the weights as constants."""
        pairs = [(tf.constant(k), tf.constant(b)) for k, b in zip(self.kernels, self.biases, strict=True)]

        def call(x: Any) -> Any:
            x = tf.reshape(x, (1, self.window, self.channels))
            for (kernel, bias), stride in zip(pairs, STRIDES, strict=False):
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv1d(x, kernel, stride, "SAME"), bias))
            x = tf.reshape(x, (1, pairs[-2][0].shape[0]))
            x = tf.nn.relu(tf.matmul(x, pairs[-2][0]) + pairs[-2][1])
            return tf.matmul(x, pairs[-1][0]) + pairs[-1][1]

        return call


class ConvolutionalNetwork:
    """The shape for windows of `window` samples (a multiple of 8) of `channels` channels."""

    def __init__(self, window: int, channels: int) -> None:
        self.inputs = window * channels
        self._window, self._channels = window, channels
        self._filters = max(_FILTERS_MIN, min(_FILTERS_MAX, 2 * channels))
        self._code = max(8, min(_CODE_MAX, self.inputs // 4))

    def layers(self, keras: Any, constraint: Any) -> list[Any]:
        """Two convolutions and two dense layers."""
        found = [keras.layers.Reshape((self._window, self._channels))]
        found += [
            keras.layers.Conv1D(self._filters, TAPS, stride, "same", activation="relu", kernel_constraint=constraint)
            for stride in STRIDES
        ]
        found += [keras.layers.Flatten(), keras.layers.Dense(self._code, "relu", kernel_constraint=constraint)]
        return [*found, keras.layers.Dense(self.inputs, kernel_constraint=constraint)]

    def centre_of(self, x: Floats) -> Floats:
        """None."""
        return np.zeros(x.shape[1], np.float32)

    def begin(self, drawn: list[Floats], x: Floats, disturbance: Disturbance, norm_max: float) -> list[Floats]:
        """The drawn weights: no formula is known."""
        del x, disturbance, norm_max
        return drawn

    def trained(self, weights: list[Floats], centre: Floats) -> ConvolutionalAutoencoder:
        """The autoencoder; the centre is zero."""
        del centre
        return ConvolutionalAutoencoder(self._window, self._channels, tuple(weights[0::2]), tuple(weights[1::2]))


def _convolved(values: Floats, kernel: Floats, stride: int) -> Floats:
    """One convolution of (rows, positions, channels), padded with zeros as TensorFlow's SAME."""
    positions = values.shape[1]
    places = -(-positions // stride)
    outside = max((places - 1) * stride + len(kernel) - positions, 0)
    wide = np.pad(values, ((0, 0), (outside // 2, outside - outside // 2), (0, 0)))
    gathered = wide[:, np.arange(places)[:, None] * stride + np.arange(len(kernel))]
    found: Floats = gathered.reshape(len(values), places, -1) @ kernel.reshape(-1, kernel.shape[2])
    return found
