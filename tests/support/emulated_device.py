"""The whole device of firmware/c on emulated cores, with a kernel: Unicorn's, and QEMU's Cortex-M55."""

import functools
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import read_program
from firmware.bench.qemu_machine import find_qemu
from firmware.bench.unicorn_machine import MODEL_ADDRESS, RAM_ADDRESS, UnicornMachine
from firmware.build import C_FOLDER, WARNINGS, packaged_compiler
from firmware.c_program import messages_of
from firmware.kernels.cores import core_named, kernel_named

_BENCH = C_FOLDER.parent / "bench"
_JOB, _SAMPLES, _ROOM, _RESULTS = (RAM_ADDRESS + place for place in (0xF0000, 0x40000, 0x60000, 0xA0000))
_JOB_ADDRESS = 0x70000000
_LIMIT_SECONDS = 120
_FLAGS = (
    "-std=c99",
    "-O2",
    "-ffreestanding",
    "-fno-sanitize=undefined",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
)


@dataclass(frozen=True, eq=False)
class Ran:
    """A status, 0 in order; scores and tops of the readings; messages; elements of the four pools that were needed."""

    status: int
    scores: NDArray[np.uint32]
    tops: NDArray[np.uint32]
    messages: list[bytes]
    needs: tuple[int, ...]


@functools.cache
def _linked(core_name: str, kernel_name: str, defines: tuple[str, ...]) -> bytes:
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    on_qemu = core.unicorn_name is None
    with tempfile.TemporaryDirectory(prefix="tocsin-device-") as folder:
        command = [
            *packaged_compiler(),
            "-target",
            "thumb-freestanding-eabi",
            f"-mcpu={core.compiler_name}",
            *(*_FLAGS, *WARNINGS),
            *(f"-D{name}" for name in (*kernel.all_defines, *defines, *(("EMULATED_QEMU",) if on_qemu else ()))),
            *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels")),
            *(str(path) for name in ("src", "generated") for path in sorted((C_FOLDER / name).glob("*.c"))),
            *(str(C_FOLDER / "kernels" / name) for name in ("run.c", "score.c", *kernel.sources) if kernel.sources),
            str(Path(__file__).with_suffix(".c")),
            f"-Wl,-T,{_BENCH / ('qemu.ld' if on_qemu else 'bench.ld')}",
            "-Wl,--gc-sections",
            *([] if on_qemu else ["-Wl,-e,emulated_device"]),
            *("-o", "device.elf"),
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return (Path(folder) / "device.elf").read_bytes()


def run_emulated(
    core: str,
    kernel: str,
    image: bytes,
    times_ns: NDArray[np.int64],
    counts: NDArray[np.int32],
    *,
    defines: tuple[str, ...] = (),
    offset: int = 0,
) -> Ran:
    """Push the samples, counts (rows, channels), into a device; its image stands `offset` bytes off a word."""
    rows, channels = counts.shape
    samples = np.zeros(rows, np.dtype([("time", "<i8"), ("counts", "<i4", (channels,))]))
    samples["time"], samples["counts"] = times_ns, counts
    elf = _linked(core, kernel, defines)
    if core_named(core).unicorn_name is None:
        status, readings, needs, results = _run_qemu(elf, image, samples.tobytes(), rows)
    else:
        status, readings, needs, results = _run_unicorn(core, elf, image, samples.tobytes(), rows, offset)
    table = np.frombuffer(results[: 8 * readings], np.dtype([("score", "<u4"), ("top", "<u4")]))
    return Ran(status, table["score"], table["top"], messages_of(results[8 * readings :]), needs)


def _run_unicorn(
    core: str, elf: bytes, image: bytes, samples: bytes, rows: int, offset: int
) -> tuple[int, int, tuple[int, ...], bytes]:
    with tempfile.TemporaryDirectory(prefix="tocsin-device-") as folder:
        path = Path(folder) / "device.elf"
        path.write_bytes(elf)
        program = read_program(path)
    name = core_named(core).unicorn_name
    assert name is not None
    assert len(samples) <= _ROOM - _SAMPLES
    machine = UnicornMachine(name, program)
    machine.write(MODEL_ADDRESS + offset, image)
    machine.write(_SAMPLES, samples)
    places = (MODEL_ADDRESS + offset, len(image), _SAMPLES, rows, _ROOM, _RESULTS)
    machine.write(_JOB, struct.pack("<6I", *places))
    status = machine.call("emulated_device", _JOB)
    length, readings, *needs = struct.unpack("<6I", machine.read(_JOB + 24, 24))
    return status, readings, tuple(needs), machine.read(_RESULTS, length)


def _run_qemu(elf: bytes, image: bytes, samples: bytes, rows: int) -> tuple[int, int, tuple[int, ...], bytes]:
    with tempfile.TemporaryDirectory(prefix="tocsin-device-") as name:
        folder = Path(name)
        (folder / "device.elf").write_bytes(elf)
        job = struct.pack("<2I", len(image), rows) + image + bytes(-len(image) % 8) + samples
        (folder / "job.bin").write_bytes(job)
        command = [
            *(find_qemu(), "-M", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "none"),
            *("-semihosting-config", "enable=on,target=native", "-kernel", "device.elf"),
            *("-device", f"loader,file=job.bin,addr={_JOB_ADDRESS:#x},force-raw=on"),
        ]
        subprocess.run(command, cwd=folder, capture_output=True, timeout=_LIMIT_SECONDS, check=True)
        content = (folder / "result.bin").read_bytes()
    status, readings, length, *needs = struct.unpack("<7I", content[:28])
    assert len(content) == 28 + length
    return status, readings, tuple(needs), content[28:]
