"""A firmware's ELF file as what flashing tools take: raw bytes, Intel HEX; and how much of the memories it fills."""

from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from firmware.errors import FirmwareError

_RECORD_BYTES = 16
_ERASED = 0xFF
_SECTION_ALLOCATED = 2


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes. Flash holds `vectors_and_code`, `constants`, `image` and the first values of `data`; RAM the rest."""

    vectors_and_code: int
    constants: int
    image: int
    data: int
    zeroed: int
    stack: int
    #: What is left of the RAM, and belongs to the messages that wait.
    waiting: int

    @property
    def flash(self) -> int:
        """All of the flash that is programmed."""
        return self.vectors_and_code + self.constants + self.image + self.data

    @property
    def ram(self) -> int:
        """All of the RAM but what is left for messages."""
        return self.data + self.zeroed + self.stack


def read_sizes(elf: Path) -> Sizes:
    """The sizes of a firmware built with `firmware/c/ports`' linker script."""
    with elf.open("rb") as file:
        content = ELFFile(file)
        sections = {
            section.name: int(section["sh_size"])
            for section in content.iter_sections()
            if section["sh_flags"] & _SECTION_ALLOCATED
        }
        symbols = symbols_of(content)
    return Sizes(
        vectors_and_code=sections[".vectors"] + sections[".text"],
        constants=sections.get(".rodata", 0),
        image=sections[".image"],
        data=sections.get(".data", 0),
        zeroed=sections[".bss"] + sections.get(".kept", 0),
        stack=sections[".stack"],
        waiting=symbols["memory_end"] - symbols["ring"],
    )


def symbols_of(content: ELFFile) -> dict[str, int]:
    """Address of each named symbol; FirmwareError when they were stripped."""
    table = content.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise FirmwareError("the firmware's ELF file has no symbols; build it again")
    return {symbol.name: int(symbol["st_value"]) for symbol in table.iter_symbols() if symbol.name}


def flash_content(elf: Path) -> tuple[int, bytes]:
    """Where in the flash the firmware begins, and its bytes without a gap."""
    with elf.open("rb") as file:
        segments = [
            (int(segment["p_paddr"]), bytes(segment.data()))
            for segment in ELFFile(file).iter_segments()
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]
        ]
    begin = min(address for address, _ in segments)
    end = max(address + len(data) for address, data in segments)
    content = bytearray([_ERASED]) * (end - begin)
    for address, data in segments:
        content[address - begin : address - begin + len(data)] = data
    return begin, bytes(content)


def _record(kind: int, address: int, data: bytes) -> str:
    body = bytes([len(data), address >> 8 & 0xFF, address & 0xFF, kind]) + data
    return ":" + (body + bytes([-sum(body) & 0xFF])).hex().upper() + "\n"


def intel_hex(begin: int, content: bytes) -> str:
    """`content` at address `begin` as Intel HEX (32-bit addresses).

    >>> print(intel_hex(0x0800FFFE, b"abc"), end="")
    :020000040800F2
    :02FFFE0061623E
    :020000040801F1
    :01000000639C
    :00000001FF
    """
    lines = []
    upper = -1
    position = 0
    while position < len(content):
        address = begin + position
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(_record(4, 0, upper.to_bytes(2, "big")))
        length = min(_RECORD_BYTES, len(content) - position, 0x10000 - (address & 0xFFFF))
        lines.append(_record(0, address & 0xFFFF, content[position : position + length]))
        position += length
    lines.append(_record(1, 0, b""))
    return "".join(lines)
