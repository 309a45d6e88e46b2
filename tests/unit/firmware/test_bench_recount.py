"""Every row of the committed result of `make bench-firmware` that this machine can measure is counted again."""

import dataclasses
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from firmware.bench import report
from firmware.bench.feature_rows import FEATURES, feature_inputs, measure_features
from firmware.bench.measure import measure_kernel
from firmware.bench.models import ANOMALY_MODEL, BEARING_FILE, bench_models
from firmware.bench.rows import MEASURED, OWN, read_rows
from firmware.bench.sample_rows import WINDOWS, measure_windows
from firmware.kernels.cores import KERNELS, core_named, kernel_named

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
OURS = [
    row
    for row in read_rows(report.RESULT)
    if row.source == MEASURED and row.engine.startswith(OWN) and row.instructions_mean is not None
]
SIZES = ("code_bytes", "table_bytes", "ram_bytes", "stack_bytes")


def named(row):
    return f"{row.model}, {row.core}, {row.variant}"


@pytest.fixture(scope="module")
def models():
    folder = os.environ.get("TOCSIN_DATASETS")
    return {model.name: model for model in bench_models(Path(folder) if folder else None)[0]}


def same_figures(found, committed, names):
    """To the last instruction and byte where the compiler is the same, else within one per cent."""
    same_compiler = committed.engine == f"{OWN}, ziglang {importlib.metadata.version('ziglang')}"
    for name in names:
        wanted = getattr(committed, name)
        assert wanted is not None, name
        assert getattr(found, name) == (wanted if same_compiler else pytest.approx(wanted, rel=0.01)), name


@pytest.mark.parametrize("committed", [row for row in OURS if row.variant in KERNELS], ids=named)
def test_a_kernel(models, committed):
    core, kernel = core_named(committed.core), kernel_named(committed.variant)
    if committed.model == ANOMALY_MODEL and ANOMALY_MODEL not in models:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder with mlperf_tiny_ad")
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    model = models[committed.model]
    is_kernel = bool(kernel.sources)
    # the plain loops take long and their largest number is only what was seen: their first input tells enough
    inputs = model.inputs if is_kernel else model.inputs[:1]
    found = measure_kernel(model.name, model.layers, inputs, core, kernel)
    names = [*SIZES, "instructions_worst"] if is_kernel else [*SIZES]
    if model.inputs_name == committed.inputs:
        names += ["instructions_first", "instructions_mean"] if is_kernel else ["instructions_first"]
    same_figures(found, committed, names)


@pytest.mark.parametrize("committed", [row for row in OURS if row.model in (*FEATURES, *WINDOWS)], ids=named)
def test_features(committed):
    folder = os.environ.get("TOCSIN_DATASETS")
    bearing = Path(folder) / BEARING_FILE if folder else None
    inputs, name = feature_inputs(bearing if bearing is not None and bearing.is_file() else None)
    measure = measure_features if committed.model in FEATURES else measure_windows
    found = measure(committed.model, core_named(committed.core), committed.variant, inputs[:1], committed.engine, name)
    names = [*SIZES, "instructions_worst"]
    if name == committed.inputs:
        names.append("instructions_first")
    same_figures(found, committed, names)


def test_every_kernel_of_every_core_is_counted():
    """No row falls out of this file because the result lacks it."""
    counted = {(row.core, row.variant) for row in OURS if row.variant in KERNELS}
    cores = {row.core for row in OURS}
    assert counted == {(core, kernel) for core in cores for kernel in core_named(core).kernels}
    for model in (*FEATURES, *WINDOWS):
        assert {row.core for row in OURS if row.model == model} == {"m0", "m3", "m4", "m7", "m33"}


def test_another_figure_is_noticed():
    row = next(row for row in OURS if row.variant == "dsp")
    for name in (*SIZES, "instructions_first"):
        other = dataclasses.replace(row, **{name: getattr(row, name) + 1})
        with pytest.raises(AssertionError, match=name):
            same_figures(other, row, [name])
        elsewhere = dataclasses.replace(row, engine=f"{OWN}, ziglang of another day")
        same_figures(row, elsewhere, [name])
        with pytest.raises(AssertionError, match=name):
            same_figures(dataclasses.replace(row, **{name: 2 * getattr(row, name)}), elsewhere, [name])
