"""Whole devices with packed images: what a kernel computes, on this machine and on emulated cores, are the same bytes.

The golden vector, which holds the output of the model, is checked by each of these devices as it starts.
"""

import importlib.util
import shutil

import numpy as np
import pytest
from emulated_device import run_emulated
from layer_images import convolution
from packed_host import SANITIZERS, build_packed

from firmware.c_program import run_device, sample_stream
from firmware.errors import FirmwareError
from firmware.kernels.cores import kernel_named
from firmware.kernels.packing import pack_image, plain_rows
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.messages import compact
from shared.quantized.targets import TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE
from shared.signal.definition import KIND_FAST

CORES = [
    ("m0", "cortex-m0"),
    ("m0", "cortex-m0-bytes"),
    ("m3", "cortex-m0"),
    ("m4", "dsp"),
    ("m4", "dsp-small"),
    ("m7", "dsp"),
    ("m33", "dsp"),
    ("m55", "mve"),
]
#: What the model reads and its layers; the last layer is dense, but where the name says else.
MODELS = {
    "features": {"kinds": "dd"},
    "features, fast": {"kinds": "d", "kind": KIND_FAST, "window": 64, "hop": 64, "bands": 5},
    "samples": {"kinds": "cwd", "samples": True, "window": 32, "channels": 2},
    "samples, fast": {"kinds": "ccd", "samples": True, "kind": KIND_FAST, "window": 64, "hop": 40, "bands": 2},
    "one row": {"kinds": "", "samples": True, "window": 1, "channels": 37},
    "every kind": {"kinds": "cdwcwdcd", "samples": True, "window": 64},
    "plain rows": {"kinds": "cd", "samples": True, "window": 16, "extreme": True},
}
#: Models whose last layer is a convolution: its output is kept.
OPEN_ENDED = ("convolution last",)
STATUS_TARGET, STATUS_UNALIGNED, STATUS_LEFT_OUT, STATUS_GOLDEN = 12, 13, 14, 15


def model(bench, name):
    rng = np.random.default_rng(3)
    image = bench.images.random(4, **MODELS.get(name, MODELS["samples"]))
    if name in OPEN_ENDED:
        wide = convolution(rng, 64, 2, filters=6, taps=5, stride=1, pad=2)
        wide.outputs = 32 * 6
        narrow = convolution(rng, wide.outputs, 6, filters=2, taps=3, stride=1, pad=1)
        narrow.outputs = 32 * 2
        image.layers = [wide, narrow]
    for layer in image.layers:
        if name == "plain rows":  # biases as large as those of every target may be
            layer.bias = [max(min(bias, 1 << 30), -(1 << 30)) for bias in layer.bias]
        else:  # a weight of -128 would make a row plain
            layer.weights = layer.weights.replace(b"\x80", b"\x81")
    return bench.images.finished(image, rng)


def recording(image, readings, seed=1):
    rows = readings if image.kind == 0 else image.window + image.hop * (readings - 1)
    rng = np.random.default_rng(seed)
    counts = rng.normal(0, 1 << 16, (rows, len(image.channels))).astype(np.int32)
    counts[rng.random(counts.shape) < 0.02] = -(2**31)
    return np.arange(rows) * 10**8, counts


def sealed(image):
    return model_image.seal(model_image.encode(image))


@pytest.fixture(scope="module")
def packed_programs(tmp_path_factory):
    """Name -> the host program with the kernel of dsp: lanes of int16, int8 values, and under sanitizers."""
    folder = tmp_path_factory.mktemp("packed")
    programs = {"lanes": build_packed(folder, defines=["TOCSIN_KERNEL_WIDE_LANES"]), "bytes": build_packed(folder)}
    programs["checked"] = build_packed(folder, defines=["TOCSIN_KERNEL_WIDE_LANES"], flags=SANITIZERS)
    return programs


