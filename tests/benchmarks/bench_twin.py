"""Processor time of one inference of the twin, beside a plain loop in the same run: CPython and the real MicroPython.

The anomaly model of MLPerf Tiny (640-128x4-8-128x4-640, 264,192 products) from ``mlperf_tiny_ad/ad01_int8.tflite`` in
the folder that TOCSIN_DATASETS names. `make bench ARGS="-k twin"` prints the table and writes it, with versions and
machine, to build/benchmarks/twin.json. Both programs' outputs are compared before anything is timed.
"""

import json
import os
import platform
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from micropython_board import lay_out, run_module

from shared.model_image import Layer
from shared.quantized.integer import Dense
from shared.tflite.reader import read_tflite

SEED = 20260101
INPUTS = 640
CASES = 40
RESULTS = Path("build/benchmarks/twin.json")
#: What the twin promises, in itself and of the plain loop's time.
CPYTHON_MILLISECONDS = 10.0
MICROPYTHON_MILLISECONDS = 25.0
RATIO = 1 / 3

#: The loop that everyone writes first: every product by itself. It runs in MicroPython too.
PLAIN = """
def plain(layer, weights, bias, x):
    inputs = layer.inputs
    result = []
    for j in range(layer.outputs):
        total = bias[j]
        row = weights[j]
        for i in range(inputs):
            total += row[i] * x[i]
        shift = layer.shifts[j]
        y = ((total * layer.multipliers[j] + (1 << (shift - 1))) >> shift) + layer.zero
        result.append(min(max(y, layer.low), 127))
    return result
"""

#: One inference a step, since the VM collects its garbage between steps only. Node.js tells the time of its processor.
VM = (
    PLAIN
    + """
import gc
import struct

import js

from shared.quantized.integer import Dense

source = open("/case/layers", "rb")
layers = []
for _ in range(struct.unpack("<I", source.read(4))[0]):
    inputs, outputs, zero, low = struct.unpack("<HHbb", source.read(6))
    weights = source.read(inputs * outputs)
    bias = struct.unpack("<" + str(outputs) + "i", source.read(4 * outputs))
    multipliers = struct.unpack("<" + str(outputs) + "I", source.read(4 * outputs))
    shifts = source.read(outputs)
    layers.append((Dense(inputs, outputs, weights, bias, multipliers, shifts, zero, low), weights, bias))
cases = [struct.unpack("640b", source.read(640)) for _ in range({cases})]
target = open("/out/told", "wb")
number = 0

def rows_of(weights, inputs, outputs):
    form = str(inputs) + "b"
    return [struct.unpack(form, weights[j * inputs : j * inputs + inputs]) for j in range(outputs)]

def microseconds():
    usage = js.process.cpuUsage()
    return usage.user + usage.system

def step():
    global number
    by_columns = number < {cases}
    if number == {cases}:  # not before: the more the heap holds, the longer the VM looks for room
        for i in range(len(layers)):
            layer, weights, bias = layers[i]
            layers[i] = (layer, rows_of(weights, layer.inputs, layer.outputs), bias)
    x = cases[number % {cases}]
    before = gc.mem_alloc()
    begun = microseconds()
    for layer, weights, bias in layers:
        x = layer.forward(x) if by_columns else plain(layer, weights, bias, x)
    spent = microseconds() - begun
    target.write(struct.pack("<II640b", spent, gc.mem_alloc() - before, *x))
    gc.collect()
    number += 1
    if number < {cases} + 2:
        return True
    target.close()
    return False
"""
)


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    path = Path(os.environ.get("TOCSIN_DATASETS", ".")) / "mlperf_tiny_ad/ad01_int8.tflite"
    if not path.exists():
        pytest.skip("mlperf_tiny_ad/ad01_int8.tflite is not in TOCSIN_DATASETS: add the anomaly model of MLPerf Tiny")
    return read_tflite(path).layers


@pytest.fixture(scope="module")
def cases() -> list[list[int]]:
    drawn = random.Random(SEED)
    return [[drawn.randrange(-128, 128) for _ in range(INPUTS)] for _ in range(CASES)]


