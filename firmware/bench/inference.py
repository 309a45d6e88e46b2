"""Runs a model on an emulated core, with a kernel or with the plain loops."""

import struct

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import build_program
from firmware.bench.records import packed_layers, record_bytes
from firmware.bench.run import Run
from firmware.bench.unicorn_machine import MODEL_ADDRESS, RAM_ADDRESS, UnicornMachine
from firmware.kernels.cores import Core, Kernel
from firmware.kernels.plan import MemoryPlan, plan_memory
from shared.model_image import Layer

_MODEL_STRUCT = RAM_ADDRESS + 0x1000
_MEMORY_STRUCT = RAM_ADDRESS + 0x1010
_NEEDS_STRUCT = RAM_ADDRESS + 0x1020
_BUFFERS = (RAM_ADDRESS + 0x2000, RAM_ADDRESS + 0x8000, RAM_ADDRESS + 0xE000)
_FENCE = bytes(range(16, 32))


class EmulatedModel:
    """A model packed for a kernel, in the flash of a core."""

    def __init__(self, core: Core, kernel: Kernel, layers: list[Layer]) -> None:
        assert core.unicorn_name is not None
        self.layers = layers
        self.packed = packed_layers(layers, kernel)
        self.program = build_program(core, kernel)
        self.machine = UnicornMachine(core.unicorn_name, self.program)
        self.machine.write(MODEL_ADDRESS, record_bytes(self.packed, kernel.target))
        self.machine.write(_MODEL_STRUCT, struct.pack("<II", MODEL_ADDRESS, len(layers)))
        self.machine.write(_MEMORY_STRUCT, struct.pack("<3I", *_BUFFERS))
        plan = plan_memory(layers, kernel)
        self._fenced = list(zip(_BUFFERS, (plan.first_bytes, plan.second_bytes, plan.scratch_bytes), strict=True))
        for address, size in self._fenced:
            self.machine.write(address - len(_FENCE), _FENCE)
            self.machine.write(address + size, _FENCE)

    def needs(self, *, scored: bool) -> MemoryPlan:
        """What the kernel itself says that it needs."""
        self.machine.call("tocsin_kernel_needs_of", _NEEDS_STRUCT, _MODEL_STRUCT, int(scored))
        return MemoryPlan(*struct.unpack("<3I", self.machine.read(_NEEDS_STRUCT, 12)))

    def infer(self, inputs: NDArray[np.int8], *, count: bool = False) -> Run:
        """One inference per row of inputs (rows, inputs)."""
        machine = self.machine
        if count:
            machine.count()
        place = machine.call("tocsin_kernel_input", _MODEL_STRUCT, _MEMORY_STRUCT)
        outputs = np.empty((len(inputs), self.layers[-1].outputs), np.int8)
        instructions = np.zeros(len(inputs), np.int64)
        machine.paint_stack()
        for row, values in enumerate(np.ascontiguousarray(inputs, np.int8)):
            machine.write(place, values.tobytes())
            before = machine.instructions
            result = machine.call("tocsin_kernel_infer", _MODEL_STRUCT, _MEMORY_STRUCT)
            instructions[row] = machine.instructions - before
            outputs[row] = np.frombuffer(machine.read(result, outputs.shape[1]), np.int8)
        return Run(outputs, instructions, machine.stack_used())

    def fences_hold(self) -> bool:
        """Whether nothing was written beside the planned memory."""
        return all(
            self.machine.read(address - len(_FENCE), len(_FENCE)) == _FENCE
            and self.machine.read(address + size, len(_FENCE)) == _FENCE
            for address, size in self._fenced
        )
