"""Builds the C core with whatever compiler the machine has, or with the one from the package index (ziglang)."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from firmware.errors import CompilerError
from shared.errors import UsageError

C_FOLDER = Path(__file__).resolve().parent / "c"
DEVICE_PROGRAM = "tocsin-device"
IMAGE_CHECK_PROGRAM = "tocsin-image-check"
PARTS_CHECK_PROGRAM = "tocsin-parts-check"

_INCLUDES = ("include", "generated", "ports/host")
_CORE = ("src/*.c", "generated/*.c")
_PROGRAMS = {
    DEVICE_PROGRAM: ("main.c", "host_image.c", "host_memory.c", "host_streams.c"),
    IMAGE_CHECK_PROGRAM: ("image_check.c",),
    PARTS_CHECK_PROGRAM: ("parts_check.c",),
}
WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wvla",
    "-Wcast-align",
    "-Wcast-qual",
)
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_LIMIT_SECONDS = 300


def find_compiler() -> list[str]:
    """The command of a C compiler: `cc`, `gcc` or `clang` of this machine, else the one of the ziglang package.

    Raises CompilerError when there is none.
    """
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return [found]
    return packaged_compiler()


def packaged_compiler() -> list[str]:
    """The command of ziglang's C compiler; CompilerError when it is not installed."""
    if importlib.util.find_spec("ziglang") is None:
        raise CompilerError(
            "no C compiler: none of cc, gcc and clang is on the path and the package ziglang is not installed; "
            "install one of them, for example with pip install 'tocsin[firmware]'"
        )
    return [sys.executable, "-m", "ziglang", "cc"]


def sources() -> list[Path]:
    """Every file that a host build reads, in a fixed order."""
    patterns = ("include/*.h", "src/*.c", "generated/*.[ch]", "ports/host/*.[ch]")
    return [path for pattern in patterns for path in sorted(C_FOLDER.glob(pattern))]


def build_host(output_folder: Path, *, sanitize: bool = False, compiler: Sequence[str] | None = None) -> Path:
    """Build the host programs unless the same sources were built by the same compiler before.

    Parameters
    ----------
    output_folder
        Made when missing; each build has a folder of its own in it, named by its digest.
    sanitize
        Let the programs stop at the first memory error or undefined behaviour.
    compiler
        Command of the compiler; `find_compiler()` when None.

    Returns
    -------
    Path of `tocsin-device`; `tocsin-image-check` and `tocsin-parts-check` lie beside it.

    Raises
    ------
    CompilerError
        There is no compiler, or it refused the sources.
    UsageError
        `output_folder` cannot be made.
    """
    command = list(find_compiler() if compiler is None else compiler)
    flags = ["-std=c99", "-O2", *WARNINGS, *(_SANITIZERS if sanitize else ())]
    folder = output_folder / f"host-{_digest(command, flags)}"
    if not folder.is_dir():
        try:
            output_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{output_folder} is no folder ({error.strerror}); give another --out") from error
        _build(command, flags, folder.resolve())  # the compiler runs in a folder of its own
    return folder / DEVICE_PROGRAM


def _build(command: list[str], flags: list[str], folder: Path) -> None:
    """Compile in a folder beside the result, then move it there: a build is whole or absent."""
    includes = [f"-I{C_FOLDER / name}" for name in _INCLUDES]
    core = [str(path) for pattern in _CORE for path in sorted(C_FOLDER.glob(pattern))]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-", ignore_cleanup_errors=True) as workplace:
        programs = Path(workplace) / "programs"
        programs.mkdir()
        for program, names in _PROGRAMS.items():
            own = [str(C_FOLDER / "ports" / "host" / name) for name in names]
            run_compiler([*command, *flags, *includes, *core, *own, "-o", str(programs / program)], programs)
        try:
            programs.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # otherwise another process was faster with the same build
                raise CompilerError(f"{folder} cannot be written: {error.strerror}") from error


def run_compiler(command: list[str], folder: Path) -> None:
    """Run a compiler's command in `folder`; CompilerError names its first complaint about firmware/c."""
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_LIMIT_SECONDS, check=False
        )
    except OSError as error:
        raise CompilerError(f"the C compiler {command[0]} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"the C compiler {command[0]} did not end within {_LIMIT_SECONDS} s; try again") from error
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if "error" in line), lines[0] if lines else "no reason given")
        raise CompilerError(
            f"the C compiler {' '.join(command[:4])} refused firmware/c: {reason.strip()}; "
            "another one on the path, or the package ziglang, may take it"
        )


def _digest(command: list[str], flags: list[str]) -> str:
    """Twelve hexadecimal digits over the sources, the compiler and its flags."""
    hasher = hashlib.sha256("\0".join([*command, _version(command), *flags]).encode())
    for path in sources():
        content = path.read_bytes()
        hasher.update(f"\0{path.relative_to(C_FOLDER).as_posix()}\0{len(content)}\0".encode() + content)
    return hasher.hexdigest()[:12]


def _version(command: list[str]) -> str:
    try:
        result = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerError(
            f"the C compiler {command[0]} cannot be started; install gcc or clang, or the package ziglang"
        ) from error
    return result.stdout
