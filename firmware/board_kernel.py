"""The model of a board's firmware: its image packed for the board's core, the kernel that runs it, and its memory."""

import importlib.util
from dataclasses import dataclass, replace

import numpy as np

from firmware.boards.board import Board
from firmware.codegen.board_device import BoardOptions
from firmware.kernels.cores import Core, Kernel, chosen_kernel, core_compiled_as, without_unused
from firmware.kernels.packing import has_plain_loops, pack_image, plain_rows, unpacked
from firmware.kernels.plan import plan_memory
from shared import model_image
from shared.model_image import LAYER_DENSE, ImageContent
from shared.quantized import arrays
from shared.signal.definition import FAST_WINDOW_MIN, KIND_FAST

#: What counting needs: of the extra `firmware`, as the compiler is.
_EMULATOR = ("unicorn", "capstone", "elftools")
#: For plain blocks, which take up to a third fewer instructions so; everything else takes fewest as its kernel says.
_PLAIN_OPTIMIZATION = "-O2"


@dataclass(frozen=True, slots=True)
class BoardModel:
    """`content` is what `image` says; `memory_bytes` is what the kernel needs between the layers.

    `kernel` is without what the model does not need; `core_defines` leave the same out of the core.
    """

    core: Core
    kernel: Kernel
    image: bytes
    content: ImageContent
    memory_bytes: int
    core_defines: tuple[str, ...] = ()

    @property
    def plain_rows(self) -> tuple[int, int]:
        """Rows that the plain loop computes, and all rows."""
        return plain_rows(self.content)


def board_model(board: Board, image: bytes, content: ImageContent, options: BoardOptions) -> BoardModel:
    """A device's image as the firmware of `board` holds it.

    An image that is packed for the core stays as it is; any other one is packed anew and loses its signature, which a
    firmware does not need.

    Raises
    ------
    PackingError
        The image cannot be packed, or was packed wrongly.
    UsageError
        The options exclude each other.
    """
    core = core_compiled_as(board.zig_cpu)
    kernel = chosen_kernel(core, worst_case=options.worst_case, small=options.small)
    if content.target != core.target:
        content = pack_image(content, core.target)
        image = model_image.seal(model_image.encode(content))
    layers = content.layers
    longest = content.window if content.kind == KIND_FAST else FAST_WINDOW_MIN
    core_defines = (f"TOCSIN_WINDOW_LIMIT={longest}",)
    dense_only = all(layer.kind == LAYER_DENSE for layer in layers)
    plain = plain_rows(content)[0]
    kernel = without_unused(kernel, plain_rows=plain, dense_only=dense_only)
    if plain and not options.small:
        kernel = replace(kernel, optimization=_PLAIN_OPTIMIZATION)
    memory = plan_memory(layers, kernel, scored=True).total_bytes if layers else 0
    return BoardModel(core, kernel, image, content, memory, core_defines)


def counted_instructions(model: BoardModel) -> tuple[int, int | None] | None:
    """Instructions of one inference: for the golden inputs, and the largest number for any.

    The largest is None where loops of C depend on the data. None at all where there is no model, or the emulator is not
    installed.
    """
    if not model.content.layers or any(importlib.util.find_spec(name) is None for name in _EMULATOR):
        return None
    from firmware.bench.measure import infer
    from firmware.bench.reference import saturated

    content = unpacked(model.content)
    golden = np.array([content.golden_features], np.int64)
    inputs = arrays.requantize(golden, content.input_multiplier, content.input_shift) + content.input_zero
    run = infer(model.core, model.kernel, content.layers, np.clip(inputs, -128, 127).astype(np.int8))
    if has_plain_loops(model.content.layers):
        return int(run.instructions[0]), None
    full = np.full((1, content.inputs), 127, np.int8)
    worst = infer(model.core, model.kernel, saturated(content.layers), full)
    return int(run.instructions[0]), max(int(worst.instructions[0]), int(run.instructions[0]))
