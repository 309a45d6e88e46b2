"""Scores of a packed image on an emulated core, by the device's own reader and its own way from inputs to score."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import build_program
from firmware.bench.run import MachineError
from firmware.bench.unicorn_machine import MODEL_ADDRESS, RAM_ADDRESS, UnicornMachine
from firmware.kernels.cores import Core, Kernel
from firmware.kernels.packing import pack_image
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.model_image import ImageContent

_ENTRY = Path(__file__).with_suffix(".c")
_JOB = RAM_ADDRESS + 0x2000
_INPUTS = RAM_ADDRESS + 0x3000
_PARTS = RAM_ADDRESS + 0x6000
_BUFFERS = (RAM_ADDRESS + 0x8000, RAM_ADDRESS + 0xE000, RAM_ADDRESS + 0x14000)
_FENCE = bytes(range(16, 32))
_SOURCES = tuple(
    f"src/tocsin_{name}.c"
    for name in (
        "cursor",
        "image",
        "image_header",
        "image_layers",
        "inputs",
        "judge",
        "score",
        "sha256",
        "status",
        "target",
    )
)


def score_emulated(
    core: Core, kernel: Kernel, image: ImageContent, inputs: NDArray[np.int16]
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Scores and top features of (rows, inputs) of an unpacked image, packed for the kernel.

    Raises MachineError where the image is refused or memory beside the plan was written.
    """
    assert core.unicorn_name is not None
    program = build_program(core, kernel, str(_ENTRY), (*_SOURCES, "kernels/score.c"), ("tocsin_bench_score",))
    machine = UnicornMachine(core.unicorn_name, program)
    sealed = model_image.seal(model_image.encode(pack_image(image, kernel.target)))
    plan = plan_memory(image.layers, kernel, scored=True)
    fenced = list(zip(_BUFFERS, (plan.first_bytes, plan.second_bytes, plan.scratch_bytes), strict=True))
    machine.write(MODEL_ADDRESS, sealed)
    for address, size in fenced:
        machine.write(address + size, _FENCE)
    scores = np.empty(len(inputs), np.uint32)
    tops = np.empty(len(inputs), np.uint16)
    for row, values in enumerate(inputs.astype("<i2")):
        machine.write(_INPUTS, values.tobytes())
        machine.write(_JOB, struct.pack("<7I", MODEL_ADDRESS, len(sealed), _INPUTS, *_BUFFERS, _PARTS))
        status = machine.call("tocsin_bench_score", _JOB)
        if status:
            raise MachineError(f"the image was refused on {core.name} with status {status}")
        scores[row], tops[row] = struct.unpack("<II", machine.read(_JOB + 28, 8))
    if any(machine.read(address + size, len(_FENCE)) != _FENCE for address, size in fenced):
        raise MachineError(f"the score on {core.name} wrote beside its memory")
    return scores, tops
