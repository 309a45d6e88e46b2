"""Scores of an image by its packed layers on an emulated core, the last output never kept."""

import struct

import numpy as np
from numpy.typing import NDArray

from firmware.bench.cores import Core, Kernel
from firmware.bench.program import build_program
from firmware.bench.run import MachineError
from firmware.bench.unicorn_machine import MODEL_ADDRESS, RAM_ADDRESS, UnicornMachine
from firmware.kernels.packing import pack
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.model_image import ImageContent

_JOB = RAM_ADDRESS + 0x2000
_FEATURES = RAM_ADDRESS + 0x3000
_FIRST = RAM_ADDRESS + 0x8000
_SECOND = RAM_ADDRESS + 0xC000
_FENCE = bytes(range(16, 32))
_READER = ("cursor", "image", "image_layers", "layer", "dense", "convolution", "sha256", "status")
_SOURCES = (*(f"src/tocsin_{name}.c" for name in _READER), "kernels/score.c")


def score_emulated(
    core: Core, kernel: Kernel, image: ImageContent, features: NDArray[np.int16]
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Scores and top features of (rows, features).

    Raises MachineError where the image is refused or memory beside the plan was written.
    """
    assert core.unicorn_name is not None
    program = build_program(core, kernel, "score_entry.c", _SOURCES, ("tocsin_bench_score",))
    machine = UnicornMachine(core.unicorn_name, program)
    sealed = model_image.seal(model_image.encode(image))
    packed = pack(image.layers, kernel.target)
    plan = plan_memory(image.layers, kernel.target, lane_bytes=kernel.lane_bytes, scored=True)
    packed_address = MODEL_ADDRESS + (len(sealed) + 15) // 16 * 16
    machine.write(MODEL_ADDRESS, sealed)
    machine.write(packed_address, packed.content)
    for address, size in ((_FIRST, plan.first_bytes), (_SECOND, plan.second_bytes)):
        machine.write(address + size, _FENCE)
    scores = np.empty(len(features), np.uint32)
    tops = np.empty(len(features), np.uint16)
    for row, values in enumerate(features.astype("<i2")):
        machine.write(_FEATURES, values.tobytes())
        words = (MODEL_ADDRESS, len(sealed), packed_address, _FEATURES, _FIRST, _SECOND)
        machine.write(_JOB, struct.pack("<6I", *words))
        status = machine.call("tocsin_bench_score", _JOB)
        if status:
            raise MachineError(f"the image was refused on {core.name} with status {status}")
        scores[row], tops[row] = struct.unpack("<II", machine.read(_JOB + 24, 8))
    for address, size in ((_FIRST, plan.first_bytes), (_SECOND, plan.second_bytes)):
        if machine.read(address + size, len(_FENCE)) != _FENCE:
            raise MachineError(f"the score of kernel {kernel.name} on {core.name} wrote beside its memory")
    return scores, tops
