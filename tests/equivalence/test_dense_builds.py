"""Kernels built for nothing but dense layers give every byte of the NumPy layers, and never look at other layers."""

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest
from drawn_layers import at_their_ends
from emulated_device import run_emulated
from emulated_score import score_emulated
from layer_images import dense

from firmware.bench.inference import EmulatedModel
from firmware.bench.measure import expected, infer
from firmware.bench.reference import SENSOR_WIDTHS, random_layers
from firmware.build import C_FOLDER, find_compiler
from firmware.kernels.cores import CORES, core_named, kernel_named, without_unused
from firmware.kernels.packing import pack_image, pack_layers
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.quantized import arrays
from shared.quantized.targets import TARGET_DSP

PAIRS = [(core.name, name) for core in CORES.values() for name in core.kernels if kernel_named(name).sources]
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")

#: Prints what the image of standard input needs; its bytes end where the allocation ends.
NEEDS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tocsin_device.h"
#include "tocsin_target.h"

int main(void)
{
    static uint8_t given[1 << 20];
    size_t length = fread(given, 1, sizeof given, stdin);
    uint8_t *bytes = malloc(length);
    struct tocsin_image image;
    memcpy(bytes, given, length);
    if (tocsin_image_read(bytes, length, &image) != TOCSIN_OK) {
        return 1;
    }
    printf("%zu %d", tocsin_needs_of(&image).int32s, (int)tocsin_target_check(&image));
    return 0;
}
"""
STATUS_LEFT_OUT = 14


def needs_emulators(core_name):
    for name in ("unicorn", "capstone", "ziglang", "elftools"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install 'tocsin[firmware]'")
    if core_named(core_name).unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")


def models():
    """Name -> layers: one to twelve of them, widths that are no whole block, numbers at their ends."""
    rng = np.random.default_rng(7)
    found = {str(widths): random_layers(rng, widths) for widths in (SENSOR_WIDTHS, (1, 1), (3, 130, 5), (36, 4, 7, 36))}
    found["twelve"] = random_layers(rng, tuple(rng.integers(1, 40, 13).tolist()))
    for layer in found["twelve"][:-1]:
        layer.zero = layer.low = int(rng.integers(-128, 100))
    found["ends"] = [at_their_ends(rng, dense(rng, *widths)) for widths in ((30, 21), (21, 6), (6, 30))]
    for layer in found["ends"]:  # as large as the biases of plain rows may be
        layer.bias = [max(min(bias, 1 << 30), -(1 << 30)) for bias in layer.bias]
    return found


def dense_kernel(name, layers):
    kernel = kernel_named(name)
    plain = sum(layer.plain for layer in pack_layers(layers, kernel.target))
    return without_unused(kernel, plain_rows=plain, dense_only=True)


@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_dense_builds_give_every_byte(core_name, kernel_name):
    needs_emulators(core_name)
    rng = np.random.default_rng(8)
    core = core_named(core_name)
    for name, layers in models().items():
        kernel = dense_kernel(kernel_name, layers)
        inputs = rng.integers(-128, 128, (14, layers[0].inputs)).astype(np.int8)
        inputs[:2] = [[-128], [127]]
        outputs = infer(core, kernel, layers, inputs, count=False).outputs
        np.testing.assert_array_equal(outputs, expected(layers, inputs), err_msg=name)
        if core.unicorn_name is not None:
            model = EmulatedModel(core, kernel, layers)
            for scored in (False, True):
                assert model.needs(scored=scored) == plan_memory(layers, kernel, scored=scored), name


def test_the_models_have_plain_blocks_and_none():
    plain = {name: sum(layer.plain for layer in pack_layers(layers, TARGET_DSP)) for name, layers in models().items()}
    assert plain.pop("ends") > 0
    assert set(plain.values()) == {0}


@pytest.mark.parametrize("kernel_name", ["dsp", "dsp-small"])
def test_dense_builds_score_without_an_output(bench, kernel_name):
    needs_emulators("m4")
    image = bench.images.random(12, channels=11, hidden=(9, 3, 70), extreme=False)
    features = np.random.default_rng(6).integers(-900, 900, (12, 44)).astype(np.int16)
    kernel = dense_kernel(kernel_name, image.layers)
    scores, tops = score_emulated(core_named("m4"), kernel, image, features)
    wanted_scores, wanted_tops = arrays.scores(image, features.astype(np.int64))
    np.testing.assert_array_equal(scores, wanted_scores)
    np.testing.assert_array_equal(tops, wanted_tops)


def test_a_dense_build_refuses_other_layers_unread(bench, tmp_path):
    """What a convolution's record holds is no dense record: neither memory nor layers may be read out of it."""
    source, program = tmp_path / "needs.c", tmp_path / "needs"
    source.write_text(NEEDS)
    command = [
        *(*find_compiler(), "-std=c99", "-O1", *SANITIZERS, f"-DTOCSIN_KERNEL_TARGET={TARGET_DSP}"),
        *("-DTOCSIN_KERNEL_DENSE_ONLY", *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels"))),
        *(str(path) for part in ("src", "generated") for path in sorted((C_FOLDER / part).glob("*.c"))),
        *(str(C_FOLDER / "kernels" / name) for name in ("run.c", "score.c", "dsp.c")),
        *(str(C_FOLDER / "ports" / "fuzz" / "dsp_rows.c"), str(source), "-o", str(program)),
    ]
    if subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300, check=False).returncode:
        pytest.skip("this machine's compiler has no sanitizers: apt install gcc or clang")

    def asked(image):
        sealed = model_image.seal(model_image.encode(image))
        done = subprocess.run([str(program)], input=sealed, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [int(word) for word in done.stdout.split()]

    kinds = ("dd", "cd", "dc", "ccd", "wd", "cdwcwdcd")
    for seed, kind in enumerate(kinds):
        for drawn in range(8 if kind != "dd" else 1):
            image = bench.images.random(100 * seed + drawn, kinds=kind, samples=True, window=32, channels=2)
            for layer in image.layers:  # a weight of -128 would make a row plain
                layer.weights = layer.weights.replace(b"\x80", b"\x81")
            words, status = asked(pack_image(image, TARGET_DSP))
            unpacked_words, unpacked_status = asked(image)
            kernel_bytes = plan_memory(image.layers, kernel_named("dsp-small"), scored=True).total_bytes
            assert unpacked_status == 0
            assert (words - unpacked_words, status) == (
                (kernel_bytes // 4, 0) if kind == "dd" else (0, STATUS_LEFT_OUT)
            )


def test_a_dense_build_runs_as_a_device(bench):
    needs_emulators("m4")
    image = bench.images.random(4, kinds="dd")
    for layer in image.layers:
        layer.weights = layer.weights.replace(b"\x80", b"\x81")
    image = bench.images.finished(image, np.random.default_rng(3))
    times = np.arange(60) * 10**8
    counts = np.random.default_rng(1).normal(0, 1 << 16, (60, len(image.channels))).astype(np.int32)
    wanted = bench.c(image, times, counts, np.zeros(len(counts), bool))
    defines = ("TOCSIN_KERNEL_NO_PLAIN", "TOCSIN_KERNEL_DENSE_ONLY")
    packed = model_image.seal(model_image.encode(pack_image(image, TARGET_DSP)))
    ran = run_emulated("m4", "dsp-small", packed, times, counts, defines=defines)
    assert ran.status == 0
    np.testing.assert_array_equal(ran.scores, wanted.scores)
    assert ran.messages == wanted.messages
