"""Models and inputs that strain the kernels: weights, sums and shifts at their ends, every kind of layer, silence."""

import numpy as np
from drawn_layers import drawn_chain

from firmware.bench.reference import SENSOR_WIDTHS, convolutional_layers, random_layers
from shared.model_image import Layer


def one_layer(weights, bias, multipliers, shifts, zero=0, low=-128):
    rows, columns = weights.shape
    values = [np.broadcast_to(each, rows).tolist() for each in (bias, multipliers, shifts)]
    return [Layer(columns, rows, weights.astype(np.int8).tobytes(), *values, zero, low)]


def wide(rng):
    """Few columns, many rows: most output bytes per second."""
    return random_layers(rng, (12, 16, 1024)), rng.integers(-128, 128, (80, 12))


def odd(rng, widths):
    layers = random_layers(rng, widths)
    for layer in layers[:-1]:
        layer.zero = int(rng.integers(-128, 100))
        layer.low = layer.zero
    return layers, rng.integers(-128, 128, (20, widths[0]))


def railed(rng, weight):
    """Weights and values at their ends: sums at the ends of what the widest layers can reach."""
    columns = int(rng.integers(500, 700))
    weights = np.full((12, columns), weight)
    weights[4:8] *= rng.choice([-1, 1], columns)
    weights[8:] = rng.choice([-127, 0, 127], (4, columns))
    values = np.concatenate([np.full((1, columns), end) for end in (-128, -127, 0, 127)])
    mixed = rng.choice([-128, 127], (16, columns))
    along = np.where(weights[4:5] > 0, 127, -128)
    shifts = rng.integers(44, 50, 12)
    multipliers = rng.integers(1 << 30, 1 << 31, 12)
    return one_layer(weights, rng.integers(-100, 100, 12), multipliers, shifts), np.concatenate([values, mixed, along])


def at_the_bound(rng):
    """The sums reach exactly 2**23 - 1, the last that `dsp` takes in rows a and c; one more is plain."""
    weights = np.zeros((16, 64), np.int64)
    weights[:, :] = rng.integers(-127, 128, (16, 64))
    greatest = np.where(weights > 0, 127, -128)
    reach = (weights * greatest).sum(1)
    bias = (1 << 23) - 1 - reach
    bias[8:] += 1
    rows = np.concatenate([greatest, rng.integers(-128, 128, (8, 64))])
    return one_layer(weights, bias, (1 << 31) - 1, 47, zero=-90), rows


def all_shifts(rng):
    """Every shift from 1 to 62, small sums for small shifts."""
    rows = 62 * 4
    shifts = np.repeat(np.arange(1, 63), 4)
    weights = rng.integers(-127, 128, (rows, 24))
    multipliers = np.where(shifts < 33, rng.integers(1, 1 << 10, rows), rng.integers(1 << 30, 1 << 31, rows))
    return one_layer(weights, rng.integers(-5000, 5000, rows), multipliers, shifts, zero=5), rng.integers(
        -128, 128, (40, 24)
    )


def mixed_shifts(rng):
    """Two layers whose plain and packed blocks alternate."""
    first = all_shifts(rng)[0][0]
    second = random_layers(rng, (248, 21))
    order = rng.permutation(62 * 4)
    picked = Layer(
        24,
        248,
        np.frombuffer(first.weights, np.int8).reshape(248, 24)[order].tobytes(),
        np.array(first.bias)[order].tolist(),
        np.array(first.multipliers)[order].tolist(),
        np.array(first.shifts)[order].tolist(),
        -20,
        -20,
    )
    return [picked, *second], rng.integers(-128, 128, (40, 24))


def least_weights(rng):
    """-128, which int16 lanes cannot always hold."""
    weights = rng.choice([-128, -127, 127], (40, 37))
    weights[:8] = rng.integers(-128, 128, (8, 37))
    return one_layer(weights, rng.integers(-999, 999, 40), rng.integers(1 << 30, 1 << 31, 40), 45), rng.choice(
        [-128, 0, 127], (20, 37)
    )


