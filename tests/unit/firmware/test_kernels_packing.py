import copy
import itertools

import numpy as np
import pytest

from firmware.kernels.cores import (
    CORES,
    KERNELS,
    chosen_kernel,
    core_compiled_as,
    core_named,
    kernel_named,
    without_unused,
)
from firmware.kernels.packing import PackingError, pack_image, pack_layers, plain_rows, unpack_layers, unpacked
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.errors import UsageError
from shared.model_image import LAYER_CONVOLUTION, LAYER_DEPTHWISE, ImageContent, Layer, Scaling
from shared.quantized.targets import TARGET_ANY, TARGET_CORTEX_M0, TARGET_DSP, TARGET_LAST, TARGET_MVE

TARGETS = range(1, TARGET_LAST + 1)


def layer_of(rng, inputs, outputs, weights=(-128, 128), shifts=(1, 63), rows=None, columns=None):
    rows, columns = rows or outputs, columns or inputs
    return Layer(
        inputs,
        outputs,
        rng.integers(*weights, (rows, columns)).astype(np.int8).tobytes(),
        rng.integers(-(1 << 24), 1 << 24, rows).tolist(),
        rng.integers(1, 1 << 31, rows).tolist(),
        rng.integers(*shifts, rows).tolist(),
        int(rng.integers(-128, 128)),
        int(rng.integers(-128, 128)),
    )


def layers_of(seed, widths, **limits):
    rng = np.random.default_rng(seed)
    return [layer_of(rng, inputs, outputs, **limits) for inputs, outputs in itertools.pairwise(widths)]


def small(layers):
    """Biases as trained models have them."""
    for layer in layers:
        layer.bias = [bias >> 8 for bias in layer.bias]
    return layers


