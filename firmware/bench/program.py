"""Builds a kernel for a core with the compiler of the package index, and reads the result."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.bench.cores import Core, Kernel
from firmware.build import C_FOLDER, WARNINGS, packaged_compiler, run_compiler
from shared.errors import UsageError

_FOLDER = Path(__file__).resolve().parent
_FLAGS = ("-std=c99", "-g", "-ffreestanding", "-fno-unwind-tables", "-ffunction-sections")
EXPORTED = ("tocsin_kernel_infer", "tocsin_kernel_input")


@dataclass(frozen=True)
class Segment:
    """Bytes of the program and where they belong."""

    address: int
    content: bytes


@dataclass(frozen=True)
class Program:
    """A kernel built for a core: what to load, where its functions are, how large it is."""

    segments: tuple[Segment, ...]
    symbols: dict[str, int]
    code_bytes: int
    constant_bytes: int
    data_bytes: int


@functools.cache
def build_program(
    core: Core,
    kernel: Kernel,
    main: str | None = None,
    sources: tuple[str, ...] = (),
    exported: tuple[str, ...] = EXPORTED,
) -> Program:
    """Compile and link `exported` functions and what they call; the same sources give the same bytes.

    Raises CompilerError when there is no compiler or it refuses the sources, UsageError without pyelftools.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-kernel-") as folder:
        path = Path(folder) / "kernel.elf"
        link(core, kernel, path, main, sources=sources, exported=exported)
        return read_program(path)


def link(
    core: Core,
    kernel: Kernel,
    path: Path,
    main: str | None = None,
    *,
    sources: tuple[str, ...] = (),
    exported: tuple[str, ...] = EXPORTED,
    script: str = "bench.ld",
) -> None:
    """Compile a kernel into `path`; `main` is one more source of this folder, `sources` more of firmware/c."""
    run_compiler(
        [
            *packaged_compiler(),
            "-target",
            "thumb-freestanding-eabi",
            f"-mcpu={core.compiler_name}",
            kernel.optimization,
            *_FLAGS,
            *WARNINGS,
            *(f"-D{name}" for name in kernel.defines),
            *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels")),
            *(str(C_FOLDER / "kernels" / name) for name in ("run.c", *kernel.sources)),
            str(C_FOLDER / "src" / "tocsin_integer.c"),
            str(C_FOLDER / "generated" / "tocsin_sine_table.c"),
            *(str(C_FOLDER / name) for name in sources),
            *([] if main is None else [str(_FOLDER / main)]),
            f"-Wl,-T,{_FOLDER / script}",
            "-Wl,--gc-sections",
            *(f"-Wl,-u,{name}" for name in exported),
            "-o",
            str(path),
        ],
        path.parent,
    )


def read_program(path: Path) -> Program:
    """An ELF file's loadable sections, functions and sizes."""
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise UsageError("measuring needs the package pyelftools: pip install 'tocsin[firmware]'") from error
    segments = []
    sizes = {".text": 0, ".rodata": 0, ".data": 0, ".bss": 0}
    with path.open("rb") as file:
        elf = ELFFile(file)
        for section in elf.iter_sections():
            if section.name in sizes:
                sizes[section.name] = section["sh_size"]
                if section["sh_type"] == "SHT_PROGBITS" and section["sh_size"]:
                    segments.append(Segment(section["sh_addr"], section.data()))
        table: Any = elf.get_section_by_name(".symtab")
        symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols() if symbol.name}
    return Program(tuple(segments), symbols, sizes[".text"], sizes[".rodata"], sizes[".data"] + sizes[".bss"])
