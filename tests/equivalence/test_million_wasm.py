"""The C core in WebAssembly gives the million output bytes that every kernel gives, and those of recorded windows."""

import numpy as np
import pytest

pytest.importorskip("tflite", reason="tflite is not installed: pip install 'tocsin[dev]'")

from million_outputs import all_chains, assert_same_bytes, assert_same_cases
from recorded_windows import recorded
from wasm_core import build_layers, infer_in_wasm, node


@pytest.fixture(scope="module")
def infer(tmp_path_factory):
    """The outputs of layers and inputs."""
    node()
    module = build_layers(tmp_path_factory.mktemp("wasm"))
    return lambda layers, inputs: infer_in_wasm(module, layers, inputs)


def test_a_million_bytes_in_wasm(infer):
    assert_same_bytes(infer(chain.layers, chain.inputs) for chain in all_chains())


def test_cases_at_their_ends_in_wasm(infer):
    assert_same_cases(infer)


def test_recorded_windows_in_wasm(infer, datasets):
    for name, (layers, inputs, outputs) in recorded(datasets).items():
        np.testing.assert_array_equal(infer(layers, inputs), outputs, err_msg=name)
