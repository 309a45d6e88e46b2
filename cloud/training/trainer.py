"""How an autoencoder learns, in Keras: robust to foreign rows, the same every time, with little left to luck.

It learns to tell each input from the others while a part of them is hidden and noise is added (Vincent et al.,
"Extracting and Composing Robust Features with Denoising Autoencoders", 2008), keeps its weights small, so that the
steps of int8 weights and activations are small too, stops when held-back rows get no better, and ends as the mean of
its last weights (Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992).
"""

import contextlib
import math
import os
import warnings
from typing import Any

import numpy as np

from cloud.training.autoencoder import Floats, Network, Reconstructor
from cloud.training.start import Disturbance

#: Part of the inputs hidden in each step, and the deviation of the noise added to the others.
DISTURBANCE = Disturbance(hidden_part=0.3, noise=0.3)
#: Errors above this many deviations count linearly (Huber), so that a foreign tenth of the rows does not lead.
HUBER_LIMIT = 2.0
#: Norm of the weights into one unit at most.
WEIGHT_NORM_MAX = 2.0
LEARNING_RATE = 3e-3
#: Steps in which the rate grows from nothing: the first steps of Adam would else throw the start away.
WARMING_STEPS = 100
BATCH = 64
#: Weight of the past in the mean of the weights: it spans about the last hundred steps.
AVERAGE = 0.99
#: Steps between looks at the held-back rows; looks without a better one before it stops; steps at most.
STEPS_PER_LOOK = 50
PATIENCE = 4
STEPS_MAX = 2400
#: The held-back rows are looked at with parts hidden, as in training, at least so many times in all.
HELD_ROWS_SHOWN = 512
#: More rows than this are thinned out evenly.
ROWS_MAX = 8192


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
    """Trains autoencoders of one shape; each `fit` draws the same numbers, so that folds differ by rows alone."""

    def __init__(self, network: Network, seed: int) -> None:
        self._tf = load_tensorflow()
        tf = self._tf
        keras = tf.keras
        keras.utils.set_random_seed(seed % 2**32)
        self._seed = seed
        self._network = network
        norm = keras.constraints.MaxNorm(WEIGHT_NORM_MAX, axis=0)
        self._model = keras.Sequential([keras.Input((network.inputs,)), *network.layers(keras, norm)])
        self._optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self._optimizer.build(self._model.trainable_variables)
        self._means = [tf.Variable(variable) for variable in self._model.trainable_variables]
        self._drawn = self._model.get_weights()
        self._rested = [variable.numpy() for variable in self._optimizer.variables]
        signature = (
            tf.TensorSpec((None, network.inputs), tf.float32),
            tf.TensorSpec((None, BATCH), tf.int32),
            tf.TensorSpec((2,), tf.int32),
        )
        self._steps = tf.function(self._run_steps, input_signature=signature, autograph=False)

    def fit(self, x: Floats, held: Floats | None = None, *, steps: int | None = None) -> tuple[Reconstructor, int]:
        """Train on the rows of `x` and return the autoencoder with the number of steps it took.

        With `held` rows (a contiguous block that is not in `x`) the steps stop when those get no better, and the
        weights of the best look are returned, those of the start included; without, all `steps` are taken, `STEPS_MAX`
        unless told.
        """
        tf = self._tf
        steps = STEPS_MAX if steps is None else steps
        if len(x) > ROWS_MAX:
            x = x[np.linspace(0, len(x) - 1, ROWS_MAX).astype(np.int64)]
        centre = self._network.centre_of(x)
        best = self._network.begin(self._drawn, x - centre, DISTURBANCE, WEIGHT_NORM_MAX)
        self._begin(best)
        # undisturbed rows would tell how well it copies, not how well it knows one feature from the others
        judging = None if held is None else _disturbed(held - centre)
        best_loss = np.inf if judging is None else self._loss(best, *judging)
        rows = tf.constant(x - centre)
        order = np.random.default_rng(self._seed)
        best_steps = done = looks = 0
        while done < steps and looks < PATIENCE:
            count = min(STEPS_PER_LOOK, steps - done)
            batches = order.integers(0, len(x), (count, BATCH)).astype(np.int32)
            self._steps(rows, tf.constant(batches), tf.constant([self._seed & 0x7FFFFFFF, done], tf.int32))
            done += count
            if judging is None:
                continue
            found = [mean.numpy() for mean in self._means]
            loss = self._loss(found, *judging)
            looks += 1
            if loss < best_loss:
                best, best_loss, best_steps, looks = found, loss, done, 0
        if judging is None:
            best, best_steps = [mean.numpy() for mean in self._means], done
        return self._network.trained(best, centre), best_steps

    def _begin(self, weights: list[Floats]) -> None:
        self._model.set_weights(weights)
        for mean, weight in zip(self._means, weights, strict=True):
            mean.assign(weight)
        for variable, rested in zip(self._optimizer.variables, self._rested, strict=True):
            variable.assign(rested)

    def _loss(self, weights: list[Floats], rows: Floats, shown: Floats) -> float:
        """Mean Huber loss of centred `rows` restored from what is shown of them."""
        network = self._network.trained(weights, np.zeros(rows.shape[1], np.float32))
        size = np.abs(rows - network.forward(shown))
        linear = HUBER_LIMIT * size - 0.5 * HUBER_LIMIT * HUBER_LIMIT
        return float(np.where(size < HUBER_LIMIT, 0.5 * size * size, linear).mean(dtype=np.float64))

    def _run_steps(self, rows: Any, batches: Any, seed: Any) -> None:
        """All steps in one graph, written as one: TensorFlow would translate a Python loop by way of a file."""
        tf = self._tf
        count = tf.shape(batches)[0]
        tf.while_loop(
            lambda step: step < count,
            lambda step: (self._step(rows, batches, seed, step),),
            [tf.constant(0)],
            parallel_iterations=1,
        )

    def _step(self, rows: Any, batches: Any, seed: Any, step: Any) -> Any:
        """One step of the optimizer and of the running means; the number of the next one."""
        tf = self._tf
        variables = self._model.trainable_variables
        x = tf.gather(rows, batches[step])
        key = seed + tf.stack([0, step])
        noise = tf.random.stateless_normal(tf.shape(x), seed=key)
        shown = tf.random.stateless_uniform(tf.shape(x), seed=key + tf.constant([1, 0])) >= DISTURBANCE.hidden_part
        seen = (x + DISTURBANCE.noise * noise) * tf.cast(shown, tf.float32)
        taken = tf.cast(seed[1] + step + 1, tf.float32)
        self._optimizer.learning_rate.assign(LEARNING_RATE * tf.minimum(1.0, taken / WARMING_STEPS))
        with tf.GradientTape() as tape:
            size = tf.abs(x - self._model(seen))
            linear = HUBER_LIMIT * size - 0.5 * HUBER_LIMIT * HUBER_LIMIT
            loss = tf.reduce_mean(tf.where(size < HUBER_LIMIT, 0.5 * size * size, linear))
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        # young means forget faster: the start is not kept for long
        part = 1.0 - tf.minimum(AVERAGE, taken / (taken + 10.0))
        for mean, variable in zip(self._means, variables, strict=True):
            mean.assign_add(part * (variable - mean))
        with tf.control_dependencies([tf.identity(mean) for mean in self._means]):
            return step + 1


def _disturbed(held: Floats) -> tuple[Floats, Floats]:
    """Held-back rows, repeated, and what is shown of them: the same in every look and fold of the same rows."""
    draw = np.random.default_rng(0)
    rows = np.tile(held, (math.ceil(HELD_ROWS_SHOWN / len(held)), 1))
    noisy = rows + DISTURBANCE.noise * draw.standard_normal(rows.shape, np.float32)
    return rows, np.where(draw.random(rows.shape) >= DISTURBANCE.hidden_part, noisy, 0).astype(np.float32)
