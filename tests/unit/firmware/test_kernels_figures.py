"""The figures of docs/kernels.md stay reached, and two emulators count the same."""

import dataclasses
import importlib.util
import shutil

import numpy as np
import pytest
from drawn_images import Images
from emulated_boards import device_of

from firmware.bench.measure import infer, measure
from firmware.bench.program import build_program
from firmware.bench.records import record_bytes
from firmware.bench.reference import SENSOR_WIDTHS, random_layers
from firmware.board_build import BoardOptions, build_board
from firmware.board_kernel import board_model, counted_instructions
from firmware.boards.registry import board_named
from firmware.kernels.cores import CORES, chosen_kernel, core_named, kernel_named

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
        ("m4", "dsp", 5_600, 7_100, 192),
        ("m4", "dsp-small", 6_400, 6_700, 96),
        ("m0", "cortex-m0", 16_500, 7_900, 192),
        ("m0", "cortex-m0-bytes", 18_200, 7_450, 96),
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


@pytest.mark.parametrize("name", ["m4", "m7", "m33"])
def test_a_small_build_of_the_sensor_model_meets_all_its_bounds(sensor, name):
    """The kernel that `tocsin firmware build --small` takes: instructions, flash and memory at once."""
    layers, inputs = sensor
    row = measure("sensor", layers, inputs, name, chosen_kernel(CORES[name], small=True).name)
    assert row.instructions_worst <= 6_600
    assert row.code_bytes + row.table_bytes <= 6_700
    assert row.ram_bytes <= 256


@pytest.mark.parametrize(("small", "instructions", "flash"), [(False, 5_600, 7_100), (True, 6_600, 6_700)])
def test_a_boards_firmware_gets_what_is_measured(sensor, tmp_path, small, instructions, flash):
    """The board's model as `tocsin firmware build` makes it, and the functions in its finished firmware."""
    from elftools.elf.elffile import ELFFile

    layers, inputs = sensor
    image = Images().random(1, channels=16, hidden=SENSOR_WIDTHS[1:-1])
    image.layers = layers
    device = device_of(image)
    options = BoardOptions(small=small)
    model = board_model(board_named("stm32f405"), device.image, device.content, options)
    program = build_program(model.core, model.kernel)
    _, largest = counted_instructions(model)
    row = measure("sensor", layers, inputs, "m4", chosen_kernel(CORES["m4"], small=small).name)
    assert largest == row.instructions_worst <= instructions
    assert program.code_bytes + len(record_bytes(model.content.layers, model.kernel.target)) <= flash
    assert program.data_bytes + model.memory_bytes <= 256
    with build_board(board_named("stm32f405"), tmp_path, device=device, options=options).elf.open("rb") as file:
        sizes = {each.name: each["st_size"] for each in ELFFile(file).get_section_by_name(".symtab").iter_symbols()}
    kernel = sum(sizes[name] for name in program.symbols if name.startswith("tocsin_") and name in sizes)
    assert program.code_bytes - 64 <= kernel <= program.code_bytes + 64, "functions that a score calls in another order"


@pytest.mark.parametrize(
    ("core", "kernel", "instructions", "ram"),
    [
        ("m4", "dsp", 217_000, 1536),
        ("m4", "dsp-small", 276_000, 768),
        ("m33", "dsp", 217_000, 1536),
        ("m0", "cortex-m0-bytes", 677_000, 768),
    ],
)
def test_a_model_as_large_as_the_anomaly_model(core, kernel, instructions, ram):
    """These kernels take the same time for any weights and values: drawn ones will do."""
    rng = np.random.default_rng(2)
    widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    row = measure("large", random_layers(rng, widths), rng.integers(-128, 128, (1, 640), np.int8), core, kernel)
    assert 0 < row.instructions_mean == row.instructions_worst <= instructions
    assert row.ram_bytes == ram


def test_two_emulators_count_the_same(sensor):
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    unicorn = core_named("m33")
    qemu = dataclasses.replace(unicorn, name="m33 in QEMU", unicorn_name=None)
    rng = np.random.default_rng(3)
    differences = set()
    for widths in (SENSOR_WIDTHS, (9, 40, 9), (120, 4)):
        layers = random_layers(rng, widths)
        inputs = rng.integers(-128, 128, (3, widths[0]), np.int8)
        for name in ("dsp", "plain"):
            kernel = kernel_named(name)
            counts = [infer(core, kernel, layers, inputs).instructions for core in (qemu, unicorn)]
            differences.update((name, int(value)) for value in counts[0] - counts[1])
    # the call itself, which only QEMU sees
    assert len(differences) == 2
    assert all(0 <= value < 8 for _, value in differences), differences


@pytest.mark.parametrize("name", ["m0", "m3", "m4"])
def test_a_build_takes_the_kernel_with_the_least_instructions_or_memory(sensor, name):
    core = CORES[name]
    layers, inputs = sensor
    kernels = [kernel for kernel in core.kernels if kernel_named(kernel).target == core.target]
    rows = {kernel: measure("sensor", layers, inputs, name, kernel) for kernel in kernels}
    fast, steady, small = (
        chosen_kernel(core, worst_case=worst_case, small=small).name
        for worst_case, small in ((False, False), (True, False), (False, True))
    )
    assert fast == min(kernels, key=lambda kernel: rows[kernel].instructions_mean)
    assert steady == min(kernels, key=lambda kernel: rows[kernel].instructions_worst)
    assert small == min(kernels, key=lambda kernel: rows[kernel].code_bytes + rows[kernel].ram_bytes)