def convolution_of(rng, channels, positions, filters, taps, kind=LAYER_CONVOLUTION, rounding=0):
    """A convolution at every second position."""
    columns = taps * channels if kind == LAYER_CONVOLUTION else taps
    layer = layer_of(
        rng, channels * positions, -(-positions // 2) * filters, (-127, 128), (33, 60), rows=filters, columns=columns
    )
    layer.kind, layer.channels, layer.filters, layer.taps = kind, channels, filters, taps
    layer.stride, layer.pad, layer.padding, layer.rounding = 2, taps // 2, -3, rounding
    return layer


def mixed_image():
    """Samples, a convolution, a depthwise layer, one that rounds twice, dense layers."""
    rng = np.random.default_rng(4)
    layers = small(
        [
            convolution_of(rng, 2, 32, 5, 3),
            convolution_of(rng, 5, 16, 10, 4, LAYER_DEPTHWISE),
            convolution_of(rng, 10, 8, 4, 3, rounding=1),
            layer_of(rng, 16, 9, (-127, 128), (33, 60)),
            layer_of(rng, 9, 64, (-127, 128), (33, 60)),
        ]
    )
    one = Scaling(0, 1, 1)
    content = ImageContent(3, 0, 0, 32, 1, 1, bytes(8), 1000, [one, one], [], [], [1] * 64, layers, samples=True)
    return model_image.read(model_image.seal(model_image.encode(content)))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("widths", [(1, 1), (3, 9, 2), (40, 130, 17), (16, 600, 5)])
@pytest.mark.parametrize("seed", range(4))
def test_unpacking_gives_back_what_was_packed(target, widths, seed):
    kinds = [{}, {"weights": (-127, 128), "shifts": (33, 63)}]
    layers = layers_of(seed, widths, **kinds[seed % 2])
    if seed > 1:
        small(layers)
    again = unpack_layers(pack_layers(layers, target), target)
    assert [vars(layer) for layer in again] == [vars(layer) for layer in layers]


@pytest.mark.parametrize("target", TARGETS)
def test_images_of_all_kinds_of_layers(target):
    content = mixed_image()
    packed = pack_image(content, target)
    assert packed.target == target
    assert [bool(layer.packed) for layer in packed.layers] == [True, False, False, True, True]
    assert plain_rows(packed) == (0, 5 + 9 + 64)
    sealed = model_image.seal(model_image.encode(packed))
    again = model_image.read(sealed)
    plain = model_image.encode(unpacked(again))
    assert plain == model_image.encode(content)
    assert content.target == TARGET_ANY
    other = TARGET_MVE if target != TARGET_MVE else TARGET_DSP
    assert pack_image(again, other).target == other
    assert model_image.encode(pack_image(again, TARGET_ANY)) == plain


def test_a_recipe_without_layers_has_no_target():
    content = mixed_image()
    content.layers = []
    assert pack_image(content, TARGET_DSP).target == TARGET_ANY


@pytest.mark.parametrize("target", TARGETS)
def test_a_packed_layer_is_as_large_as_an_image_says_it(target):
    layers = small(layers_of(1, (64, 32, 64), weights=(-127, 128), shifts=(33, 63)))
    packed = pack_layers(layers, target)
    assert [layer.plain for layer in packed] == [0, 0]
    assert sum(len(layer.packed) for layer in packed) == 2 * 64 * 32 + 96 * 9


M0, DSP, MVE = TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ({}, set()),
        ({"weight": (0, -128)}, {DSP}),
        ({"weight": (1, -128)}, set()),
        ({"bias": (2, (1 << 23) - 200)}, {M0}),
        ({"bias": (2, 1 << 23)}, {DSP, M0}),
        ({"bias": (2, -(1 << 23) - 1)}, {DSP, M0}),
        ({"bias": (1, (1 << 23) - (1 << 15) - 200)}, set()),
        ({"bias": (1, (1 << 23) - (1 << 15))}, {M0}),
        ({"shift": (0, 24)}, {DSP, M0, MVE}),
        ({"shift": (0, 25)}, {M0, MVE}),
        ({"shift": (1, 32)}, {DSP, M0, MVE}),
        ({"shift": (1, 33)}, set()),
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
    found = {target: pack_layers([layer], target)[0] for target in TARGETS}
    assert {target for target, packed in found.items() if packed.plain} == plain
    assert all(packed.plain <= 1 for packed in found.values())


@pytest.mark.parametrize(("target", "limit"), [(TARGET_DSP, 1 << 23), (TARGET_CORTEX_M0, (1 << 23) - (1 << 15))])
def test_the_sum_bound_counts_the_worst_values(target, limit):
    def plain_blocks(columns):
        weights = np.full((4, columns), 127, np.int8)
        shift = 0 if target == TARGET_DSP else 127 * 128 * columns
        layer = Layer(columns, 4, weights.tobytes(), [-shift] * 4, [1 << 30] * 4, [50] * 4, 0, -128)
        return pack_layers([layer], target)[0].plain

    reach = 127 * 128 if target == TARGET_DSP else 2 * 127 * 128
    assert plain_blocks(limit // reach) == 0
    assert plain_blocks(limit // reach + 1) == 1


def test_plain_rows_are_counted_without_those_that_fill_a_block():
    content = mixed_image()
    content.layers[3].shifts[8] = 20
    for target, rows in ((TARGET_CORTEX_M0, 1), (TARGET_DSP, 1)):
        assert plain_rows(pack_image(content, target)) == (rows, 78)


def test_a_bias_that_no_plain_row_can_hold_is_refused():
    layer = Layer(4, 1, bytes(4), [(1 << 31) - 70_000], [1], [30], 0, -128)
    for target in TARGETS:
        with pytest.raises(PackingError, match=r"a bias in rows 0 to \d is too large"):
            pack_layers([layer], target)


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_packings_are_refused(target):
    content = pack_image(mixed_image(), target)
    for change in (lambda body: body[:-1], lambda body: body + b"\0", lambda _body: b""):
        damaged = copy.deepcopy(content)
        damaged.layers[4].packed = change(damaged.layers[4].packed)
        with pytest.raises(PackingError, match="a packed layer has"):
            unpacked(damaged)


def test_unknown_names_are_told_those_that_exist():
    with pytest.raises(UsageError, match=r"choose one of cortex-m0, .*cortex-m4"):
        core_named("riscv")
    with pytest.raises(UsageError, match="cortex-m0-bytes"):
        kernel_named("riscv")
    assert {core_named(name).name for name in ("cortex-m0plus", "Cortex-M0+", "m0")} == {"m0"}
    assert core_compiled_as("cortex_m33") == CORES["m33"]


def test_what_a_build_takes():
    for core in CORES.values():
        chosen = [chosen_kernel(core), chosen_kernel(core, worst_case=True), chosen_kernel(core, small=True)]
        assert {kernel.target for kernel in chosen} == {core.target}
        assert {kernel.name for kernel in chosen} <= set(core.kernels) <= set(KERNELS)
    with pytest.raises(UsageError, match="exclude each other"):
        chosen_kernel(CORES["m4"], worst_case=True, small=True)
    kernel = without_unused(KERNELS["dsp"], plain_rows=0, dense_only=True)
    assert kernel.all_defines == (
        "TOCSIN_KERNEL_TARGET=2",
        "TOCSIN_KERNEL_WIDE_LANES",
        "TOCSIN_KERNEL_NO_PLAIN",
        "TOCSIN_KERNEL_DENSE_ONLY",
    )
    assert without_unused(KERNELS["dsp"], plain_rows=4, dense_only=False) == KERNELS["dsp"]


@pytest.mark.parametrize(
    ("kernel", "scored", "total"),
    [
        ("dsp", False, 2 * 64 + 2 * 32),
        ("dsp-small", False, 64 + 32),
        ("dsp-small", True, 64 + 32),
        ("cortex-m0", False, 2 * 64 + 2 * 32),
        ("cortex-m0-bytes", False, 64 + 32),
        ("mve", False, 64 + 32),
        ("plain", False, 64 + 64),
    ],
)
def test_memory_of_a_sensor_model(kernel, scored, total):
    layers = layers_of(1, (64, 32, 8, 32, 64))
    assert plan_memory(layers, kernel_named(kernel), scored=scored).total_bytes == total


def test_a_wide_output_is_not_kept_for_a_score():
    layers = layers_of(1, (8, 16, 400))
    assert plan_memory(layers, KERNELS["dsp"]).total_bytes == 400 + 2 * 16
    assert plan_memory(layers, KERNELS["dsp"], scored=True).total_bytes == 16 + 2 * 16


def test_a_convolution_needs_a_place_to_gather():
    layers = mixed_image().layers
    plan = plan_memory(layers, KERNELS["dsp"], scored=True)
    # values: 64, 80 and the rows that fill a block, 80, 16 as lanes, 9 as lanes, scored
    assert plan.first_bytes == 80
    assert plan.second_bytes == 80 + 4
    assert plan.scratch_bytes == 2 * 8
