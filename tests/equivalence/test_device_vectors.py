"""Frozen bytes: what a device sends for given samples never changes unnoticed, whichever implementation runs."""

from pathlib import Path

import numpy as np
import pytest

from firmware.c_program import run_device
from shared import model_image

VECTORS = Path(__file__).parents[1] / "vectors" / "device.txt"


def cases():
    found = {}
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" ")
        if key == "case":
            found[value] = {"messages": []}
            case = found[value]
        elif key == "message":
            case["messages"].append(bytes.fromhex(value))
        elif key in ("image", "samples"):
            case[key] = bytes.fromhex(value)
    return found


def unpacked(stream):
    """Times, counts and clip starts of a sample stream."""
    channels = int.from_bytes(stream[6:8], "little")
    record = np.dtype([("time", "<i8"), ("flags", "u1"), ("counts", "<i4", (channels,))])
    table = np.frombuffer(stream[8:], record)
    return table["time"].astype(np.int64), table["counts"].astype(np.int32), (table["flags"] & 1).astype(bool)


def test_there_are_vectors_of_both_kinds():
    kinds = {(case["image"][16], case["image"][17] > 0) for case in cases().values()}
    assert kinds == {(0, True), (1, True), (1, False)}


@pytest.mark.parametrize("name", cases())
def test_the_twin_sends_them(bench, name):
    case = cases()[name]
    assert bench.twin(model_image.read(case["image"]), *unpacked(case["samples"])).messages == case["messages"]


@pytest.mark.parametrize("name", cases())
def test_c_sends_them(bench, name):
    case = cases()[name]
    features = len(model_image.read(case["image"]).features)
    messages, _ = run_device(bench.programs["cc"], case["image"], "press-7", 3, case["samples"], features=features)
    assert messages == case["messages"]
