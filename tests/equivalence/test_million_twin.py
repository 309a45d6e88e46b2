"""The twin, under CPython and in the real MicroPython VM, gives the million output bytes that every kernel gives.

And those of windows of real recordings.
"""

import numpy as np
import pytest

pytest.importorskip("tflite", reason="tflite is not installed: pip install 'tocsin[dev]'")

from million_outputs import all_chains, assert_same_bytes, assert_same_cases, strained
from recorded_windows import recorded
from twin_layers import outputs_in_cpython, outputs_in_micropython


def test_a_million_bytes_in_cpython():
    assert_same_bytes(outputs_in_cpython(chain.layers, chain.inputs) for chain in all_chains())


def test_a_million_bytes_in_micropython(tmp_path):
    assert_same_bytes(outputs_in_micropython(tmp_path, [(chain.layers, chain.inputs) for chain in all_chains()]))


def test_cases_at_their_ends_in_cpython():
    assert_same_cases(outputs_in_cpython)


def test_cases_at_their_ends_in_micropython(tmp_path):
    told = iter(outputs_in_micropython(tmp_path, strained()))
    assert_same_cases(lambda _layers, _inputs: next(told))


def test_recorded_windows_in_cpython(datasets):
    for name, (layers, inputs, outputs) in recorded(datasets).items():
        np.testing.assert_array_equal(outputs_in_cpython(layers, inputs), outputs, err_msg=name)


def test_recorded_windows_in_micropython(datasets, tmp_path):
    models = recorded(datasets)
    told = outputs_in_micropython(tmp_path, [(layers, inputs) for layers, inputs, _ in models.values()])
    for (name, (_, _, outputs)), given in zip(models.items(), told, strict=True):
        np.testing.assert_array_equal(given, outputs, err_msg=name)
