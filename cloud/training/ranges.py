"""What int8 activations can say: the rows that set their ranges, and units made equally large within a layer.

A range must hold what faulty rows make of a layer and yet be narrow, since all units of a layer share 256 steps. So the
ranges come from healthy rows and from the same stretched away from their median, as far as the reconstruction stays
within what the inputs can be; and units whose values are small are scaled up where they are made and down where they
are used, which a ReLU lets through (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", 2019).
"""

from dataclasses import dataclass

import numpy as np

from cloud.training.autoencoder import Autoencoder, Floats, Reconstructor

#: Healthy rows that are looked at.
REPRESENTATIVE_ROWS = 1000
#: How far rows are stretched: activations of faulty rows are larger than healthy ones, and limiting them costs up to
#: 0.03 of the area under the curve (on SKAB). The first that keeps a row's reconstruction within the inputs' limit.
STRETCHES = (3.0, 2.5, 2.0, 1.5)
#: Units are scaled up so many times at most.
_SCALE_MAX = 100.0


@dataclass(frozen=True, eq=False)
class Representative:
    """`healthy` rows (n, inputs), evenly spaced, and the same `stretched`, deviations."""

    healthy: Floats
    stretched: Floats

    @property
    def rows(self) -> Floats:
        """All of them, the healthy ones first."""
        return np.concatenate([self.healthy, self.stretched])


def representative(autoencoder: Reconstructor, healthy: Floats, limit: float) -> Representative:
    """Rows that set the ranges, from healthy inputs (rows, inputs) within +-`limit`."""
    count = min(len(healthy), REPRESENTATIVE_ROWS)
    rows = healthy[np.linspace(0, len(healthy) - 1, count).astype(np.int64)].astype(np.float32)
    middle = np.median(rows, axis=0)
    stretched = rows.copy()
    open_rows = np.ones(count, np.bool_)
    for stretch in STRETCHES:
        wide = np.clip(middle + stretch * (rows - middle), -limit, limit).astype(np.float32)
        fits = open_rows & (np.abs(autoencoder.forward(wide)).max(axis=1) <= limit)
        stretched[fits] = wide[fits]
        open_rows &= ~fits
    return Representative(rows, stretched)


def equalized(autoencoder: Autoencoder, rows: Floats) -> Autoencoder:
    """The same map, every unit of a hidden layer with the same largest value on `rows` (n, inputs)."""
    kernels = [kernel.copy() for kernel in autoencoder.kernels]
    biases = [bias.copy() for bias in autoencoder.biases]
    for number in range(len(kernels) - 1):
        rows = np.maximum(rows @ kernels[number] + biases[number], np.float32(0))
        largest = rows.max(axis=0)
        scale = np.minimum(largest.max() / np.maximum(largest, np.float32(1e-6)), _SCALE_MAX).astype(np.float32)
        kernels[number] *= scale
        biases[number] *= scale
        kernels[number + 1] /= scale[:, None]
        rows = rows * scale
    return Autoencoder(tuple(kernels), tuple(biases))


def extremes(autoencoder: Autoencoder, rows: Floats) -> Floats:
    """The few of the rows that hold the smallest and the largest value of every layer, inputs and outputs included."""
    values, last = rows, len(autoencoder.kernels) - 1
    found = {int(np.argmin(values.min(axis=1))), int(np.argmax(values.max(axis=1)))}
    for number, (kernel, bias) in enumerate(zip(autoencoder.kernels, autoencoder.biases, strict=True)):
        values = values @ kernel + bias
        if number < last:
            values = np.maximum(values, np.float32(0))
        found |= {int(np.argmin(values.min(axis=1))), int(np.argmax(values.max(axis=1)))}
    return rows[sorted(found)]
