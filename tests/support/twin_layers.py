"""Outputs of layers by the twin: under CPython, and in the real MicroPython VM."""

import struct
from pathlib import Path

import layers_job
import numpy as np
from micropython_board import lay_out, run_module
from numpy.typing import NDArray

from firmware.bench.records import record_bytes
from shared.model_image import Layer
from shared.quantized.targets import TARGET_ANY

LIMIT_SECONDS = 240
#: What the runs between two collections of the VM's garbage may allocate, and its heap; with less it searches for room.
_GARBAGE_BYTES, _HEAP_KIB = 16 << 20, 32 << 10
#: Of one product of an input with all rows, beside four bytes a row: a number's head and what its fields round up to.
_PRODUCT_BYTES = 64

VM = """
from layers_job import LayersJob

names = open("/case/names").read().split()
job = target = None

def step():
    global job, target
    if job is None:
        if not names:
            return False
        name = names.pop()
        job = LayersJob(open("/case/" + name, "rb").read())
        target = open("/out/" + name, "wb")
    target.write(job.advance())
    if job.finished:
        target.close()
        job = None
    return True
"""


def _runs_at_once(layers: list[Layer]) -> int:
    """Runs whose garbage the VM's heap holds: two numbers, product and sum, of every input of every place."""
    allocated = 0
    for layer in layers:
        places = layer.outputs // layer.rows
        allocated += places * layer.columns * 2 * (_PRODUCT_BYTES + 4 * layer.rows) + 64 * layer.outputs
    return max(1, _GARBAGE_BYTES // allocated)


def job_of(layers: list[Layer], inputs: NDArray[np.int8]) -> bytes:
    """The job of `layers_job` for inputs (rows, inputs)."""
    records = record_bytes(layers, TARGET_ANY)
    head = struct.pack("<5I", len(inputs), layers[0].inputs, len(layers), len(records), _runs_at_once(layers))
    return head + records + np.ascontiguousarray(inputs, np.int8).tobytes()


def outputs_in_cpython(layers: list[Layer], inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Outputs (rows, outputs) of inputs (rows, inputs)."""
    job = layers_job.LayersJob(job_of(layers, inputs))
    given = b""
    while not job.finished:
        given += job.advance()
    return np.frombuffer(given, np.int8).reshape(len(inputs), layers[-1].outputs)


def outputs_in_micropython(folder: Path, models: list[tuple[list[Layer], NDArray[np.int8]]]) -> list[NDArray[np.int8]]:
    """Of every model, layers and inputs (rows, inputs), its outputs (rows, outputs): all in one run of the VM.

    `folder` must be empty.
    """
    lay_out(folder)
    folder.joinpath("layers_job.py").write_text(Path(layers_job.__file__).read_text())
    folder.joinpath("bench.py").write_text(VM)
    case = folder / "case"
    case.mkdir()
    for number, model in enumerate(models):
        case.joinpath(str(number)).write_bytes(job_of(*model))
    case.joinpath("names").write_text(" ".join(map(str, range(len(models)))))
    run_module(folder, "bench", heap_kib=_HEAP_KIB, limit_seconds=LIMIT_SECONDS)
    return [
        np.frombuffer(folder.joinpath("out", str(number)).read_bytes(), np.int8).reshape(
            len(inputs), layers[-1].outputs
        )
        for number, (layers, inputs) in enumerate(models)
    ]
