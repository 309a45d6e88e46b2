"""The dense autoencoder in Keras: small, robust to foreign rows, and trained with int8 in mind.

It sees what the int8 input sees (scaled features, limited), learns to tell each feature from the others while a part of
them is hidden and noise is added (Vincent et al., "Extracting and Composing Robust Features with Denoising
Autoencoders", 2008), and keeps its weights small, so that the steps of int8 weights and activations are small too.
"""

import contextlib
import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.signal.definition import UNITS_PER_DEVIATION

Floats = NDArray[np.float32]

#: Inputs further than this from the centre, in healthy deviations, look alike to the autoencoder (not to the score).
INPUT_LIMIT = 8.0
#: Part of the inputs hidden in each step, and the deviation of the noise added to the others.
HIDDEN_PART = 0.3
NOISE = 0.3
#: Errors above this many deviations count linearly (Huber), so that a foreign tenth of the rows does not lead.
HUBER_LIMIT = 2.0
#: Norm of the weights into one unit at most.
WEIGHT_NORM_MAX = 2.0
LEARNING_RATE = 3e-3
BATCH = 64
#: Steps between looks at the held-back rows; looks without a better one before it stops; steps at least and at most.
STEPS_PER_LOOK = 100
PATIENCE = 3
STEPS_MIN = 300
STEPS_MAX = 1200
#: More rows than this are thinned out evenly.
ROWS_MAX = 8192


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


def as_inputs(features: NDArray[np.int64], limit: float = INPUT_LIMIT) -> Floats:
    """Scaled features (rows, features), 64 units a deviation, as the autoencoder sees them: deviations, limited."""
    return np.clip(features / UNITS_PER_DEVIATION, -limit, limit).astype(np.float32)


def input_limit(features: NDArray[np.int64]) -> float:
    """The limit for `as_inputs`: `INPUT_LIMIT`, wider where healthy features lie off the centre they were scaled by."""
    furthest = float(np.abs(np.median(features, axis=0)).max()) / UNITS_PER_DEVIATION
    return min(INPUT_LIMIT + furthest, 256.0)


def load_tensorflow() -> Any:
    """TensorFlow, quiet, on one thread and repeatable. Called by the functions that train, never at import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf  # type: ignore[import-untyped, unused-ignore]
    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):  # somebody computed with it already: results repeat all the same
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    return tf


class Trainer:
    """Trains autoencoders of one shape; each `fit` starts from the same weights, so that folds differ by rows alone."""

    def __init__(self, features: int, seed: int) -> None:
        self._tf = load_tensorflow()
        tf = self._tf
        keras = tf.keras
        keras.utils.set_random_seed(seed % 2**32)
        self._seed = seed
        widths = widths_for(features)
        norm = keras.constraints.MaxNorm(WEIGHT_NORM_MAX, axis=0)
        layers = [keras.Input((features,))]
        layers += [keras.layers.Dense(width, "relu", kernel_constraint=norm) for width in widths[1:-1]]
        layers.append(keras.layers.Dense(features, kernel_constraint=norm))
        self._model = keras.Sequential(layers)
        self._optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self._optimizer.build(self._model.trainable_variables)
        self._start = [variable.numpy() for variable in self._variables()]
        signature = (
            tf.TensorSpec((None, features), tf.float32),
            tf.TensorSpec((None, BATCH), tf.int32),
            tf.TensorSpec((2,), tf.int32),
        )
        self._steps = tf.function(self._run_steps, input_signature=signature)
        self._loss = tf.function(self._held_loss, input_signature=signature[:1])

    def fit(self, x: Floats, held: Floats | None = None, *, steps: int = STEPS_MAX) -> tuple[Autoencoder, int]:
        """Train on the rows of `x` and return the autoencoder with the number of steps it took.

        With `held` rows (a contiguous block that is not in `x`) the steps stop when those get no better, and the
        weights of the best look are returned; without, all `steps` are taken.
        """
        tf = self._tf
        if len(x) > ROWS_MAX:
            x = x[np.linspace(0, len(x) - 1, ROWS_MAX).astype(np.int64)]
        for variable, start in zip(self._variables(), self._start, strict=True):
            variable.assign(start)
        # what hides the centre from the weights: healthy features may lie anywhere
        centre = np.median(x, axis=0).astype(np.float32)
        rows = tf.constant(x - centre)
        held_rows = None if held is None else tf.constant(held - centre)
        order = np.random.default_rng(self._seed)
        best, best_loss, best_steps, looks = self._model.get_weights(), np.inf, 0, 0
        done = 0
        while done < steps:
            count = min(STEPS_PER_LOOK, steps - done)
            batches = order.integers(0, len(x), (count, BATCH)).astype(np.int32)
            self._steps(rows, tf.constant(batches), tf.constant([self._seed & 0x7FFFFFFF, done], tf.int32))
            done += count
            if held_rows is None:
                continue
            loss = float(self._loss(held_rows))
            if loss < best_loss:
                best, best_loss, best_steps, looks = self._model.get_weights(), loss, done, 0
            else:
                looks += 1
                if looks >= PATIENCE and done >= STEPS_MIN:
                    break
        if held_rows is None:
            best, best_steps = self._model.get_weights(), done
        return _centred(best, centre), max(best_steps, STEPS_MIN)

    def _variables(self) -> list[Any]:
        return [*self._model.trainable_variables, *self._optimizer.variables]

    def _error(self, x: Any, seen: Any) -> Any:
        tf = self._tf
        size = tf.abs(x - self._model(seen))
        linear = HUBER_LIMIT * size - 0.5 * HUBER_LIMIT * HUBER_LIMIT
        return tf.reduce_mean(tf.where(size < HUBER_LIMIT, 0.5 * size * size, linear))

    def _held_loss(self, held: Any) -> Any:
        return self._error(held, held)

    def _run_steps(self, rows: Any, batches: Any, seed: Any) -> None:
        tf = self._tf
        for step in tf.range(tf.shape(batches)[0]):
            x = tf.gather(rows, batches[step])
            key = seed + tf.stack([0, step])
            noise = tf.random.stateless_normal(tf.shape(x), seed=key)
            shown = tf.random.stateless_uniform(tf.shape(x), seed=key + tf.constant([1, 0])) >= HIDDEN_PART
            seen = (x + NOISE * noise) * tf.cast(shown, tf.float32)
            with tf.GradientTape() as tape:
                loss = self._error(x, seen)
            variables = self._model.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)


def _centred(weights: list[Floats], centre: Floats) -> Autoencoder:
    """An autoencoder of x from one of ``x - centre``: the first and the last bias take the centre."""
    kernels, biases = weights[0::2], [bias.copy() for bias in weights[1::2]]
    biases[0] = (biases[0] - centre @ kernels[0]).astype(np.float32)
    biases[-1] = biases[-1] + centre
    return Autoencoder(tuple(kernels), tuple(biases))
