"""A whole fast device of the C core on emulated cores, without a model: samples in, scaled features out, counted."""

import functools
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import Program, read_program
from firmware.bench.run import MachineError
from firmware.bench.unicorn_machine import MODEL_ADDRESS, RAM_ADDRESS, UnicornMachine
from firmware.build import C_FOLDER, WARNINGS, packaged_compiler, run_compiler
from firmware.kernels.cores import Core
from shared import model_image
from shared.image_content import ImageContent

_FOLDER = Path(__file__).resolve().parent
_START, _PUSH = "tocsin_bench_start", "tocsin_bench_push"
_FLAGS = (
    *("-std=c99", "-O2", "-ffreestanding", "-fno-sanitize=undefined", "-fno-unwind-tables"),
    *("-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections"),
)
_JOB, _COUNTS = RAM_ADDRESS + 0x80000, RAM_ADDRESS + 0x81000
_JOB_LAYOUT = struct.Struct("<4Iq2I")


@functools.cache
def sample_program(core: Core, channels: int, window: int, features: int, *, portable: bool = False) -> Program:
    """A device with just the memory that it needs; `portable` forbids the sources for the DSP extension."""
    sizes = {"CHANNELS": channels, "WINDOW": window, "FEATURES": features}
    with tempfile.TemporaryDirectory(prefix="tocsin-samples-") as folder:
        path = Path(folder) / "samples.elf"
        sources = [path for name in ("src", "generated") for path in sorted((C_FOLDER / name).glob("*.c"))]
        command = [
            *(*packaged_compiler(), "-target", "thumb-freestanding-eabi", f"-mcpu={core.compiler_name}"),
            *(*_FLAGS, *WARNINGS, *(["-DTOCSIN_PORTABLE"] if portable else [])),
            *(f"-DBENCH_{name}={size}" for name, size in sizes.items()),
            *(f"-I{C_FOLDER / name}" for name in ("include", "generated")),
            *(*map(str, sources), str(_FOLDER / "samples_entry.c"), f"-Wl,-T,{_FOLDER / 'bench.ld'}"),
            *("-Wl,--gc-sections", f"-Wl,-e,{_PUSH}", f"-Wl,-u,{_START}", "-o", str(path)),
        ]
        run_compiler(command, path.parent)
        return read_program(path)


@dataclass(frozen=True, eq=False)
class Pushed:
    """Scaled features of the last window, channel by channel; values clipped; instructions and stack of the push."""

    features: NDArray[np.int16]
    clipped: int
    instructions: int
    stack_bytes: int


class EmulatedSamples:
    """A core that Unicorn has, with a device in its flash; `image` is fast and has no layers.

    Raises MachineError where the device does not start.
    """

    def __init__(self, core: Core, image: ImageContent, *, portable: bool = False) -> None:
        assert core.unicorn_name is not None
        self._width = len(image.features)
        self.program = sample_program(core, len(image.channels), image.window, self._width, portable=portable)
        self._machine = UnicornMachine(core.unicorn_name, self.program)
        content = model_image.seal(model_image.encode(image))
        self._image_bytes = len(content)
        self._machine.write(MODEL_ADDRESS, content)
        self._run(_START, 0)
        self._machine.count()

    def push(self, counts: NDArray[np.integer]) -> Pushed:
        """Start the device, then push rows (rows, channels); one count of instructions for all rows, without the start.

        Raises MachineError when a push fails or the last row closes no window.
        """
        self._run(_START, 0)
        self._machine.write(_COUNTS, np.ascontiguousarray(counts, "<i4").tobytes())
        self._machine.paint_stack()
        before = self._machine.instructions
        self._run(_PUSH, len(counts))
        *_, features, clipped = _JOB_LAYOUT.unpack(self._machine.read(_JOB, _JOB_LAYOUT.size))
        if features == 0:
            raise MachineError("the last sample closed no window: push whole windows")
        found = np.frombuffer(self._machine.read(features, 2 * self._width), "<i2")
        return Pushed(found, clipped, self._machine.instructions - before, self._machine.stack_used())

    def _run(self, function: str, rows: int) -> None:
        self._machine.write(_JOB, _JOB_LAYOUT.pack(MODEL_ADDRESS, self._image_bytes, _COUNTS, rows, 0, 0, 0))
        status = self._machine.call(function, _JOB)
        if status:
            raise MachineError(f"{function} ended with status {status}")
