"""The job that the host and QEMU programs read: six words, packed layers, inputs."""

import struct

import numpy as np
from numpy.typing import NDArray

from firmware.bench.cores import Kernel
from firmware.kernels.packing import pack
from firmware.kernels.plan import plan_memory
from shared.model_image import Layer


def job_bytes(kernel: Kernel, layers: list[Layer], inputs: NDArray[np.int8]) -> bytes:
    """A job of one inference per row of inputs (rows, inputs)."""
    packed = pack(layers, kernel.target)
    plan = plan_memory(layers, kernel.target, lane_bytes=kernel.lane_bytes)
    head = struct.pack(
        "<6I",
        len(inputs),
        layers[0].inputs,
        layers[-1].outputs,
        packed.layers,
        plan.first_bytes,
        len(packed.content),
    )
    return head + packed.content + np.ascontiguousarray(inputs, np.int8).tobytes()
