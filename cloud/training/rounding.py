"""Weights rounded to int8 by what comes out of each layer, not one by one, and biases that keep its mean.

Rounding every weight to the nearest step leaves an error that healthy rows hardly show and faulty ones do, since inputs
of a layer move together. Here the steps of a unit are chosen together: coordinate descent on the integers minimizes the
squared difference between what the unit gave before int8 and what it gives from inputs that went through int8
themselves (the problem of Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, for
layers small enough to be solved by going round). The converter finds the same steps again: the largest weight of a unit
stays where it is, at 127 steps.
"""

import numpy as np
from numpy.typing import NDArray

from cloud.training.autoencoder import Autoencoder
from cloud.training.ranges import Representative

Wide = NDArray[np.float64]

#: Weight of the distance to the unrounded weights, as a part of the inputs' mean square.
NEARNESS = 0.1
#: Times that the weights of a unit are gone round at most.
_ROUNDS_MAX = 20
_STEPS_MAX = 127


def rounded(autoencoder: Autoencoder, representative: Representative) -> Autoencoder:
    """The autoencoder with weights in whole steps of their unit, at most 127, for inputs like `representative` ones.

    The steps are chosen on all of these rows, the biases keep the mean of the healthy ones.
    """
    before = representative.rows.astype(np.float64)
    after = _through_int8(before)
    healthy = slice(0, len(representative.healthy))
    kernels, biases = [], []
    last = len(autoencoder.kernels) - 1
    for number, (kernel, bias) in enumerate(zip(autoencoder.kernels, autoencoder.biases, strict=True)):
        wide = kernel.astype(np.float64)
        steps = _rounded_kernel(before, after, wide)
        moved = bias + before[healthy].mean(axis=0) @ wide - after[healthy].mean(axis=0) @ steps
        before, after = before @ wide + bias, after @ steps + moved
        if number < last:
            before, after = np.maximum(before, 0.0), np.maximum(after, 0.0)
        after = _through_int8(after)
        kernels.append(steps.astype(np.float32))
        biases.append(moved.astype(np.float32))
    return Autoencoder(tuple(kernels), tuple(biases))


def _rounded_kernel(before: Wide, after: Wide, kernel: Wide) -> Wide:
    """A kernel (inputs, units) in whole steps: ``after @ result`` follows ``before @ kernel`` about its mean."""
    step = np.maximum(np.abs(kernel).max(axis=0), 1e-30) / _STEPS_MAX
    counts = np.rint(kernel / step)
    seen = after - after.mean(axis=0)
    wanted = (before - before.mean(axis=0)) @ kernel
    square = seen.T @ seen / len(seen)
    nearness = NEARNESS * float(np.diag(square).mean()) + 1e-12
    square[np.diag_indices_from(square)] += nearness
    # half the gradient of the squared difference, kept up to date while weights move
    slope = square @ (counts * step) - seen.T @ wanted / len(seen) - nearness * kernel
    may_move = np.ones(kernel.shape, np.bool_)
    may_move[np.abs(kernel).argmax(axis=0), np.arange(kernel.shape[1])] = False
    for _ in range(_ROUNDS_MAX):
        still = True
        for place in range(len(kernel)):
            best = np.clip(
                counts[place] - np.rint(slope[place] / (square[place, place] * step)), -_STEPS_MAX, _STEPS_MAX
            )
            change = np.where(may_move[place], best - counts[place], 0.0)
            if change.any():
                counts[place] += change
                slope += np.outer(square[place], change * step)
                still = False
        if still:
            break
    result: Wide = counts * step
    return result


def _through_int8(values: Wide) -> Wide:
    """Values as 256 steps between their extremes (0 included) tell them."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = (high - low) / 255 or 1.0
    result: Wide = np.rint(values / step) * step
    return result
