"""``tocsin firmware flash``: plans and runs for either kind of board."""

from dataclasses import dataclass, field
from pathlib import Path

from firmware.boards.board import Board
from firmware.flashing import stm32, twin
from firmware.flashing.content import read_firmware
from firmware.flashing.first_words import restart_and_listen
from firmware.flashing.staging import Staged, public_key, stage
from firmware.flashing.tools import Say, Step
from shared.errors import UsageError


@dataclass(frozen=True, slots=True)
class FlashRequest:
    """What the person wants: `file` and `tool` and `serial` for boards with C, the rest for boards with MicroPython;
    `device` and `name` for both."""

    board: Board
    device: Path | None = None
    name: str | None = None
    file: Path | None = None
    tool: str = ""
    serial: str = ""
    port: str = ""
    keys: list[str] = field(default_factory=list)
    sensor: Path | None = None
    build_folder: Path = Path("build/firmware")

    def check(self) -> None:
        """UsageError where an option does not fit the board."""
        micropython = self.board.language == "micropython"
        given = {
            "--file": self.file is not None,
            "--tool": bool(self.tool),
            "--serial": bool(self.serial),
        }
        if not micropython:
            given = {"--port": bool(self.port), "--key": bool(self.keys), "--sensor": self.sensor is not None}
        for option, set_ in given.items():
            if set_:
                raise UsageError(f"{option} is nothing for {self.board.name}, which has {self.board.title}")
        if micropython and not self.port:
            raise UsageError(f"{self.board.name} is flashed over its serial port; name it with --port")
        if self.file is not None and (self.device is not None or self.name is not None):
            raise UsageError("--file holds its device already; leave out --device and --name, or the file")


def show_plan(request: FlashRequest, say: Say) -> None:
    """Say what would be done, as typed; nothing is built, opened or written."""
    request.check()
    for number, step in enumerate(_steps(request, say), 1):
        first, *rest = step.lines()
        say(f"{number}. {first}")
        for line in rest:
            say(line)


def _steps(request: FlashRequest, say: Say) -> list[Step]:
    if request.board.language == "micropython":
        staged = _staged(request)
        for file in staged.files:
            say(f"{len(file.content):>8} bytes  {file.path}")
        return twin.plan(request.port, staged)
    programmer = stm32.programmers(request.board, request.tool, request.serial)[0]
    if request.file is None:
        options = [f"--device={request.device}"] * (request.device is not None)
        options += [f"--name={request.name}"] * (request.name is not None)
        build = ("tocsin", "firmware", "build", "--board", request.board.name, *options)
        return [Step("build it", build), *stm32.plan(programmer, Path("tocsin.bin"), None)]
    return stm32.plan(programmer, request.file, len(read_firmware(request.file, request.board)))


def flash(request: FlashRequest, say: Say) -> None:
    """Flash and verify; FlashError or LineError with the remedy."""
    request.check()
    if request.board.language == "micropython":
        twin.flash(request.port, _staged(request), say)
        birth = restart_and_listen(request.port, say)
        say(f"running: {birth.profile.device}, boot {birth.boot}, model version {birth.model_version}")
        if not request.keys:
            say("no --key was given: the board keeps the keys that it has; without any it takes no new model")
        return
    candidates = stm32.programmers(request.board, request.tool, request.serial)
    source = request.file
    if source is not None:
        read_firmware(source, request.board)  # a bad file is said before a board is looked for
    programmer = stm32.find(request.board, candidates)
    stm32.flash(request.board, programmer, source or _built(request, say), say)


def _built(request: FlashRequest, say: Say) -> Path:
    from firmware.board_build import FACTORY_FOLDER, build_board, read_board_device

    device = read_board_device(request.device or FACTORY_FOLDER, request.name)
    built = build_board(request.board, request.build_folder, device=device)
    say(f"built {built.bin}")
    return built.bin


def _staged(request: FlashRequest) -> Staged:
    from firmware.board_build import FACTORY_FOLDER

    keys = [public_key(text) for text in request.keys]
    return stage(request.device or FACTORY_FOLDER, name=request.name, keys=keys, sensor=request.sensor)
