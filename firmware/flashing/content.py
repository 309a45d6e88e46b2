"""The bytes that go into a board's flash, from a `.bin` or an `.elf`, checked to be a firmware of that board."""

import struct
from pathlib import Path

from firmware.boards.board import Board
from firmware.errors import FlashError
from shared.errors import UsageError

_ELF_MAGIC = b"\x7fELF"


def read_firmware(path: Path, board: Board) -> bytes:
    """What `path` puts into the flash from `board.flash_origin` on.

    UsageError: the file cannot be read, is neither kind, is too long, or begins with the vectors of another chip.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give a firmware, .bin or .elf") from error
    if content.startswith(_ELF_MAGIC):
        content = _loaded(path, board)
    elif path.suffix != ".bin":
        raise UsageError(f"{path} is neither .bin nor .elf; give the file that tocsin firmware build made")
    if not 8 <= len(content) <= board.flash_bytes:
        raise UsageError(f"{path} has {len(content)} bytes, the flash of {board.name} {board.flash_bytes}")
    stack, reset = struct.unpack("<II", content[:8])
    memories = ((board.ram_origin, board.ram_bytes), (board.core_ram_origin, board.core_ram_bytes))
    stack_fits = any(origin < stack <= origin + size for origin, size in memories)
    reset_fits = reset & 1 and board.flash_origin <= reset < board.flash_origin + len(content)
    if not stack_fits or not reset_fits:
        raise UsageError(f"{path} is no firmware for {board.name}: it does not begin with its stack and its start")
    return content


def _loaded(path: Path, board: Board) -> bytes:
    """The parts of an ELF file that lie in the flash, where they are stored."""
    try:
        from elftools.common.exceptions import ELFError

        from firmware.elf_files import flash_content
    except ImportError as error:
        raise FlashError(f"{path} is read with pyelftools; install it with pip install 'tocsin[firmware]'") from error
    try:
        begin, content = flash_content(path)
    except (ELFError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is no ELF file with a firmware ({error}); build it again") from error
    if begin != board.flash_origin:
        raise UsageError(f"{path} begins at 0x{begin:08x}, the flash of {board.name} at 0x{board.flash_origin:08x}")
    return content
