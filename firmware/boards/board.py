"""What a board is to the build, the emulator and the flashing tools."""

from dataclasses import dataclass
from typing import Literal

#: "c": the core of `firmware/c` with a port; "micropython": the twin, on the board's MicroPython.
Language = Literal["c", "micropython"]


@dataclass(frozen=True, slots=True)
class Board:
    """One board. Addresses and sizes are those of the microcontroller; a board with MicroPython leaves them at 0.

    `usb_ids` are the (vendor, product) numbers under which it, or the probe on it, is flashed. `flash_tools` are the
    programs that can do it, the first one first. `how_to_enter` says how a person makes the board ready for flashing.
    """

    name: str
    title: str
    language: Language
    core: str
    flash_tools: tuple[str, ...]
    usb_ids: tuple[tuple[int, int], ...]
    how_to_enter: str
    zig_cpu: str = ""
    flash_origin: int = 0
    flash_bytes: int = 0
    ram_origin: int = 0
    ram_bytes: int = 0
    #: Memory that only the core reaches (no DMA), beside the RAM.
    core_ram_origin: int = 0
    core_ram_bytes: int = 0
    qemu_machine: str | None = None
    notes: tuple[str, ...] = ()
