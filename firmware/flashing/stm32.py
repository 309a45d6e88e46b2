"""A firmware into the flash of a board with C: written, read back, compared, started."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from firmware.boards.board import Board
from firmware.errors import FlashError
from firmware.flashing.content import read_firmware
from firmware.flashing.programmers import PROGRAMMERS, TRANSFER_LIMIT_SECONDS, Programmer
from firmware.flashing.tools import Say, Step, installed, run
from shared.errors import UsageError


def programmers(board: Board, tool: str = "", serial: str = "") -> list[Programmer]:
    """The installed tools that can flash `board`, in the board's order; only `tool` if one is named.

    FlashError: none is installed. UsageError: `tool` is none of the board's.
    """
    known = [kind(board, serial) for name in board.flash_tools for kind in PROGRAMMERS if kind.tool == name]
    if tool and tool not in board.flash_tools:
        raise UsageError(f"{tool} does not flash {board.name}; {' and '.join(board.flash_tools)} do")
    wanted = [programmer for programmer in known if tool in ("", programmer.tool)]
    found = [programmer for programmer in wanted if installed(programmer.tool)]
    if not found:
        remedies = "; ".join(f"{programmer.tool} ({programmer.how_to_install})" for programmer in wanted)
        raise FlashError(f"no tool to flash {board.name} is installed; install {remedies}")
    return found


def find(board: Board, candidates: list[Programmer]) -> Programmer:
    """The first tool that has a board to work on; FlashError with how to make one ready otherwise."""
    trouble: FlashError | None = None
    for programmer in candidates:
        try:
            if programmer.chosen(programmer.attached()):
                return programmer
        except FlashError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    tools = " and ".join(programmer.tool for programmer in candidates)
    named = f" with the serial number {candidates[0].serial}" if candidates[0].serial else ""
    probe = "; or connect an ST-LINK" if any(programmer.tool == "st-flash" for programmer in candidates) else ""
    raise FlashError(f"{tools} found no {board.name}{named}; plug it in and {board.how_to_enter}{probe}")


def plan(programmer: Programmer, source: Path, length: int) -> list[Step]:
    """What is done with the `length` bytes of `source`, in order."""
    read_back = Path("read-back.bin")
    return [
        programmer.write_step(source),
        programmer.read_step(length, read_back),
        Step(f"compare all {length} bytes", ("cmp", str(source), str(read_back))),
        programmer.start_step(Path("started.bin")),
    ]


def flash(board: Board, programmer: Programmer, source: Path, say: Say) -> None:
    """Write `source` (.bin or .elf) to the board, read it back, compare, start it.

    FlashError: it could not be written, or the board holds something else.
    """
    content = read_firmware(source, board)
    with tempfile.TemporaryDirectory(prefix="tocsin-flash-") as folder:
        written, back = Path(folder) / "firmware.bin", Path(folder) / "read-back.bin"
        written.write_bytes(content)
        steps: list[tuple[Step, str, Callable[[], None] | None]] = [
            (programmer.write_step(written), "write the flash", None),
            (programmer.read_step(len(content), back), "read the flash", lambda: _compare(content, back)),
        ]
        for step, what, then in steps:
            say("\n".join(step.lines()))
            programmer.checked(run(step.command, TRANSFER_LIMIT_SECONDS), what)
            if then is not None:
                then()
        say(f"verified: all {len(content)} bytes read back are those that were written")
        start = programmer.start_step(Path(folder) / "started.bin")
        say("\n".join(start.lines()))
        # A chip that starts its firmware may be gone before the tool has its answer: no reason to call it a failure.
        if run(start.command, TRANSFER_LIMIT_SECONDS).status:
            say("the tool could not start it; press RESET")
    for note in board.notes:
        say(note)


def _compare(content: bytes, back: Path) -> None:
    try:
        found = back.read_bytes()
    except OSError as error:
        raise FlashError("the flash could not be read back: the tool wrote no file; flash the board again") from error
    if found == content:
        return
    if len(found) < len(content):
        raise FlashError(f"only {len(found)} of {len(content)} bytes could be read back; flash the board again")
    place = next((i for i, (one, other) in enumerate(zip(content, found, strict=False)) if one != other), None)
    if place is not None:
        raise FlashError(
            f"the board's flash differs from the firmware at 0x{place:x} (0x{found[place]:02x} instead of "
            f"0x{content[place]:02x}); flash it again, and if that repeats, its flash is worn"
        )
