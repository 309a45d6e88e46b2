"""Units whose int8 steps cost the reconstruction most are computed more than once, their steps interleaved.

What a hidden unit tells is rounded to one of 256 steps, and a unit that many outputs follow (the level common to all
features, as a rule) passes that rounding on to all of them at once. Copies of the unit, each offset by a fraction of
the step and each used with the same fraction of the weight, tell together what finer steps would: m copies leave
1/m**2 of the noise. A copy costs multiplications; it is made as long as it takes a larger part of the noise than it
adds to the work.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.training.autoencoder import Autoencoder, Floats

Wide = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Part of the multiplications that copies add at most.
COST_MAX = 0.25
_STEPS = 255


@dataclass(frozen=True, eq=False)
class _Noise:
    """What rounding puts into the mean square of the outputs: `units` (one array per hidden layer), and `ends`."""

    units: list[Wide]
    ends: float
    steps: list[float]


def with_copies(autoencoder: Autoencoder, rows: Floats) -> Autoencoder:
    """The same map with copies of the units that pay, its ranges set by `rows` (n, inputs), deviations."""
    noise = _noise(autoencoder, rows)
    times = copies_that_pay(noise.units, noise.ends, autoencoder)
    kernels, biases = list(autoencoder.kernels), list(autoencoder.biases)
    for number, (count, step) in enumerate(zip(times, noise.steps, strict=True)):
        # the units themselves first, then the copies, as they were counted
        unit = np.concatenate([np.arange(len(count)), np.repeat(np.arange(len(count)), count - 1)])
        place = np.concatenate([np.zeros(len(count), np.int64), *[np.arange(1, many) for many in count]])
        offset = (place - (count[unit] - 1) / 2) / count[unit] * step
        kernels[number] = kernels[number][:, unit]
        biases[number] = (biases[number][unit] + offset).astype(np.float32)
        kernels[number + 1] = (kernels[number + 1][unit] / count[unit][:, None]).astype(np.float32)
    return Autoencoder(tuple(kernels), tuple(biases))


def copies_that_pay(units: list[Wide], ends: float, autoencoder: Autoencoder) -> list[Integers]:
    """How many times each unit of each hidden layer is computed, from the noise of the units and of both ends."""
    work = float(sum(kernel.size for kernel in autoencoder.kernels))
    # of one more unit of each hidden layer, as a part of all multiplications
    pairs = zip(autoencoder.kernels, autoencoder.kernels[1:], strict=False)
    costs = [(before.shape[0] + after.shape[1]) / work for before, after in pairs]
    times = [np.ones(len(noise), np.int64) for noise in units]
    total, spent = ends + float(sum(noise.sum() for noise in units)), 0.0
    while units:  # nothing is hidden in a single layer
        saved = [noise * (1 / count**2 - 1 / (count + 1) ** 2) for noise, count in zip(units, times, strict=True)]
        worth = [float(some.max()) / max(total, 1e-30) / cost for some, cost in zip(saved, costs, strict=True)]
        layer = int(np.argmax(worth))
        spent += costs[layer]
        if worth[layer] <= 1.0 or spent > COST_MAX:
            break
        unit = int(np.argmax(saved[layer]))
        times[layer][unit] += 1
        total -= float(saved[layer][unit])
    return times


def _noise(autoencoder: Autoencoder, rows: Floats) -> _Noise:
    """The mean square of a value rounded to whole steps is 1/12 of the step's, times what follows from it."""
    kernels, last = autoencoder.kernels, len(autoencoder.kernels) - 1
    values = [rows]
    for number, (kernel, bias) in enumerate(zip(kernels, autoencoder.biases, strict=True)):
        made = values[-1] @ kernel + bias
        values.append(np.maximum(made, np.float32(0)) if number < last else made)
    steps = [(max(float(some.max()), 0.0) - min(float(some.min()), 0.0)) / _STEPS for some in values]
    # random signs at the outputs, led back: their square is on average the sum of squares over all outputs
    back = np.random.default_rng(0).choice((-1.0, 1.0), values[-1].shape)
    units: list[Wide] = []
    for number in range(last, 0, -1):
        back = (back @ kernels[number].T) * (values[number] > 0)
        units.insert(0, (back**2).mean(axis=0) * steps[number] ** 2 / 12)
    back = back @ kernels[0].T
    ends = float((back**2).mean(axis=0).sum()) * steps[0] ** 2 / 12 + rows.shape[1] * steps[-1] ** 2 / 12
    return _Noise(units, ends, steps[1:-1])
