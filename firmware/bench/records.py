"""The records of a model's layers, as an image holds them, and the job that QEMU's program reads."""

import struct

import numpy as np
from numpy.typing import NDArray

from firmware.kernels.cores import Kernel
from firmware.kernels.packing import pack_layers
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.model_image import HEADER_BYTES, ImageContent, Layer
from shared.quantized.targets import TARGET_ANY
from shared.signal.definition import KIND_SLOW

_DIGEST_BYTES = 32


def packed_layers(layers: list[Layer], kernel: Kernel) -> list[Layer]:
    """The layers as `kernel` reads them."""
    return layers if kernel.target == TARGET_ANY else pack_layers(layers, kernel.target)


def record_bytes(layers: list[Layer], target: int) -> bytes:
    """The records of layers that stand in an image for `target`: an image of nothing else, without its ends."""
    content = ImageContent(1, KIND_SLOW, 0, 4, 1, 1, bytes(8), 1, [], [], [], [], layers, target=target)
    return model_image.encode(content)[HEADER_BYTES:-_DIGEST_BYTES]


def job_bytes(kernel: Kernel, layers: list[Layer], inputs: NDArray[np.int8]) -> bytes:
    """A job of one inference per row of inputs (rows, inputs): seven words, records, inputs."""
    records = record_bytes(packed_layers(layers, kernel), kernel.target)
    plan = plan_memory(layers, kernel)
    head = struct.pack(
        "<7I",
        len(inputs),
        layers[0].inputs,
        layers[-1].outputs,
        len(layers),
        plan.first_bytes,
        plan.second_bytes,
        len(records),
    )
    return head + records + np.ascontiguousarray(inputs, np.int8).tobytes()
