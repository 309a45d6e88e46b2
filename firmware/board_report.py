"""A built firmware in lines for people: its files, and what it fills of the board's memories."""

from firmware.board_build import BOOT_RECORD_BYTES, BoardFirmware
from firmware.board_kernel import BoardModel, counted_instructions
from firmware.elf_files import read_sizes
from shared.quantized.targets import target_name


def model_lines(model: BoardModel) -> list[str]:
    """How the model is packed and what it costs, as far as that is known here."""
    content = model.content
    target = target_name(model.core.target)
    lines = [f"kernel {model.kernel.name} for images packed for {target}, built for this model alone"]
    if not content.layers:
        return lines
    plain, rows = model.plain_rows
    if plain:
        lines.append(f"{plain} rows of {rows} are computed by the plain loop")
    counted = counted_instructions(model)
    if counted is None:
        lines.append("instructions of an inference: not counted without the packages unicorn and capstone")
    elif counted[1] is None:
        lines.append(f"instructions of an inference: {counted[0]:,} for the golden inputs")
    elif counted[0] == counted[1]:
        lines.append(f"instructions of an inference: {counted[0]:,} for every input")
    else:
        lines.append(f"instructions of an inference: {counted[0]:,} for the golden inputs, at most {counted[1]:,}")
    return lines


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
    lines += model_lines(firmware.model)
    lines += [f"built {path}" for path in (firmware.elf, firmware.bin, firmware.hex)]
    lines += [
        f"{name:<{width}}  {filled:>7} of {limit:>7} bytes  {100 * filled / limit:>5.1f} %"
        for name, filled, limit in entries
    ]
    return lines
