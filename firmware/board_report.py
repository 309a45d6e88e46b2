"""A built firmware in lines for people: its files, and what it fills of the board's memories."""

from firmware.board_build import BOOT_RECORD_BYTES, BoardFirmware
from firmware.elf_files import read_sizes


def report_lines(firmware: BoardFirmware) -> list[str]:
    """One line a file, then one a memory and what it holds, in bytes and percent of what there is."""
    sizes = read_sizes(firmware.elf)
    board = firmware.board
    flash_bytes = board.flash_bytes - BOOT_RECORD_BYTES
    profile = firmware.device.birth.profile
    version = firmware.device.content.version
    entries = (
        ("flash", sizes.flash, flash_bytes),
        ("  code", sizes.vectors_and_code, flash_bytes),
        ("  constants", sizes.constants, flash_bytes),
        ("  model image", sizes.image, flash_bytes),
        ("  first values", sizes.data, flash_bytes),
        ("RAM", sizes.ram, board.ram_bytes),
        ("  variables", sizes.data, board.ram_bytes),
        ("  zeroed variables", sizes.zeroed, board.ram_bytes),
        ("  stack", sizes.stack, board.ram_bytes),
        ("left for messages", sizes.waiting, board.ram_bytes),
    )
    width = max(len(name) for name, _, _ in entries)
    lines = [f"device {profile.device} ({profile.kind}), model image version {version}, for board {board.name}"]
    lines += [f"built {path}" for path in (firmware.elf, firmware.bin, firmware.hex)]
    lines += [
        f"{name:<{width}}  {filled:>7} of {limit:>7} bytes  {100 * filled / limit:>5.1f} %"
        for name, filled, limit in entries
    ]
    return lines
