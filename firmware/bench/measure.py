"""Instructions, sizes and memory of every kernel on every core."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.bench.inference import EmulatedModel
from firmware.bench.program import build_program
from firmware.bench.qemu_machine import infer_with_qemu
from firmware.bench.records import packed_layers, record_bytes
from firmware.bench.reference import saturated
from firmware.bench.run import MachineError, Run
from firmware.kernels.cores import Core, Kernel, core_named, kernel_named, without_unused
from firmware.kernels.plan import plan_memory
from shared.model_image import LAYER_DENSE, Layer
from shared.quantized import arrays


@dataclass(frozen=True)
class Measurement:
    """One row of the table: exact instructions of an inference, from int8 inputs to int8 outputs.

    `instructions_first` are those of the first input. `instructions_worst` holds for every input of a model none of
    whose rows runs in plain loops. `ram_bytes` are all buffers, inputs and outputs included. `plain_blocks` are run in
    plain loops.
    """

    model: str
    core: str
    variant: str
    instructions_first: int
    instructions_mean: float
    instructions_worst: int
    code_bytes: int
    table_bytes: int
    ram_bytes: int
    stack_bytes: int
    plain_blocks: int


def infer(core: Core, kernel: Kernel, layers: list[Layer], inputs: NDArray[np.int8], *, count: bool = True) -> Run:
    """One inference per row of inputs (rows, inputs) on an emulated core."""
    if core.unicorn_name is None:
        return infer_with_qemu(core, kernel, layers, inputs)
    model = EmulatedModel(core, kernel, layers)
    run = model.infer(inputs, count=count)
    if not model.fences_hold():
        raise MachineError(f"kernel {kernel.name} on {core.name} wrote beside its memory")
    return run


def built_for(kernel: Kernel, layers: list[Layer]) -> Kernel:
    """The kernel without what these layers do not need."""
    if not kernel.sources:
        return kernel
    plain_rows = sum(layer.plain for layer in packed_layers(layers, kernel))
    dense_only = all(layer.kind == LAYER_DENSE for layer in layers)
    return without_unused(kernel, plain_rows=plain_rows, dense_only=dense_only)


def worst_case(core: Core, kernel: Kernel, layers: list[Layer]) -> int:
    """The most instructions that any input of a model of these sizes takes, without plain blocks."""
    every_value_counts = np.full((1, layers[0].inputs), 127, np.int8)
    return int(infer(core, kernel, saturated(layers), every_value_counts).instructions[0])


def expected(layers: list[Layer], inputs: NDArray[np.int8]) -> NDArray[np.int64]:
    """What every kernel must give."""
    values = inputs.astype(np.int64)
    for layer in layers:
        values = arrays.forward(layer, values)
    return values


def measure(model: str, layers: list[Layer], inputs: NDArray[np.int8], core_name: str, kernel_name: str) -> Measurement:
    """`measure_kernel` of a core and a kernel by their names."""
    return measure_kernel(model, layers, inputs, core_named(core_name), kernel_named(kernel_name))


def measure_kernel(
    model: str, layers: list[Layer], inputs: NDArray[np.int8], core: Core, kernel: Kernel
) -> Measurement:
    """Run, compare every output byte, and count; the kernel is built without what this model does not need.

    Raises MachineError when a byte differs: no figure is given for a wrong result.
    """
    packed = packed_layers(layers, kernel)
    plain_blocks = sum(layer.plain for layer in packed)
    kernel = built_for(kernel, layers)
    run = infer(core, kernel, layers, inputs)
    differing = int((run.outputs != expected(layers, inputs)).sum())
    if differing:
        raise MachineError(f"kernel {kernel.name} on {core.name} gave {differing} wrong bytes for {model}")
    worst = worst_case(core, kernel, layers)
    program = build_program(core, kernel)
    return Measurement(
        model,
        core.name,
        kernel.name,
        int(run.instructions[0]),
        float(run.instructions.mean()),
        max(worst, int(run.instructions.max())),
        program.code_bytes,
        program.constant_bytes + len(record_bytes(packed, kernel.target)),
        program.data_bytes + plan_memory(layers, kernel).total_bytes,
        run.stack_bytes,
        plain_blocks,
    )
