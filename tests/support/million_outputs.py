"""More than a million output bytes of different inputs that every engine is compared in: models of `tflite_chains`."""

import functools
from collections.abc import Callable, Iterable

import numpy as np
from kernel_cases import CASES, made
from numpy.typing import NDArray
from tflite_chains import Chain, drawn_chains, extreme_chains
from tie_chains import tie_chains

from firmware.bench.measure import expected
from shared.model_image import Layer

#: What each engine is compared in; of those without extremes, at least so many stand in outputs that are all different.
COMPARED_BYTES, DIFFERENT_BYTES_MIN = 1_376_736, 1_000_000


def all_chains() -> tuple[Chain, ...]:
    """Drawn models and those at their ends."""
    return *drawn_chains(), *extreme_chains()


@functools.cache
def wanted_outputs() -> dict[str, NDArray[np.int64]]:
    """Model name -> outputs by NumPy; counted are the bytes of outputs that differ from those of all other inputs."""
    outputs = {chain.name: expected(chain.layers, chain.inputs) for chain in all_chains()}
    distinct = sum(np.unique(outputs[chain.name], axis=0).size for chain in drawn_chains())
    assert distinct >= DIFFERENT_BYTES_MIN
    assert all(len(np.unique(outputs[chain.name])) > 250 for chain in drawn_chains())
    return outputs


def assert_same_bytes(given: Iterable[NDArray[np.int8]]) -> None:
    """Every byte of every model; `given` are the outputs of `all_chains`, in their order."""
    compared = 0
    for chain, outputs in zip(all_chains(), given, strict=True):
        wanted = wanted_outputs()[chain.name]
        np.testing.assert_array_equal(outputs, wanted, err_msg=chain.name)
        compared += wanted.size
    assert compared == COMPARED_BYTES


def assert_same_ties(infer: Callable[..., NDArray[np.int8]]) -> None:
    """Every byte of sums half way between two bytes; `infer` gives the outputs of layers and inputs."""
    for chain in tie_chains():
        outputs = infer(chain.layers, chain.inputs)
        np.testing.assert_array_equal(outputs, expected(chain.layers, chain.inputs), err_msg=chain.name)


def strained() -> list[tuple[list[Layer], NDArray[np.int8]]]:
    """What `assert_same_cases` asks for, in its order."""
    return [made(name) for name in CASES] + [(chain.layers, chain.inputs) for chain in tie_chains()]


def assert_same_cases(infer: Callable[..., NDArray[np.int8]]) -> None:
    """Every byte of the cases that strain kernels, ties among them; `infer` as above."""
    for name in CASES:
        layers, inputs = made(name)
        np.testing.assert_array_equal(infer(layers, inputs), expected(layers, inputs), err_msg=name)
    assert_same_ties(infer)
