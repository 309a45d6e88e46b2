"""The host program with the kernel of target dsp, its assembly told in C: packed devices on this machine."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from firmware.build import C_FOLDER, WARNINGS, find_compiler

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_HOST = ("main.c", "host_image.c", "host_memory.c", "host_streams.c")
_KERNEL = ("run.c", "score.c", "dsp.c")


def build_packed(folder: Path, *, defines: Sequence[str] = (), flags: Sequence[str] = ()) -> Path | None:
    """`tocsin-device` with the kernel, in `folder`; None where the compiler does not take `flags`."""
    program = folder / "-".join(["packed-device", *defines, *(["checked"] if flags else [])])
    command = [
        *(*find_compiler(), "-std=c99", "-O2", *WARNINGS, *flags, "-DTOCSIN_KERNEL_TARGET=2"),
        *(f"-D{name}" for name in defines),
        *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels", "ports/host")),
        *(str(path) for name in ("src", "generated") for path in sorted((C_FOLDER / name).glob("*.c"))),
        *(str(C_FOLDER / "kernels" / name) for name in _KERNEL),
        str(C_FOLDER / "ports" / "fuzz" / "dsp_rows.c"),
        *(str(C_FOLDER / "ports" / "host" / name) for name in _HOST),
        *("-o", str(program)),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 or flags, done.stderr
    return program if done.returncode == 0 else None
