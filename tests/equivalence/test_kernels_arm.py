"""Packed kernels on emulated cores give every byte of the NumPy layers, for random, extreme and real models."""

import dataclasses
import importlib.util
import shutil
import sys

import numpy as np
import pytest
from drawn_layers import drawn_chain
from layer_images import layered_image

from firmware.bench.inference import EmulatedModel
from firmware.bench.measure import expected, infer
from firmware.bench.program import build_program
from firmware.bench.reference import SENSOR_WIDTHS, anomaly_model, convolutional_layers, random_layers
from firmware.bench.run import MachineError
from firmware.bench.scoring import score_emulated
from firmware.errors import CompilerError
from firmware.kernels.cores import CORES, core_named, kernel_named
from firmware.kernels.packing import pack_layers
from firmware.kernels.plan import plan_memory
from shared.model_image import Layer
from shared.quantized import arrays
from shared.quantized.targets import TARGET_CORTEX_M0, TARGET_DSP

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)

PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels]


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


def needs_qemu(core):
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")


@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_every_byte_is_the_same(core_name, kernel_name):
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    needs_qemu(core)
    for name in CASES:
        layers, inputs = made(name)
        outputs = infer(core, kernel, layers, inputs, count=False).outputs
        np.testing.assert_array_equal(outputs, expected(layers, inputs), err_msg=name)


def test_the_cases_reach_what_they_are_for():
    plain = {
        target: {name: sum(layer.plain for layer in pack_layers(made(name)[0], target)) for name in CASES}
        for target in (TARGET_CORTEX_M0, TARGET_DSP)
    }
    assert plain[TARGET_DSP]["bound"] == plain[TARGET_CORTEX_M0]["shorter bound"] == 2
    assert plain[TARGET_DSP]["least"] > 0
    assert plain[TARGET_CORTEX_M0]["least"] == 0
    assert plain[TARGET_DSP]["shifts"] == 2 * plain[TARGET_CORTEX_M0]["shifts"] == 32
    for found in plain.values():
        assert found["silent"] == found["wide"] == found["sensor"] == found["odd"] == found["convolutional"] == 0
    total = sum(expected(*made(name)).size for name in CASES)
    assert total * len(PAIRS) >= 1_000_000


@pytest.mark.parametrize(
    ("core_name", "kernel_name"), [("m0", "cortex-m0"), ("m0", "cortex-m0-bytes"), ("m4", "dsp"), ("m55", "mve")]
)
def test_real_windows(core_name, kernel_name, datasets):
    core = core_named(core_name)
    needs_qemu(core)
    model, windows = anomaly_model(datasets / "mlperf_tiny_ad")
    run = infer(core, kernel_named(kernel_name), model.layers, windows, count=False)
    np.testing.assert_array_equal(run.outputs, expected(model.layers, windows))


@pytest.mark.parametrize(
    ("core_name", "kernel_name"), [("m0", "cortex-m0"), ("m0", "cortex-m0-bytes"), ("m4", "dsp"), ("m4", "dsp-small")]
)
def test_the_plan_is_what_the_kernel_says(core_name, kernel_name):
    for name in CASES:
        layers, _ = made(name)
        model = EmulatedModel(core_named(core_name), kernel_named(kernel_name), layers)
        for scored in (False, True):
            plan = plan_memory(layers, kernel_named(kernel_name), scored=scored)
            assert model.needs(scored=scored) == plan, (name, scored)


@pytest.mark.parametrize(
    ("core_name", "kernel_name"), [("m4", "dsp"), ("m4", "dsp-small"), ("m0", "cortex-m0"), ("m3", "cortex-m0-bytes")]
)
@pytest.mark.parametrize("extreme", [False, True])
def test_scores_without_an_output(bench, core_name, kernel_name, extreme):
    image = bench.images.random(11 + extreme, channels=11, hidden=(9, 3, 70), extreme=extreme)
    rng = np.random.default_rng(5)
    features = rng.integers(-32768 if extreme else -900, 32768 if extreme else 900, (12, 44)).astype(np.int16)
    scores, tops = score_emulated(core_named(core_name), kernel_named(kernel_name), image, features)
    wanted_scores, wanted_tops = arrays.scores(image, features.astype(np.int64))
    np.testing.assert_array_equal(scores, wanted_scores)
    np.testing.assert_array_equal(tops, wanted_tops)


@pytest.mark.parametrize("define", ["TOCSIN_WINDOW_LIMIT=32", "TOCSIN_KERNEL_DENSE_ONLY", "TOCSIN_KERNEL_NO_PLAIN"])
def test_a_build_refuses_what_it_was_built_without(define):
    image = layered_image(5, kind=1, window=64, hop=64, bands=2)
    image.layers[4].shifts[0] = 20
    inputs = np.zeros((1, image.inputs), np.int16)
    kernel = kernel_named("dsp")
    less = dataclasses.replace(kernel, defines=(*kernel.defines, define))
    assert score_emulated(core_named("m4"), kernel, image, inputs)[0].shape == (1,)
    with pytest.raises(MachineError, match="the image was refused on m4 with status"):
        score_emulated(core_named("m4"), less, image, inputs)


def test_dense_kernels_take_the_same_time_for_every_input():
    layers, _ = made("tail")
    rng = np.random.default_rng(2)
    inputs = np.concatenate([np.full((1, 100), -128), np.full((1, 100), 127), rng.integers(-128, 128, (6, 100))])
    pairs = [("m4", "dsp"), ("m4", "dsp-bytes"), ("m4", "dsp-small")]
    pairs += [(core, kernel) for core in ("m0", "m3") for kernel in ("cortex-m0-bytes", "cortex-m0-small")]
    for core, kernel in pairs:
        run = infer(core_named(core), kernel_named(kernel), layers, inputs.astype(np.int8))
        assert len(set(run.instructions.tolist())) == 1
        assert run.instructions[0] > 0


@pytest.mark.parametrize("core_name", ["m0", "m3", "m4", "m7", "m33"])
def test_no_vector_instruction_where_there_is_no_vector_unit(core_name):
    import capstone

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    core = core_named(core_name)
    for name in core.kernels:
        program = build_program(core, kernel_named(name))
        found = [
            (size, mnemonic)
            for part in program.instructions
            for _, size, mnemonic, _ in decoder.disasm_lite(part.content, part.address)
        ]
        assert sum(size for size, _ in found) == sum(len(part.content) for part in program.instructions)
        assert sum(size for size, _ in found) > 0.9 * program.code_bytes
        seen = [mnemonic for _, mnemonic in found]
        assert not [mnemonic for mnemonic in seen if mnemonic.startswith("v")]


def test_another_core_refuses_the_vector_kernel():
    with pytest.raises(CompilerError, match="MVE"):
        build_program(core_named("m4"), kernel_named("mve"))


def test_a_build_gives_the_same_bytes_twice():
    build = build_program.__wrapped__
    core, kernel = core_named("m4"), kernel_named("dsp")
    assert build(core, kernel) == build(core, kernel)
    assert sys.modules["firmware.bench.program"].build_program(core, kernel) == build(core, kernel)