def milliseconds(work: Callable[[list[int]], object], cases: list[list[int]]) -> float:
    """The shortest of all cases: what else the machine does only makes them longer."""
    shortest = float("inf")
    for x in cases:
        begun = time.process_time()
        work(x)
        shortest = min(shortest, time.process_time() - begun)
    return shortest * 1e3


def in_cpython(layers: list[Layer], cases: list[list[int]]) -> tuple[float, float, list[list[int]]]:
    """Milliseconds by columns and plain, and the outputs, on which both agree."""
    dense = [
        Dense(one.inputs, one.outputs, one.weights, one.bias, one.multipliers, one.shifts, one.zero, one.low)
        for one in layers
    ]
    named: dict[str, Callable[..., list[int]]] = {}
    exec(PLAIN, named)
    rows = [memoryview(bytes(one.weights)).cast("b", (one.outputs, one.inputs)).tolist() for one in layers]

    def by_columns(x: list[int]) -> list[int]:
        for layer in dense:
            x = layer.forward(x)
        return x

    def one_by_one(x: list[int]) -> list[int]:
        for layer, weights in zip(layers, rows, strict=True):
            x = named["plain"](layer, weights, layer.bias, x)
        return x

    outputs = [by_columns(x) for x in cases]
    assert outputs[:2] == [one_by_one(x) for x in cases[:2]]
    return milliseconds(by_columns, cases), milliseconds(one_by_one, cases[:5]), outputs


def in_micropython(
    layers: list[Layer], cases: list[list[int]], folder: Path
) -> tuple[float, float, int, list[list[int]]]:
    """Milliseconds by columns and plain, the most bytes that an inference by columns allocates, and the outputs."""
    lay_out(folder)
    case = folder / "case"
    case.mkdir()
    packed = struct.pack("<I", len(layers))
    for one in layers:
        packed += struct.pack("<HHbb", one.inputs, one.outputs, one.zero, one.low) + bytes(one.weights)
        packed += struct.pack(f"<{one.outputs}i{one.outputs}I{one.outputs}B", *one.bias, *one.multipliers, *one.shifts)
    case.joinpath("layers").write_bytes(packed + b"".join(struct.pack(f"{INPUTS}b", *x) for x in cases))
    (folder / "bench.py").write_text(VM.replace("{cases}", str(CASES)))
    run_module(folder, "bench", heap_kib=24 * 1024)
    told = list(struct.iter_unpack(f"<II{INPUTS}b", (folder / "out/told").read_bytes()))
    by_columns, one_by_one = told[:CASES], told[CASES:]
    assert [row[2:] for row in one_by_one] == [row[2:] for row in by_columns[:2]]
    return (
        min(row[0] for row in by_columns) / 1e3,
        min(row[0] for row in one_by_one) / 1e3,
        max(row[1] for row in by_columns),
        [list(row[2:]) for row in by_columns],
    )


def test_milliseconds_of_an_inference_of_the_twin(
    layers: list[Layer], cases: list[list[int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns, plain, outputs = in_cpython(layers, cases)
    columns_vm, plain_vm, allocated_bytes, outputs_vm = in_micropython(layers, cases, tmp_path)
    assert outputs_vm == outputs
    table: list[dict[str, Any]] = [
        {"runs in": f"CPython {platform.python_version()}", "columns_ms": columns, "plain_ms": plain},
        {"runs in": "MicroPython, WebAssembly", "columns_ms": columns_vm, "plain_ms": plain_vm},
    ]
    for row in table:
        row["ratio"] = row["columns_ms"] / row["plain_ms"]
    result = {
        "seed": SEED,
        "products": sum(one.inputs * one.outputs for one in layers),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "micropython_allocated_bytes": allocated_bytes,
        "table": table,
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    with capsys.disabled():
        print(f"\n{'':>28}{'columns, ms':>14}{'plain loop, ms':>16}{'ratio':>8}")
        for row in table:
            print(f"{row['runs in']:>28}{row['columns_ms']:>14.2f}{row['plain_ms']:>16.2f}{row['ratio']:>8.3f}")
        print(f"MicroPython allocates up to {allocated_bytes:,} bytes in an inference")
    assert max(row["ratio"] for row in table) < RATIO
    assert columns < CPYTHON_MILLISECONDS
    assert columns_vm < MICROPYTHON_MILLISECONDS
