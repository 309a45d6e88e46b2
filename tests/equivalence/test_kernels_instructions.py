"""The largest number of instructions printed for a measured model holds for every input tried, on every core."""

import importlib.util
import shutil

import numpy as np
import pytest

from firmware.bench.measure import built_for, infer, worst_case
from firmware.bench.models import convolutional_model, sensor_model
from firmware.bench.reference import anomaly_model
from firmware.kernels.cores import CORES, core_named, kernel_named

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
#: Kernels that leave values out: their time depends on the input.
LISTS = ("cortex-m0",)
PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels if kernel != "plain"]


def hostile(layers, rng, rows):
    """Inputs that wake the first layer's rows one by one and together, ends, and drawn ones, (inputs, width) int8."""
    first = layers[0]
    width = first.inputs
    found = [np.full(width, end) for end in (-128, -127, 0, 127)]
    if first.inputs == first.columns:
        weights = np.frombuffer(first.weights, np.int8).reshape(first.rows, first.columns).astype(np.int64)
        aims = [weights.sum(axis=0), *weights[: rows // 4]]
        found += [np.where(aim * sign > 0, 127, -128) for aim in aims for sign in (1, -1)]
    found += [rng.choice([-128, 127], width) for _ in range(rows // 4)]
    found += [rng.integers(-128, 128, width) for _ in range(rows)]
    return np.array(found, np.int8)


def climbed(core, kernel, layers, rng, rounds=12, width=12):
    """Instructions of inputs that are changed, a few values at a time, to take more and more of them."""
    best, counts = rng.integers(-128, 128, layers[0].inputs).astype(np.int8), []
    for _ in range(rounds):
        tried = np.repeat(best[None], width, axis=0)
        places = rng.integers(0, tried.shape[1], (width, 1 + tried.shape[1] // 16))
        np.put_along_axis(tried, places, rng.choice([-128, 0, 127], places.shape).astype(np.int8), axis=1)
        tried[0] = best
        found = infer(core, kernel, layers, tried).instructions
        best = tried[int(found.argmax())]
        counts += found.tolist()
    return counts


def never_more(core_name, kernel_name, layers, inputs):
    """At most the printed number, and exactly this where the kernel takes no shortcuts; the counts."""
    core = core_named(core_name)
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    kernel = built_for(kernel_named(kernel_name), layers)
    worst = worst_case(core, kernel, layers)
    counts = infer(core, kernel, layers, inputs).instructions
    if kernel_name in LISTS:
        assert len(set(counts.tolist())) > 1
        assert counts.max() <= worst
    else:
        assert set(counts.tolist()) == {worst}
    return counts


@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_a_sensors_model(core_name, kernel_name):
    layers, rng = sensor_model(None).layers, np.random.default_rng(8)
    counts = never_more(core_name, kernel_name, layers, hostile(layers, rng, 30))
    if kernel_name in LISTS:
        core, kernel = core_named(core_name), built_for(kernel_named(kernel_name), layers)
        found = climbed(core, kernel, layers, rng)
        assert counts.max() < max(found) <= worst_case(core, kernel, layers)


@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_the_convolutional_model(core_name, kernel_name):
    layers = convolutional_model(None).layers
    never_more(core_name, kernel_name, layers, hostile(layers, np.random.default_rng(9), 2))


@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_the_model_of_mlperf_tiny(core_name, kernel_name, datasets):
    model, windows = anomaly_model(datasets / "mlperf_tiny_ad")
    inputs = np.concatenate([windows[::40], hostile(model.layers, np.random.default_rng(10), 4)])
    never_more(core_name, kernel_name, model.layers, inputs)
