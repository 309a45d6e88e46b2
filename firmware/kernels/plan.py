"""The memory that a packed model needs while it runs."""

from dataclasses import dataclass

from firmware.kernels.packing import target_named
from shared.model_image import Layer

#: Rows of the last layer that are judged at once (TOCSIN_KERNEL_SCORED_ROWS).
SCORED_ROWS = 16


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of the two buffers that layers read and write in turn, aligned to 4 each."""

    first_bytes: int
    second_bytes: int

    @property
    def total_bytes(self) -> int:
        """Both together."""
        return self.first_bytes + self.second_bytes


def plan_memory(layers: list[Layer], target: str, *, lane_bytes: int | None = None, scored: bool = False) -> MemoryPlan:
    """What `tocsin_kernel_needs_of` in `firmware/c/kernels/run.c` says.

    Parameters
    ----------
    lane_bytes
        Bytes per value between two layers; the target's own when None.
    scored
        The last layer's output is judged block by block instead of being kept.
    """
    module = target_named(target)
    width = module.LANE_BYTES if lane_bytes is None else lane_bytes
    lanes: int = max(module.LANES, module.BLOCK_ROWS)

    def padded(values: int) -> int:
        return -(-values // lanes) * lanes

    needs = [padded(layers[0].inputs) * width, 0]
    for place, layer in enumerate(layers, start=1):
        size = padded(layer.outputs) * width
        if place == len(layers):
            size = SCORED_ROWS if scored else padded(layer.outputs)
        needs[place % 2] = max(needs[place % 2], size)
    return MemoryPlan(*needs)
