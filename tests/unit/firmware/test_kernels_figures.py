"""The figures of docs/kernels.md stay reached, and two emulators count the same."""

import importlib.util
import shutil

import numpy as np
import pytest

from firmware.bench.cores import Core, core_named, kernel_named
from firmware.bench.measure import infer, measure
from firmware.bench.reference import SENSOR_WIDTHS, random_layers

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)


@pytest.fixture(scope="module")
def sensor():
    rng = np.random.default_rng(1)
    return random_layers(rng, SENSOR_WIDTHS), rng.integers(-128, 128, (6, SENSOR_WIDTHS[0]), np.int8)


@pytest.mark.parametrize(
    ("core", "kernel", "instructions", "flash", "ram"),
    [
        ("m4", "dsp", 5_700, 7_600, 192),
        ("m4", "dsp-small", 6_150, 7_600, 96),
        ("m4", "dsp-compact", 6_000, 6_700, 192),
        ("m0", "cortex-m0", 20_700, 7_700, 192),
    ],
)
def test_a_sensor_model(sensor, core, kernel, instructions, flash, ram):
    layers, inputs = sensor
    row = measure("sensor", layers, inputs, core, kernel)
    assert 0 < row.instructions_mean <= instructions
    assert row.instructions_mean <= row.instructions_worst
    assert row.code_bytes + row.table_bytes <= flash
    assert row.ram_bytes == ram
    assert 100 < row.stack_bytes < 512
    assert row == measure("sensor", layers, inputs, core, kernel)


def test_two_emulators_count_the_same(sensor):
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    unicorn = core_named("m33")
    qemu = Core("m33 in QEMU", unicorn.compiler_name, None, unicorn.kernels)
    rng = np.random.default_rng(3)
    differences = set()
    for widths in (SENSOR_WIDTHS, (9, 40, 9), (120, 4)):
        layers = random_layers(rng, widths)
        inputs = rng.integers(-128, 128, (3, widths[0]), np.int8)
        for name in ("dsp", "portable"):
            kernel = kernel_named(name)
            counts = [infer(core, kernel, layers, inputs).instructions for core in (qemu, unicorn)]
            differences.update((name, int(value)) for value in counts[0] - counts[1])
    # the call itself, which only QEMU sees
    assert len(differences) == 2
    assert all(0 <= value < 8 for _, value in differences), differences
