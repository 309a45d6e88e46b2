"""The memory that a model needs while it runs."""

from dataclasses import dataclass

from firmware.kernels.cores import Kernel
from shared.model_image import LAYER_CONVOLUTION, LAYER_DENSE, Layer
from shared.quantized import targets
from shared.quantized.targets import TARGET_ANY, TARGET_MVE

#: Rows of the last layer that are judged at once (TOCSIN_KERNEL_SCORED_ROWS).
SCORED_ROWS = 16
#: Values that a kernel reads at a time, if they are not as many as it writes.
_LANES = 4
_VECTOR_LANES = 16


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of the two buffers that layers read and write in turn, and of the one for gathering, aligned to 4 each."""

    first_bytes: int
    second_bytes: int
    scratch_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All together."""
        return self.first_bytes + self.second_bytes + self.scratch_bytes


def plan_memory(layers: list[Layer], kernel: Kernel, *, scored: bool = False) -> MemoryPlan:
    """What `tocsin_kernel_needs_of` in `firmware/c/kernels/run.c` says; `scored`: the output is not kept.

    Without a kernel: two buffers of the most values between two layers.
    """
    if kernel.target == TARGET_ANY:
        widest = max([layers[0].inputs, *(layer.outputs for layer in layers)])
        return MemoryPlan(widest, widest)
    block_rows = targets.packed(kernel.target).block_rows
    step = max(_VECTOR_LANES if kernel.target == TARGET_MVE else _LANES, block_rows)

    def bytes_of(values: int, *, lanes: bool) -> int:
        return -(-values // step) * step * (kernel.lane_bytes if lanes else 1)

    needs = [bytes_of(layers[0].inputs, lanes=layers[0].kind == LAYER_DENSE), 0]
    scratch = 0
    for place, layer in enumerate(layers, start=1):
        is_last = place == len(layers)
        size = bytes_of(layer.outputs, lanes=not is_last and layers[place].kind == LAYER_DENSE)
        if is_last and scored and layer.kind == LAYER_DENSE:
            size = SCORED_ROWS
        if layer.kind == LAYER_CONVOLUTION and layer.may_be_packed:
            size += block_rows
            scratch = max(scratch, bytes_of(layer.columns, lanes=True))
        needs[place % 2] = max(needs[place % 2], size)
    return MemoryPlan(needs[0], needs[1], scratch)