def silent(rng):
    """Every hidden value at its least for hundreds of columns, then one that is not."""
    layers = random_layers(rng, (8, 600, 9))
    layers[0].bias = [-(1 << 22)] * 600
    for alive in (31, 32, 33, 300, 599):
        layers[0].bias[alive] = 1 << 16
    return layers, rng.integers(-128, 128, (10, 8))


def at_the_shorter_bound(rng):
    """The sums reach exactly the last that `cortex-m0` takes, at both ends; one more is plain."""
    weights = rng.integers(-127, 128, (32, 64))
    greatest, least = (np.where(weights * sign > 0, 127, -128) for sign in (1, -1))
    limit = (1 << 23) - (1 << 15)
    bias = limit - 1 - (weights * greatest).sum(1)
    bias[8:16] = (-limit - (weights * least).sum(1))[8:16]
    bias[16] += 1
    bias[24] = -limit - 1 - (weights[24] * least[24]).sum()
    rows = np.concatenate([greatest, least, rng.integers(-128, 128, (8, 64))])
    return one_layer(weights, bias, (1 << 31) - 1, 47, zero=-90), rows


def convolutional(rng):
    """Filters that are no whole block, places whose first and last values lie outside, a dense layer behind."""
    layers = convolutional_layers(rng)
    narrow = random_layers(rng, (60, 15))[0]
    narrow.kind, narrow.channels, narrow.filters, narrow.taps, narrow.stride, narrow.pad = 1, 3, 5, 4, 3, 2
    narrow.inputs, narrow.outputs, narrow.padding = 24, 15, -7
    narrow.weights, narrow.bias = narrow.weights[:60], narrow.bias[:5]
    narrow.multipliers, narrow.shifts = narrow.multipliers[:5], narrow.shifts[:5]
    return [*layers[:1], *random_layers(rng, (layers[0].outputs, 24)), narrow, *random_layers(rng, (15, 40))], (
        rng.integers(-128, 128, (6, 256))
    )


def kinds(rng, names, *, extreme=False):
    """Layers of every kind behind each other, the last one as `names` says; pads, strides and both roundings drawn."""
    layers = drawn_chain(rng, 96, 3, names, extreme=extreme)[:-1]
    for layer in layers:  # as large as the biases of plain rows may be
        layer.bias = [max(min(bias, 1 << 30), -(1 << 30)) for bias in layer.bias]
    return layers, rng.choice([-128, -1, 0, 127], (12, 96)) if extreme else rng.integers(-128, 128, (12, 96))


CASES = {
    "wide": wide,
    "sensor": lambda rng: (random_layers(rng, SENSOR_WIDTHS), rng.integers(-128, 128, (40, 64))),
    "ones": lambda rng: odd(rng, (1, 1, 1)),
    "narrow": lambda rng: odd(rng, (7, 1, 7)),
    "odd": lambda rng: odd(rng, (33, 5, 3, 37, 66)),
    "tail": lambda rng: odd(rng, (100, 36, 8, 100)),
    "all -127": lambda rng: railed(rng, -127),
    "all 127": lambda rng: railed(rng, 127),
    "bound": at_the_bound,
    "shorter bound": at_the_shorter_bound,
    "convolutional": convolutional,
    "kinds": lambda rng: kinds(rng, "cwcddwc"),
    "kinds, dense last": lambda rng: kinds(rng, "wcdcd"),
    "kinds, depthwise last": lambda rng: kinds(rng, "dcw"),
    "kinds at their ends": lambda rng: kinds(rng, "cwcdc", extreme=True),
    "shifts": all_shifts,
    "mixed": mixed_shifts,
    "least": least_weights,
    "silent": silent,
}


def made(name):
    layers, inputs = CASES[name](np.random.default_rng(sorted(CASES).index(name)))
    return layers, inputs.astype(np.int8)
