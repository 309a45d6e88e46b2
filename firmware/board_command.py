"""``tocsin firmware build --board``: options as a person types them, then the build and its report."""

from collections.abc import Callable
from pathlib import Path

from firmware.board_build import FACTORY_FOLDER, build_board, check_options, read_board_device
from firmware.board_report import report_lines
from firmware.boards.registry import board_named
from firmware.codegen.board_device import BoardOptions
from shared.errors import UsageError


def parse_lines(text: str) -> tuple[int, int]:
    """The two USARTs in "1,2"; UsageError otherwise.

    >>> parse_lines("3,6")
    (3, 6)
    """
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and part.strip().isascii() for part in parts):
        raise UsageError(f"--lines {text!r} must be two USARTs like 1,2: of the gateway's line and of the samples line")
    return int(parts[0]), int(parts[1])


def build_for_board(
    board: str,
    out: Path,
    device: Path | None,
    name: str | None,
    baud: int,
    lines: str,
    first_boot: int,
    say: Callable[[str], None],
    *,
    image: Path | None = None,
    worst_case: bool = False,
    small: bool = False,
) -> None:
    """Build and report; what cannot be is told before anything is built."""
    chosen = board_named(board)
    options = check_options(BoardOptions(baud, parse_lines(lines), first_boot, worst_case, small))
    inside = read_board_device(FACTORY_FOLDER if device is None else device, name, image)
    for line in report_lines(build_board(chosen, out, device=inside, options=options)):
        say(line)
