"""Windows of real recordings: every kernel on every core gives every byte of NumPy, the portable C and LiteRT."""

import importlib.util
import shutil

import numpy as np
import pytest
from batched_kernels import PortableLayers, batched_outputs
from recorded_windows import recorded

from firmware.build import find_compiler, packaged_compiler
from firmware.errors import CompilerError
from firmware.kernels.cores import CORES, core_named, kernel_named

PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels]


def test_the_recordings_differ_from_window_to_window(datasets):
    for name, (_, inputs, outputs) in recorded(datasets).items():
        assert len(inputs) > 75, name
        assert len(np.unique(outputs, axis=0)) > 0.9 * len(outputs), name


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_recorded_windows_on_a_core(core_name, kernel_name, datasets):
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    for name, (layers, inputs, outputs) in recorded(datasets).items():
        np.testing.assert_array_equal(batched_outputs(core, kernel, layers, inputs), outputs, err_msg=name)


@pytest.mark.parametrize("find", [find_compiler, packaged_compiler], ids=["cc", "zig"])
def test_recorded_windows_in_portable_c(tmp_path, datasets, find):
    try:
        library = PortableLayers(find(), tmp_path)
    except CompilerError as error:
        pytest.skip(str(error))
    for name, (layers, inputs, outputs) in recorded(datasets).items():
        np.testing.assert_array_equal(library.outputs(layers, inputs), outputs, err_msg=name)


def test_the_recorded_clip_in_litert(datasets):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install 'tocsin[train]'")
    from cloud.training.convert import interpreter_of

    _, inputs, outputs = recorded(datasets)["MLPerf Tiny"]
    interpreter = interpreter_of((datasets / "mlperf_tiny_ad" / "ad01_int8.tflite").read_bytes())
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, inputs)
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), outputs)
