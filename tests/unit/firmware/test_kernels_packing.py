import itertools

import numpy as np
import pytest

from firmware.kernels.packing import TARGETS, PackedModel, PackingError, pack, unpack
from firmware.kernels.plan import plan_memory
from shared.errors import UsageError
from shared.model_image import Layer


def layers_of(seed, widths, weights=(-128, 128), shifts=(1, 63)):
    rng = np.random.default_rng(seed)
    return [
        Layer(
            inputs,
            outputs,
            rng.integers(*weights, (outputs, inputs)).astype(np.int8).tobytes(),
            rng.integers(-(1 << 24), 1 << 24, outputs).tolist(),
            rng.integers(1, 1 << 31, outputs).tolist(),
            rng.integers(*shifts, outputs).tolist(),
            int(rng.integers(-128, 128)),
            int(rng.integers(-128, 128)),
        )
        for inputs, outputs in itertools.pairwise(widths)
    ]


def small(layers):
    """Biases as trained models have them."""
    for layer in layers:
        layer.bias = [bias >> 8 for bias in layer.bias]
    return layers


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("widths", [(1, 1), (3, 9, 2), (40, 130, 17), (16, 600, 5)])
@pytest.mark.parametrize("seed", range(4))
def test_unpacking_gives_back_what_was_packed(target, widths, seed):
    kinds = [{}, {"weights": (-127, 128), "shifts": (33, 63)}]
    layers = layers_of(seed, widths, **kinds[seed % 2])
    if seed > 1:
        small(layers)
    again = unpack(pack(layers, target))
    assert [vars(layer) for layer in again] == [vars(layer) for layer in layers]


@pytest.mark.parametrize("target", TARGETS)
def test_a_packed_layer_is_as_large_as_an_image_says_it(target):
    layers = small(layers_of(1, (64, 32, 64), weights=(-127, 128), shifts=(33, 63)))
    packed = pack(layers, target)
    assert packed.plain_rows == 0
    assert packed.rows == 96
    assert len(packed.content) == 2 * 12 + 2 * 64 * 32 + 96 * 9


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ({}, {}),
        ({"weight": (0, -128)}, {"dsp": 4, "cortex-m0": 8}),
        ({"weight": (1, -128)}, {}),
        ({"bias": (2, 1 << 23)}, {"dsp": 4, "cortex-m0": 8}),
        ({"bias": (2, -(1 << 23) - 1)}, {"dsp": 4, "cortex-m0": 8}),
        ({"bias": (1, 1 << 24)}, {}),
        ({"shift": (0, 24)}, {"dsp": 4, "cortex-m0": 8, "mve": 8}),
        ({"shift": (0, 25)}, {"mve": 8}),
        ({"shift": (1, 32)}, {"dsp": 4, "cortex-m0": 8, "mve": 8}),
        ({"shift": (1, 33)}, {}),
    ],
)
def test_only_rows_out_of_their_bounds_are_plain(change, plain):
    weights = np.zeros((16, 4), np.int8)
    weights[:, 0] = -1
    bias = [0] * 16
    shifts = [40] * 16
    for what, (row, value) in change.items():
        if what == "weight":
            weights[row, 0] = value
        else:
            {"bias": bias, "shift": shifts}[what][row] = value
    layer = Layer(4, 16, weights.tobytes(), bias, [1 << 30] * 16, shifts, 0, -128)
    found = {target: pack([layer], target).plain_rows for target in TARGETS}
    assert {target: rows for target, rows in found.items() if rows} == plain


def test_the_sum_bound_counts_the_worst_values():
    def plain_rows(columns):
        weights = np.full((4, columns), 127, np.int8)
        layer = Layer(columns, 4, weights.tobytes(), [0] * 4, [1 << 30] * 4, [50] * 4, 0, -128)
        return pack([layer], "dsp").plain_rows

    assert plain_rows((1 << 23) // (127 * 128)) == 0
    assert plain_rows((1 << 23) // (127 * 128) + 1) == 4


def test_damaged_packings_are_refused():
    packed = pack(layers_of(2, (5, 6, 7)), "dsp")
    for content in (packed.content[:-1], packed.content + b"\0", packed.content[:6], b""):
        with pytest.raises(PackingError):
            unpack(PackedModel("dsp", content, packed.layers, packed.rows, packed.plain_rows))


def test_an_unknown_target_is_told_those_that_exist():
    with pytest.raises(UsageError, match="portable, cortex-m0, dsp, mve"):
        pack(layers_of(1, (2, 2)), "riscv")


@pytest.mark.parametrize(
    ("target", "lane_bytes", "scored", "total"),
    [
        ("dsp", None, False, 2 * 64 + 2 * 32),
        ("dsp", 1, False, 64 + 32),
        ("dsp", 1, True, 64 + 32),
        ("portable", None, False, 64 + 32),
        ("cortex-m0", None, False, 2 * 64 + 2 * 32),
        ("mve", None, False, 64 + 32),
    ],
)
def test_memory_of_a_sensor_model(target, lane_bytes, scored, total):
    layers = layers_of(1, (64, 32, 8, 32, 64))
    assert plan_memory(layers, target, lane_bytes=lane_bytes, scored=scored).total_bytes == total


def test_a_wide_output_is_not_kept_for_a_score():
    layers = layers_of(1, (8, 16, 400))
    assert plan_memory(layers, "dsp").total_bytes == 400 + 2 * 16
    assert plan_memory(layers, "dsp", scored=True).total_bytes == 16 + 2 * 16
