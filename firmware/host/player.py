"""What plays a device of a fleet: the twin of this process, or a board in the emulator.

The file `player` in the device's folder says it in one line, ``twin`` or ``emulated <board> <port>``; without the file
it is the twin. An emulated board speaks frames, and its gateway reads them at `Player.address`.

>>> Player.parse("emulated stm32f405 4001").address
'tcp://127.0.0.1:4001'
>>> str(Player.parse("twin"))
'twin'
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from firmware.boards.registry import board_named
from shared.errors import UsageError

FILE_NAME = "player"
TWIN = "twin"
EMULATED = "emulated"
KINDS = (TWIN, EMULATED)


@dataclass(frozen=True, slots=True)
class Player:
    """`board` and `port`, the TCP port of the line to the gateway, belong to an emulated device."""

    kind: str = TWIN
    board: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """A player from its line; ValueError if it is none."""
        words = text.split()
        if words == [TWIN]:
            return cls()
        if len(words) == 3 and words[0] == EMULATED and words[2].isdecimal() and 0 < int(words[2]) < 1 << 16:
            return cls(EMULATED, words[1], int(words[2]))
        raise ValueError(f"{text.strip()!r} is neither `twin` nor `emulated <board> <port>`")

    def __str__(self) -> str:
        return TWIN if self.kind == TWIN else f"{self.kind} {self.board} {self.port}"

    @property
    def address(self) -> str:
        """Where a gateway reads an emulated device."""
        return f"tcp://127.0.0.1:{self.port}"

    def write(self, folder: Path) -> None:
        """Put it into a device's folder."""
        (folder / FILE_NAME).write_text(f"{self}\n", encoding="ascii")


def read_player(folder: Path) -> Player:
    """The player of the device in `folder`; UsageError if the file says none that exists."""
    path = folder / FILE_NAME
    try:
        player = Player.parse(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return Player()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} does not say what plays the device ({error}); write it again or remove it") from error
    if player.kind == EMULATED and board_named(player.board).qemu_machine is None:
        raise UsageError(f"{path} names the board {player.board}, which no emulator runs; write stm32f405")
    return player
