"""Many inferences of a kernel in one call: on an emulated core, or in the portable C of this machine."""

import ctypes
import hashlib
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import Program, build_program
from firmware.bench.qemu_machine import infer_with_qemu
from firmware.bench.records import packed_layers, record_bytes
from firmware.bench.run import MachineError
from firmware.bench.unicorn_machine import MODEL_ADDRESS, RAM_ADDRESS, RAM_BYTES, UnicornMachine
from firmware.build import C_FOLDER, WARNINGS, run_compiler
from firmware.kernels.cores import Core, Kernel, kernel_named
from firmware.kernels.plan import plan_memory
from shared.model_image import Layer

_SOURCE = Path(__file__).with_suffix(".c")
_FUNCTION = "batched_infer"
_JOB = RAM_ADDRESS + 0x1000
_BUFFERS = (RAM_ADDRESS + 0x2000, RAM_ADDRESS + 0x8000, RAM_ADDRESS + 0xE000)
#: Inputs and outputs of a batch, up to where the stack may reach.
_ROWS, _ROWS_END = RAM_ADDRESS + 0x14000, RAM_ADDRESS + RAM_BYTES - 0x4000
_FENCE = bytes(range(16, 32))


def batched_outputs(core: Core, kernel: Kernel, layers: list[Layer], inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Outputs (rows, outputs) of inputs (rows, inputs) on an emulated core; MachineError where it wrote elsewhere."""
    if core.unicorn_name is None:
        return infer_with_qemu(core, kernel, layers, inputs).outputs
    machine = UnicornMachine(core.unicorn_name, _program(core, kernel))
    machine.write(MODEL_ADDRESS, record_bytes(packed_layers(layers, kernel), kernel.target))
    plan = plan_memory(layers, kernel)
    fences = []
    for address, size in zip(_BUFFERS, (plan.first_bytes, plan.second_bytes, plan.scratch_bytes), strict=True):
        fences += [address - len(_FENCE), address + size]
    for fence in fences:
        machine.write(fence, _FENCE)
    rows, width, wide = np.ascontiguousarray(inputs, np.int8), layers[0].inputs, layers[-1].outputs
    step = (_ROWS_END - _ROWS - len(_FENCE)) // (width + wide)
    parts = []
    for part in (rows[begin : begin + step] for begin in range(0, len(rows), step)):
        target = _ROWS + part.size
        machine.write(_ROWS, part.tobytes())
        machine.write(target + len(part) * wide, _FENCE)
        machine.write(
            _JOB, struct.pack("<10I", MODEL_ADDRESS, len(layers), *_BUFFERS, _ROWS, target, len(part), width, wide)
        )
        machine.call(_FUNCTION, _JOB)
        if any(machine.read(fence, len(_FENCE)) != _FENCE for fence in (*fences, target + len(part) * wide)):
            raise MachineError(f"kernel {kernel.name} on {core.name} wrote beside its memory")
        parts.append(np.frombuffer(machine.read(target, len(part) * wide), np.int8).reshape(len(part), wide))
    return np.concatenate(parts)


def _program(core: Core, kernel: Kernel) -> Program:
    return build_program(core, kernel, str(_SOURCE), exported=(_FUNCTION,))


class _Batch(ctypes.Structure):
    _fields_ = (
        ("packed", ctypes.c_void_p),
        ("layers", ctypes.c_uint32),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("count", ctypes.c_uint32),
        ("input_width", ctypes.c_uint32),
        ("output_width", ctypes.c_uint32),
    )


class PortableLayers:
    """The portable C of the layers, built by a compiler of this machine into a library that is loaded here."""

    def __init__(self, compiler: list[str], folder: Path) -> None:
        name = hashlib.sha256("\0".join(compiler).encode()).hexdigest()[:12]
        path = folder / f"layers-{name}.so"
        sources = [C_FOLDER / "src" / f"tocsin_{part}.c" for part in ("layer", "dense", "convolution", "integer")]
        sources += [C_FOLDER / "generated" / "tocsin_sine_table.c", C_FOLDER.parent / "bench" / "plain_loops.c"]
        command = [*compiler, "-std=c99", "-O2", "-fPIC", "-shared", *WARNINGS]
        command += [f"-D{define}" for define in kernel_named("plain").all_defines]
        command += [f"-I{C_FOLDER / part}" for part in ("include", "generated", "kernels")]
        run_compiler([*command, *map(str, sources), str(_SOURCE), "-o", str(path)], folder)
        self._library = ctypes.CDLL(str(path))

    def outputs(self, layers: list[Layer], inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        """Outputs (rows, outputs) of inputs (rows, inputs)."""
        rows, kernel = np.ascontiguousarray(inputs, np.int8), kernel_named("plain")
        plan = plan_memory(layers, kernel)
        first, second, scratch = (
            ctypes.create_string_buffer(size + 4) for size in (plan.first_bytes, plan.second_bytes, plan.scratch_bytes)
        )
        packed = ctypes.create_string_buffer(record_bytes(layers, kernel.target))
        outputs = np.empty((len(rows), layers[-1].outputs), np.int8)
        batch = _Batch(
            ctypes.addressof(packed),
            len(layers),
            *(ctypes.addressof(buffer) for buffer in (first, second, scratch)),
            rows.ctypes.data,
            outputs.ctypes.data,
            len(rows),
            layers[0].inputs,
            layers[-1].outputs,
        )
        self._library.batched_infer(ctypes.byref(batch))
        return outputs
