"""dfu-util and st-flash: what is attached, and the commands that write, read back and start.

dfu-util does not read back by itself, and writing with ``:leave`` starts the firmware before anybody could: so it
writes, reads, and leaves with a last short read. st-flash checks what it writes through a loader in the chip's RAM; it
is read back all the same, so that both tools give the same proof.
"""

import re
from abc import ABC, abstractmethod
from pathlib import Path

from firmware.boards.board import Board
from firmware.errors import FlashError
from firmware.flashing.tools import Outcome, Step, permission_error, run

#: Looking for boards, and a whole flash at the tools' slowest (about 10 KB/s), in seconds.
LOOK_LIMIT_SECONDS = 20
TRANSFER_LIMIT_SECONDS = 180
_CHIP_IDS = {"stm32f405": 0x413}


class Programmer(ABC):
    """One tool. `serial` chooses among several boards or probes; empty: the only one."""

    tool = ""
    how_to_install = ""
    remedy = ""

    def __init__(self, board: Board, serial: str = "") -> None:
        self.board = board
        self.serial = serial

    @abstractmethod
    def attached(self) -> list[str]:
        """Serial numbers of what is attached and can be used. FlashError: it is there but may not be opened."""

    @abstractmethod
    def write_step(self, source: Path) -> Step:
        """Write `source` to the beginning of the flash."""

    @abstractmethod
    def read_step(self, length: int, target: Path) -> Step:
        """Read the first `length` bytes of the flash into `target`, which does not exist."""

    @abstractmethod
    def start_step(self, target: Path) -> Step:
        """Start the firmware; `target`, which does not exist, takes what the tool reads for it, if anything."""

    def chosen(self, found: list[str]) -> bool:
        """Whether the board that is meant is among `found`; FlashError when it is not known which one that is."""
        if self.serial:
            return self.serial in found
        if len(found) > 1:
            raise FlashError(
                f"{self.tool} sees {len(found)} boards ({', '.join(sorted(found))}); choose one with --serial, "
                "or unplug the others"
            )
        return bool(found)

    def checked(self, outcome: Outcome, what: str) -> Outcome:
        """`outcome` if all went well, else a FlashError that says what did not."""
        if outcome.not_permitted():
            raise permission_error(self.tool)
        if outcome.status:
            raise FlashError(f"{self.tool} could not {what} ({outcome.last_line()}); {self.remedy}")
        return outcome


class DfuUtil(Programmer):
    """The boot loader in the chip's ROM, over the board's own USB."""

    tool = "dfu-util"
    how_to_install = "on Debian: apt install dfu-util"
    remedy = "start the board's boot loader again"
    _FOUND = re.compile(r'Found DFU: \[0483:df11\].*\balt=0\b.*\bserial="([^"]*)"')

    def _command(self, place: str, *last: str) -> tuple[str, ...]:
        serial = ("-S", self.serial) if self.serial else ()
        return ("dfu-util", "-d", "0483:df11", *serial, "-a", "0", "-s", place, *last)

    def attached(self) -> list[str]:
        """See `Programmer`."""
        outcome = run(("dfu-util", "-d", "0483:df11", "-l"), LOOK_LIMIT_SECONDS)
        found = self._FOUND.findall(outcome.text)
        if not found and outcome.not_permitted():
            raise permission_error(self.tool)
        return found

    def write_step(self, source: Path) -> Step:
        """See `Programmer`."""
        return Step("write it", self._command(f"0x{self.board.flash_origin:08x}", "-D", str(source)))

    def read_step(self, length: int, target: Path) -> Step:
        """See `Programmer`."""
        return Step("read it back", self._command(f"0x{self.board.flash_origin:08x}:{length}", "-U", str(target)))

    def start_step(self, target: Path) -> Step:
        """See `Programmer`."""
        place = f"0x{self.board.flash_origin:08x}:4:leave"
        return Step("leave the boot loader, which starts the firmware", self._command(place, "-U", str(target)))


class StFlash(Programmer):
    """A probe (ST-LINK) on the board's debug pins."""

    tool = "st-flash"
    how_to_install = "on Debian: apt install stlink-tools"
    remedy = "check the wires between ST-LINK and board"
    _SERIAL = re.compile(r"^\s*serial:\s*(\S+)", re.MULTILINE)
    _CHIP = re.compile(r"^\s*chipid:\s*(0x[0-9a-fA-F]+)", re.MULTILINE)

    def _command(self, *rest: str) -> tuple[str, ...]:
        return ("st-flash", *(("--serial", self.serial) if self.serial else ()), *rest)

    def attached(self) -> list[str]:
        """See `Programmer`. FlashError also when a probe sees another chip, or none."""
        outcome = run(("st-info", "--probe"), LOOK_LIMIT_SECONDS)
        found = self._SERIAL.findall(outcome.text)
        chips = [int(chip, 16) for chip in self._CHIP.findall(outcome.text)]
        if not found and outcome.not_permitted():
            raise permission_error(self.tool)
        wanted = _CHIP_IDS.get(self.board.name)
        usable = [serial for serial, chip in zip(found, chips, strict=False) if chip == wanted]
        if found and not usable:
            seen = " and ".join(f"0x{chip:03x}" if chip else "no chip" for chip in chips) or "no chip"
            raise FlashError(
                f"the ST-LINK sees {seen}, not the chip of {self.board.name}; connect SWDIO, SWCLK, GND and 3.3V of "
                "the right board and switch it on"
            )
        return usable

    def write_step(self, source: Path) -> Step:
        """See `Programmer`."""
        return Step("write it", self._command("write", str(source), f"0x{self.board.flash_origin:08x}"))

    def read_step(self, length: int, target: Path) -> Step:
        """See `Programmer`."""
        place = f"0x{self.board.flash_origin:08x}"
        return Step("read it back", self._command("read", str(target), place, f"0x{length:x}"))

    def start_step(self, target: Path) -> Step:
        """See `Programmer`."""
        return Step("reset the board, which starts the firmware", self._command("reset"))


PROGRAMMERS: tuple[type[Programmer], ...] = (DfuUtil, StFlash)