def needs_core(core):
    for name in ("unicorn", "capstone", "ziglang", "elftools"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install 'tocsin[firmware]'")
    if core == "m55" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")


@pytest.mark.parametrize("form", ["lanes", "bytes", "checked"])
@pytest.mark.parametrize("name", [*MODELS, *OPEN_ENDED])
def test_on_this_machine(bench, packed_programs, form, name):
    if packed_programs[form] is None:
        pytest.skip("this machine's compiler has no sanitizers")
    image = model(bench, name)
    times, counts = recording(image, 130)
    wanted = bench.c(image, times, counts, np.zeros(len(counts), bool))
    messages, trace = run_device(
        packed_programs[form],
        sealed(pack_image(image, TARGET_DSP)),
        "press-7",
        3,
        sample_stream(image.kind, times, counts),
        features=len(image.features),
        inputs=image.inputs,
    )
    assert (wanted.scores != compact.NO_SCORE).sum() >= 60
    np.testing.assert_array_equal(trace.scores, wanted.scores)
    np.testing.assert_array_equal(trace.tops, wanted.tops)
    np.testing.assert_array_equal(trace.features, wanted.features)
    assert messages == wanted.messages
    if name in OPEN_ENDED:
        np.testing.assert_array_equal(trace.outputs, wanted.outputs)


@pytest.mark.parametrize(("core", "kernel"), CORES)
def test_on_emulated_cores(bench, core, kernel):
    needs_core(core)
    target = kernel_named(kernel).target
    for name in (*MODELS, *OPEN_ENDED):
        image = model(bench, name)
        times, counts = recording(image, 70)
        wanted = bench.c(image, times, counts, np.zeros(len(counts), bool))
        for packed in (pack_image(image, target), image):
            ran = run_emulated(core, kernel, sealed(packed), times, counts)
            assert ran.status == 0, name
            np.testing.assert_array_equal(ran.scores, wanted.scores, err_msg=name)
            np.testing.assert_array_equal(ran.tops, wanted.tops, err_msg=name)
            assert ran.messages == wanted.messages
            bytes_of_kernel = plan_memory(image.layers, kernel_named(kernel), scored=True).total_bytes
            int64s, int32s, int16s, _ = ran.needs
            rolling = image.kind == 0 and not image.samples
            parts = image.samples and image.window > 1
            channels = len(image.channels)
            assert int64s == 16 + (channels if rolling or parts else 0)
            own = image.window if image.kind else channels * (18 if rolling else 16)
            assert int32s == 16 + own + (bytes_of_kernel // 4 if packed.target else 0)
            assert int16s == 16 + channels + len(image.features) * (17 if image.kind else 1) + (
                channels * image.window * (2 if image.kind and image.samples else 1)
            )


def test_the_models_reach_what_they_are_for(bench):
    found = {name: plain_rows(pack_image(model(bench, name), TARGET_DSP)) for name in (*MODELS, *OPEN_ENDED)}
    assert not any(plain for name, (plain, _) in found.items() if name != "plain rows")
    assert found["plain rows"][0] > found["plain rows"][1] / 2


def test_a_golden_vector_that_another_build_made_is_refused(bench):
    needs_core("m4")
    for name in ("samples", "convolution last"):
        for change in ("golden_score", "golden_output"):
            image = model(bench, name)
            if change == "golden_score":
                image.golden_score += 1
            else:
                image.golden_output[3] ^= 1
            ran = run_emulated("m4", "dsp", sealed(pack_image(image, TARGET_DSP)), *recording(image, 3))
            assert ran.status == STATUS_GOLDEN


def test_an_image_for_another_processor_is_refused(bench, packed_programs):
    image = model(bench, "samples")
    times, counts = recording(image, 3)
    stream = sample_stream(image.kind, times, counts)
    for program, targets in (
        (bench.programs["cc"], (TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE)),
        (packed_programs["lanes"], (TARGET_CORTEX_M0, TARGET_MVE)),
    ):
        for target in targets:
            with pytest.raises(FirmwareError, match="packed for another processor"):
                run_device(program, sealed(pack_image(image, target)), "press-7", 3, stream, features=0)
    needs_core("m4")
    assert run_emulated("m4", "dsp", sealed(pack_image(image, TARGET_MVE)), times, counts).status == STATUS_TARGET


def test_a_packed_image_off_a_word_is_refused(bench):
    needs_core("m4")
    image = model(bench, "features")
    times, counts = recording(image, 10)
    packed = sealed(pack_image(image, TARGET_DSP))
    for offset in (1, 2, 3):
        assert run_emulated("m4", "dsp", packed, times, counts, offset=offset).status == STATUS_UNALIGNED
        assert run_emulated("m4", "dsp", sealed(image), times, counts, offset=offset).status == 0


def test_a_build_refuses_what_it_was_built_without(bench, tmp_path):
    times, counts = recording(model(bench, "features"), 9)
    stream = sample_stream(0, times, counts)
    small = build_packed(tmp_path, defines=["TOCSIN_KERNEL_NO_PLAIN"])
    dense = build_packed(tmp_path, defines=["TOCSIN_KERNEL_DENSE_ONLY"])
    features = model(bench, "features")
    for program in (small, dense):
        run_device(program, sealed(pack_image(features, TARGET_DSP)), "press-7", 3, stream, features=12)
    for program, name in ((small, "plain rows"), (dense, "samples"), (dense, "convolution last")):
        image = pack_image(model(bench, name), TARGET_DSP)
        given = sample_stream(image.kind, *recording(image, 9))
        with pytest.raises(FirmwareError, match="was built without"):
            run_device(program, sealed(image), "press-7", 3, given, features=0)
        unpacked = model(bench, name)
        run_device(program, sealed(unpacked), "press-7", 3, given, features=0, inputs=unpacked.inputs)
