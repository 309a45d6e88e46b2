"""The portable kernel on the machine that builds it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.cores import kernel_named
from firmware.bench.job import job_bytes
from firmware.bench.run import MachineError
from firmware.build import C_FOLDER, WARNINGS, run_compiler
from firmware.kernels.plan import MemoryPlan
from shared.model_image import Layer

_LIMIT_SECONDS = 60


def build_portable(folder: Path, compiler: Sequence[str], flags: Sequence[str] = ()) -> Path:
    """The program of `host_main.c` in `folder`; CompilerError where the compiler refuses."""
    path = folder / "portable-kernel"
    core = ("src/tocsin_integer.c", "generated/tocsin_sine_table.c", "kernels/run.c", "kernels/portable.c")
    run_compiler(
        [
            *(*compiler, "-std=c99", "-O2", *WARNINGS, *flags),
            *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels")),
            *(str(C_FOLDER / name) for name in core),
            *(str(Path(__file__).resolve().parent / "host_main.c"), "-o", str(path)),
        ],
        folder,
    )
    return path


def infer_on_host(
    program: Path, layers: list[Layer], inputs: NDArray[np.int8]
) -> tuple[NDArray[np.int8], MemoryPlan, MemoryPlan]:
    """Outputs (rows, outputs), and the memory that the program says it needs: outputs kept, outputs scored."""
    kernel = kernel_named("portable")
    done = subprocess.run(
        [str(program)],
        input=job_bytes(kernel, layers, inputs),
        capture_output=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise MachineError(f"{program.name} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    needs = np.frombuffer(done.stdout[:16], np.uint32).tolist()
    outputs = np.frombuffer(done.stdout[16:], np.int8).reshape(len(inputs), layers[-1].outputs)
    return outputs, MemoryPlan(needs[0], needs[1]), MemoryPlan(needs[2], needs[3])
