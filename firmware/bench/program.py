"""Builds a kernel for a core with the compiler of the package index, and reads the result."""

import functools
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.build import C_FOLDER, WARNINGS, packaged_compiler, run_compiler
from firmware.kernels.cores import Core, Kernel
from shared.errors import UsageError

_FOLDER = Path(__file__).resolve().parent
_FLAGS = ("-std=c99", "-g", "-ffreestanding", "-fno-unwind-tables", "-ffunction-sections")
EXPORTED = ("tocsin_kernel_infer", "tocsin_kernel_input", "tocsin_kernel_needs_of")
#: What runs layers in the core, beside the kernel: sources in firmware/c.
_LAYERS = ("src/tocsin_layer.c", "src/tocsin_dense.c", "src/tocsin_convolution.c", "src/tocsin_integer.c")
_CONSTANTS = ("generated/tocsin_sine_table.c",)
#: Behind the functions of a kernel where there is none.
_PLAIN = "plain_loops.c"


@dataclass(frozen=True)
class Segment:
    """Bytes of the program and where they belong."""

    address: int
    content: bytes


@dataclass(frozen=True)
class Program:
    """A kernel built for a core: what to load, where its functions are, how large it is.

    `instructions` are the parts of the segments that are no data between functions.
    """

    segments: tuple[Segment, ...]
    instructions: tuple[Segment, ...]
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
            *(f"-D{name}" for name in kernel.all_defines),
            *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels")),
            *_kernel_sources(kernel),
            *(str(C_FOLDER / name) for name in dict.fromkeys((*_LAYERS, *_CONSTANTS, *sources))),
            *([] if main is None else [str(_FOLDER / main)]),
            f"-Wl,-T,{_FOLDER / script}",
            "-Wl,--gc-sections",
            *(f"-Wl,-u,{name}" for name in exported),
            "-o",
            str(path),
        ],
        path.parent,
    )


def _kernel_sources(kernel: Kernel) -> list[str]:
    if not kernel.sources:
        return [str(_FOLDER / _PLAIN)]
    return [str(C_FOLDER / "kernels" / name) for name in ("run.c", *kernel.sources)]


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
        marks = sorted((symbol["st_value"], symbol.name[:2]) for symbol in table.iter_symbols() if symbol.name)
    instructions = _instructions(segments[0], [mark for mark in marks if mark[1] in ("$t", "$d")])
    return Program(
        tuple(segments), instructions, symbols, sizes[".text"], sizes[".rodata"], sizes[".data"] + sizes[".bss"]
    )


def _instructions(text: Segment, marks: list[tuple[int, str]]) -> tuple[Segment, ...]:
    """The parts of `text` between a mark $t, where instructions begin, and the next $d, where data begin."""
    end = text.address + len(text.content)
    places = [(address, kind) for address, kind in marks if text.address <= address < end] + [(end, "$d")]
    return tuple(
        Segment(begin, text.content[begin - text.address : stop - text.address])
        for (begin, kind), (stop, _) in itertools.pairwise(places)
        if kind == "$t" and stop > begin
    )
