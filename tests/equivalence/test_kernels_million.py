"""More than a million output bytes of different inputs: LiteRT, NumPy, the portable C and every kernel give the same.

Each engine runs all of them itself; no byte counts twice because several engines gave it.
"""

import importlib.util
import shutil

import numpy as np
import pytest

pytest.importorskip("tflite", reason="tflite is not installed: pip install 'tocsin[dev]'")

from batched_kernels import PortableLayers, batched_outputs
from million_outputs import all_chains, assert_same_bytes, assert_same_cases, assert_same_ties
from tflite_chains import Dense, chain
from tie_chains import tie_chains

from firmware.bench.measure import expected
from firmware.build import find_compiler, packaged_compiler
from firmware.errors import CompilerError
from firmware.kernels.cores import CORES, core_named, kernel_named

PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels]


def in_litert(chain):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install 'tocsin[train]'")
    from cloud.training.convert import interpreter_of

    interpreter = interpreter_of(chain.content)
    source = interpreter.get_input_details()[0]
    shape = (len(chain.inputs), *source["shape"][1:])
    interpreter.resize_tensor_input(source["index"], shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], chain.inputs.reshape(shape))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(len(chain.inputs), -1)


def test_litert():
    assert_same_bytes(map(in_litert, all_chains()))


@pytest.mark.parametrize("number", [0, 1], ids=["dense", "convolution"])
def test_ties_in_litert(number):
    chain = tie_chains()[number]
    np.testing.assert_array_equal(in_litert(chain), expected(chain.layers, chain.inputs))


def test_ties_of_one_scale_for_all_rows_in_litert():
    rng = np.random.default_rng(5)
    inputs = rng.integers(-128, 128, (2000, 8))
    for ratio in (0.5, 2.0**-7, 1.5 / 256, 1.25 / 256, (1 + 2.0**-8) / 256):
        layer = Dense(rng.integers(-127, 128, (12, 8)), rng.integers(-999, 999, 12), np.full(12, ratio), 3)
        made = chain(f"ties of {ratio}", [layer], inputs, 0, per_row=False)
        np.testing.assert_array_equal(in_litert(made), expected(made.layers, made.inputs), err_msg=made.name)


@pytest.mark.parametrize("find", [find_compiler, packaged_compiler], ids=["cc", "zig"])
def test_portable_c(tmp_path, find):
    try:
        library = PortableLayers(find(), tmp_path)
    except CompilerError as error:
        pytest.skip(str(error))
    assert_same_bytes(library.outputs(chain.layers, chain.inputs) for chain in all_chains())
    assert_same_cases(library.outputs)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_kernel(core_name, kernel_name):
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    assert_same_bytes(batched_outputs(core, kernel, chain.layers, chain.inputs) for chain in all_chains())
    assert_same_ties(lambda layers, inputs: batched_outputs(core, kernel, layers, inputs))
