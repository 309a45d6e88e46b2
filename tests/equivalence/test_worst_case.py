"""No input takes more instructions than the number that is printed as the largest, and some input takes as many."""

import importlib.util
import itertools
import shutil

import numpy as np
import pytest
from drawn_layers import drawn_chain

from firmware.bench.measure import expected, infer, measure
from firmware.bench.reference import random_layers
from firmware.kernels.cores import core_named, kernel_named, without_unused
from firmware.kernels.packing import has_plain_loops, pack_layers
from shared.model_image import Layer
from shared.quantized.targets import TARGET_CORTEX_M0

LISTS = [("m0", "cortex-m0"), ("m3", "cortex-m0")]
STEADY = [
    *((core, kernel) for core in ("m0", "m3") for kernel in ("cortex-m0-bytes", "cortex-m0-small")),
    *((core, kernel) for core in ("m4", "m7", "m33") for kernel in ("dsp", "dsp-bytes", "dsp-small")),
    ("m55", "mve"),
]
#: Inputs of a copying layer whose outputs are its low, between, and above 127 before they are limited.
SILENT, BETWEEN, ABOVE = -128, -126, 127


@pytest.fixture(autouse=True)
def emulators():
    for name in ("unicorn", "capstone", "ziglang", "elftools"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install 'tocsin[firmware]'")


def copying(inputs, outputs, low=-128):
    """Output i is low where input i (of those that there are) is -128, above 127 where it is 127."""
    weights = np.zeros((outputs, inputs), np.int64)
    weights[np.arange(outputs), np.arange(outputs) % inputs] = 127
    # 127 * (x + 128) / 40, less 128
    bias = (128 * weights.sum(1)).tolist()
    scales = [int(0.8 * (1 << 31))] * outputs, [36] * outputs
    return Layer(inputs, outputs, weights.astype(np.int8).tobytes(), bias, *scales, low, low)


def copies(*widths, low=-128):
    return [copying(inputs, outputs, low) for inputs, outputs in itertools.pairwise(widths)]


def largest(layers, inputs, core, kernel):
    """What is printed as the largest number, after every byte was compared."""
    return measure("worst", layers, inputs[:1], core, kernel).instructions_worst


def counted(layers, inputs, core_name, kernel_name):
    kernel = without_unused(kernel_named(kernel_name), plain_rows=0, dense_only=True)  # as `measure` builds it
    run = infer(core_named(core_name), kernel, layers, inputs)
    np.testing.assert_array_equal(run.outputs, expected(layers, inputs))
    return run.instructions


@pytest.mark.parametrize(("core", "kernel"), LISTS)
def test_every_pattern_of_hidden_values(core, kernel):
    """Silent, between and above, in every order; nothing but the last in all places takes the largest number."""
    layers = copies(6, 6, 6, 9)
    inputs = np.array(list(itertools.product((SILENT, BETWEEN, ABOVE), repeat=6)), np.int8)
    hidden = expected(layers[:1], inputs)
    assert {tuple(np.unique(hidden, return_counts=True)[0])} == {(-128, -122, 127)}
    found = counted(layers, inputs, core, kernel)
    assert found.max() == found[-1] == largest(layers, inputs, core, kernel)
    assert np.flatnonzero(found == found[-1]).tolist() == [len(inputs) - 1]


@pytest.mark.parametrize(("core", "kernel"), LISTS)
@pytest.mark.parametrize("widths", [(75, 75, 40, 1), (64, 64, 33, 70), (1, 1, 1, 1), (31, 31, 31), (32, 32, 8)])
def test_long_runs_of_silent_values(core, kernel, widths):
    """The 32nd silent value of a run is kept: it costs more than any other value, its run less."""
    layers = copies(*widths)
    rng = np.random.default_rng(4)
    inputs = np.full((120, widths[0]), SILENT, np.int8)
    for place, row in enumerate(inputs[1:-1]):
        run = int(rng.integers(28, 36)) if place % 2 else widths[0]
        loud = np.arange(place // 2 % 36, widths[0], run + 1)
        row[loud] = rng.choice([BETWEEN, ABOVE], len(loud))
    inputs[-1] = ABOVE
    found = counted(layers, inputs, core, kernel)
    assert found.max() == found[-1] == largest(layers, inputs, core, kernel)
    assert (found[(inputs != ABOVE).any(axis=1)] < found[-1]).all()


@pytest.mark.parametrize(("core", "kernel"), LISTS)
def test_drawn_models(core, kernel):
    rng = np.random.default_rng(9)
    for widths in ((5, 1, 9), (64, 32, 8, 32, 64), (8, 200, 9), (40, 7, 130, 3)):
        layers = random_layers(rng, widths)
        for layer in layers[:-1]:
            layer.zero = layer.low = int(rng.integers(-128, 128))
        inputs = rng.choice([-128, -20, 20, 127], (30, widths[0])).astype(np.int8)
        assert counted(layers, inputs, core, kernel).max() <= largest(layers, inputs, core, kernel)


@pytest.mark.parametrize(("core", "kernel"), STEADY)
def test_steady_kernels_take_one_number(core, kernel):
    if core_named(core).unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    rng = np.random.default_rng(5)
    for low in (-128, 0):
        layers = copies(37, 20, 5, 37, low=low)
        inputs = rng.choice([SILENT, BETWEEN, ABOVE], (12, 37)).astype(np.int8)
        inputs[:2] = [[SILENT], [ABOVE]]
        found = counted(layers, inputs, core, kernel)
        assert set(found.tolist()) == {largest(layers, inputs, core, kernel)}


def test_loops_of_c_have_no_largest_number():
    rng = np.random.default_rng(6)
    dense = pack_layers(copies(9, 9), TARGET_CORTEX_M0)
    assert not has_plain_loops(dense)
    assert has_plain_loops(pack_layers(drawn_chain(rng, 32, 2, "wd")[:1], TARGET_CORTEX_M0))
    steep = copies(9, 9)
    steep[0].shifts[4] = 20
    assert has_plain_loops(pack_layers(steep, TARGET_CORTEX_M0))
