"""Packed kernels on emulated cores give every byte of the NumPy layers at the ends of what they were proven for."""

import dataclasses
import importlib.util
import shutil
import sys

import numpy as np
import pytest
from batched_kernels import batched_outputs
from emulated_score import score_emulated
from kernel_cases import CASES, made
from layer_images import layered_image

from firmware.bench.inference import EmulatedModel
from firmware.bench.measure import expected
from firmware.bench.program import build_program
from firmware.bench.run import MachineError
from firmware.errors import CompilerError
from firmware.kernels.cores import CORES, core_named, kernel_named
from firmware.kernels.packing import pack_layers
from firmware.kernels.plan import plan_memory
from shared.quantized import arrays
from shared.quantized.targets import TARGET_CORTEX_M0, TARGET_DSP

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)

PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels]


def needs_qemu(core):
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")


@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_every_byte_is_the_same(core_name, kernel_name):
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    needs_qemu(core)
    for name in CASES:
        layers, inputs = made(name)
        outputs = batched_outputs(core, kernel, layers, inputs)
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
