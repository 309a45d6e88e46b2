"""The features of the C core on emulated cores: built with the compiler of the package index, counted exactly."""

import functools
import itertools
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.program import Program, read_program
from firmware.bench.run import MachineError
from firmware.bench.unicorn_machine import RAM_ADDRESS, UnicornMachine
from firmware.build import C_FOLDER, WARNINGS, packaged_compiler, run_compiler
from firmware.kernels.cores import Core
from shared.signal.arrays import Envelope
from shared.signal.spectrum import SpectrumPlan

_FOLDER = Path(__file__).resolve().parent
_FUNCTION = "tocsin_bench_features"
_SOURCES = ("envelope", "fast", "integer", "moments", "moments_dsp", "spectrum", "spectrum_dsp")
_TABLES = ("sine", "turns")
_FLAGS = (
    *("-std=c99", "-O2", "-ffreestanding", "-fno-sanitize=undefined", "-fno-unwind-tables"),
    *("-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections"),
)
_JOB, _EDGES, _ENVELOPE_EDGES, _POINTS, _RAW, _RINGS = (
    RAM_ADDRESS + place for place in (0x100, 0x200, 0x300, 0x1000, 0x6000, 0x20000)
)
_RINGS_BYTES_MAX = 0x40000
_FENCE = bytes(range(16, 32))


@functools.cache
def feature_program(core: Core, *, portable: bool = False) -> Program:
    """The features for a core; `portable` forbids the sources for the DSP extension."""
    with tempfile.TemporaryDirectory(prefix="tocsin-features-") as folder:
        path = Path(folder) / "features.elf"
        sources = [C_FOLDER / "src" / f"tocsin_{name}.c" for name in _SOURCES]
        sources += [C_FOLDER / "generated" / f"tocsin_{name}_table.c" for name in _TABLES]
        command = [
            *(*packaged_compiler(), "-target", "thumb-freestanding-eabi", f"-mcpu={core.compiler_name}"),
            *(*_FLAGS, *WARNINGS, *(["-DTOCSIN_PORTABLE"] if portable else [])),
            *(f"-I{C_FOLDER / name}" for name in ("include", "generated")),
            *(*map(str, sources), str(_FOLDER / "features_entry.c"), f"-Wl,-T,{_FOLDER / 'bench.ld'}"),
            *("-Wl,--gc-sections", f"-Wl,-e,{_FUNCTION}", "-o", str(path)),
        ]
        run_compiler(command, path.parent)
        return read_program(path)


@dataclass(frozen=True, eq=False)
class Counted:
    """Raw features (windows, 3 + bands + envelope bands); instructions of all windows; stack bytes."""

    features: NDArray[np.int32]
    instructions: int
    stack_bytes: int


class EmulatedFeatures:
    """A core that Unicorn has, with the features in its flash."""

    def __init__(self, core: Core, *, portable: bool = False, count: bool = False) -> None:
        assert core.unicorn_name is not None
        self.program = feature_program(core, portable=portable)
        self.machine = UnicornMachine(core.unicorn_name, self.program)
        if count:
            self.machine.count()

    def features(
        self,
        windows: NDArray[np.int64],
        edges: list[int],
        oldest: int = 0,
        offset: int = 0,
        envelope: Envelope | None = None,
    ) -> Counted:
        """Of windows (windows, samples); in their rings they begin at `oldest`, the rings `offset` bytes off a word.

        Raises MachineError where memory beside the points was written.
        """
        machine = self.machine
        count, samples = windows.shape
        rings = np.roll(windows, oldest, axis=1).astype("<i2").tobytes()
        first, bins, envelope_edges = envelope or (0, 1, (0,))
        width = 3 + len(edges) - 1 + len(envelope_edges) - 1
        assert len(rings) < _RINGS_BYTES_MAX
        assert 4 * count * width <= _RINGS - _RAW
        machine.write(_RINGS + offset, rings)
        machine.write(_EDGES, struct.pack(f"<{len(edges)}H", *edges))
        machine.write(_ENVELOPE_EDGES, struct.pack(f"<{len(envelope_edges)}H", *envelope_edges))
        fences = (_POINTS - len(_FENCE), _POINTS + 4 * samples)
        for fence in fences:
            machine.write(fence, _FENCE)
        window = (_RINGS + offset, oldest, samples.bit_length() - 1)
        bands = (_EDGES, len(edges) - 1, _ENVELOPE_EDGES, len(envelope_edges) - 1, first, bins.bit_length() - 1)
        machine.write(_JOB, struct.pack("<12I", *window, *bands, _POINTS, _RAW, count))
        machine.paint_stack()
        before = machine.instructions
        machine.call(_FUNCTION, _JOB)
        if any(machine.read(fence, len(_FENCE)) != _FENCE for fence in fences):
            raise MachineError("the features wrote beside their points")
        raw = np.frombuffer(machine.read(_RAW, 4 * count * width), "<i4").reshape(count, width)
        return Counted(raw, machine.instructions - before, machine.stack_used())

    def parts(self, windows: NDArray[np.int64], edges: list[int], envelope: Envelope) -> dict[str, int]:
        """Instructions of one window by part; logarithms of all but the envelope's bands are `rest`."""
        machine = self.machine
        samples = windows.shape[1]
        with_envelope = self.features(windows, edges, envelope=envelope)
        everything = self.features(windows, edges)
        log2_samples = samples.bit_length() - 1
        machine.write(_JOB, struct.pack("<3I", _RINGS, 0, log2_samples))
        marks = [machine.instructions]
        machine.call("tocsin_moments_of", _JOB, _RAW)
        marks.append(machine.instructions)
        mean, largest = struct.unpack("<II", machine.read(_RAW, 8))
        shift = SpectrumPlan(samples).shift_for(largest)
        machine.call("tocsin_spectrum_make", _JOB, mean, shift, _POINTS)
        marks.append(machine.instructions)
        for low, high in itertools.pairwise(edges):
            machine.call("tocsin_spectrum_energy", _POINTS, log2_samples, low, high)
        marks.append(machine.instructions)
        found = dict(zip(("moments", "spectrum", "energies"), map(int, np.diff(marks)), strict=True))
        found["rest"] = everything.instructions - sum(found.values())
        return found | {"envelope": with_envelope.instructions - everything.instructions}
