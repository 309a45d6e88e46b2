"""More than a million output bytes of different inputs: LiteRT, NumPy, the portable C and every kernel give the same.

Each engine runs all of them itself; no byte counts twice because several engines gave it.
"""

import importlib.util
import shutil

import numpy as np
import pytest

pytest.importorskip("tflite", reason="tflite is not installed: pip install 'tocsin[dev]'")

from batched_kernels import PortableLayers, batched_outputs
from kernel_cases import CASES, made
from tflite_chains import drawn_chains, extreme_chains

from firmware.bench.measure import expected
from firmware.build import find_compiler, packaged_compiler
from firmware.errors import CompilerError
from firmware.kernels.cores import CORES, core_named, kernel_named

#: What each engine is compared in; of those without extremes, at least so many stand in outputs that are all different.
COMPARED_BYTES, DIFFERENT_BYTES_MIN = 1_376_736, 1_000_000
PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels]


@pytest.fixture(scope="module")
def wanted():
    """Model name -> outputs by NumPy; counted are the bytes of outputs that differ from those of all other inputs."""
    outputs = {chain.name: expected(chain.layers, chain.inputs) for chain in (*drawn_chains(), *extreme_chains())}
    distinct = sum(np.unique(outputs[chain.name], axis=0).size for chain in drawn_chains())
    assert distinct >= DIFFERENT_BYTES_MIN
    assert all(len(np.unique(outputs[chain.name])) > 250 for chain in drawn_chains())
    return outputs


def same_bytes(wanted, infer):
    """Every byte of every model."""
    compared = 0
    for chain in (*drawn_chains(), *extreme_chains()):
        np.testing.assert_array_equal(infer(chain), wanted[chain.name], err_msg=chain.name)
        compared += wanted[chain.name].size
    assert compared == COMPARED_BYTES


def test_litert(wanted):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install 'tocsin[train]'")
    from cloud.training.convert import interpreter_of

    def infer(chain):
        interpreter = interpreter_of(chain.content)
        source = interpreter.get_input_details()[0]
        shape = (len(chain.inputs), *source["shape"][1:])
        interpreter.resize_tensor_input(source["index"], shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], chain.inputs.reshape(shape))
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(len(chain.inputs), -1)

    same_bytes(wanted, infer)


@pytest.mark.parametrize("find", [find_compiler, packaged_compiler], ids=["cc", "zig"])
def test_portable_c(wanted, tmp_path, find):
    try:
        library = PortableLayers(find(), tmp_path)
    except CompilerError as error:
        pytest.skip(str(error))
    same_bytes(wanted, lambda chain: library.outputs(chain.layers, chain.inputs))
    for name in CASES:
        layers, inputs = made(name)
        np.testing.assert_array_equal(library.outputs(layers, inputs), expected(layers, inputs), err_msg=name)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_kernel(wanted, core_name, kernel_name):
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    same_bytes(wanted, lambda chain: batched_outputs(core, kernel, chain.layers, chain.inputs))
