"""A Cortex-M55 in QEMU (mps3-an547): runs a packed model over many inputs and counts instructions by its SysTick.

With `-icount shift=9` an instruction takes 512 ns, which are 16.384 ticks of the 32 MHz SysTick: the nearest whole
number of instructions is exact, up to a million of them.
"""

import functools
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import link
from firmware.bench.records import job_bytes
from firmware.bench.run import MachineError, Run
from firmware.kernels.cores import Core, Kernel
from shared.errors import UsageError
from shared.model_image import Layer

QEMU = "qemu-system-arm"
_MACHINE = "mps3-an547"
_JOB_ADDRESS = 0x70000000
_TICKS_PER_INSTRUCTION = 512 * 0.032
#: The 24-bit counter wraps a little beyond.
INSTRUCTIONS_MAX = 1_000_000
_LIMIT_SECONDS = 60


def find_qemu() -> str:
    """The path of QEMU; UsageError with the remedy when there is none."""
    found = shutil.which(QEMU)
    if found is None:
        raise UsageError(f"{QEMU} is not on the path; install it, for example with apt install qemu-system-arm")
    return found


@functools.cache
def _linked(core: Core, kernel: Kernel) -> bytes:
    with tempfile.TemporaryDirectory(prefix="tocsin-kernel-") as folder:
        path = Path(folder) / "qemu.elf"
        link(core, kernel, path, "qemu_main.c", script="qemu.ld")
        return path.read_bytes()


def infer_with_qemu(core: Core, kernel: Kernel, layers: list[Layer], inputs: NDArray[np.int8]) -> Run:
    """One inference per row of inputs (rows, inputs), of which there must be one.

    Raises UsageError without QEMU, MachineError when the program does not end well.
    """
    width = layers[-1].outputs
    with tempfile.TemporaryDirectory(prefix="tocsin-qemu-") as name:
        folder = Path(name)
        (folder / "program.elf").write_bytes(_linked(core, kernel))
        (folder / "job.bin").write_bytes(job_bytes(kernel, layers, inputs))
        command = [
            *(find_qemu(), "-M", _MACHINE, "-icount", "shift=9", "-display", "none", "-monitor", "none"),
            *("-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel", "program.elf"),
            *("-device", f"loader,file=job.bin,addr={_JOB_ADDRESS:#x},force-raw=on"),
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"{QEMU} did not end within {_LIMIT_SECONDS} s: the program hangs") from error
        result = folder / "result.bin"
        content = result.read_bytes() if result.is_file() else b""
    expected = 8 + len(inputs) * (4 + width)
    if done.returncode or len(content) != expected:
        said = done.stderr.strip().splitlines()
        raise MachineError(
            f"{QEMU} gave {len(content)} of {expected} bytes (exit status {done.returncode}): "
            f"{said[-1] if said else 'no message'}"
        )
    records = np.frombuffer(content[8:], np.dtype([("ticks", "<u4"), ("outputs", np.int8, width)]))
    nothing, stack_bytes = struct.unpack("<II", content[:8])
    instructions = np.rint((records["ticks"].astype(np.float64) - nothing) / _TICKS_PER_INSTRUCTION).astype(np.int64)
    if int(instructions.max()) > INSTRUCTIONS_MAX:
        raise MachineError(
            f"{QEMU} counted {instructions.max()} instructions, and its counter wraps soon after: count less"
        )
    return Run(records["outputs"].copy(), instructions, stack_bytes)
