"""``tocsin firmware flash``: plans and runs for either kind of board."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from firmware.board_build import FACTORY_FOLDER, build_board, check_options, read_board_device
from firmware.board_command import parse_lines
from firmware.boards.board import Board
from firmware.codegen.board_device import BoardOptions
from firmware.flashing import stm32, twin
from firmware.flashing.content import read_firmware
from firmware.flashing.first_words import restart_and_listen
from firmware.flashing.ports import PLACEHOLDER, only_port
from firmware.flashing.staging import Staged, stage
from firmware.flashing.tools import Say, Step
from firmware.release_key import public_key
from shared.errors import UsageError

#: Said, by board, when a firmware is built for it and nobody chose its lines.
_LINES_NOTES = {
    "stm32f405": "the gateway's line is USART 1, the samples line USART 2: right for a pyboard v1.1. A Feather "
    "STM32F405 does not bring out USART 2: give --lines 3,6 (gateway at TX and RX, samples at D6 and D5)",
}


@dataclass(frozen=True, slots=True)
class FlashRequest:
    """What the person wants: `file`, `tool`, `serial`, `lines`, `image`, `worst_case` and `small` for boards with C,
    `port`, `keys` and `sensor` for boards with MicroPython; `device` and `name` for both. An empty `port` is the only
    one that there is."""

    board: Board
    device: Path | None = None
    name: str | None = None
    file: Path | None = None
    tool: str = ""
    serial: str = ""
    lines: str = ""
    port: str = ""
    keys: list[str] = field(default_factory=list)
    sensor: Path | None = None
    build_folder: Path = Path("build/firmware")
    image: Path | None = None
    worst_case: bool = False
    small: bool = False

    def check(self) -> None:
        """UsageError where an option does not fit the board."""
        micropython = self.board.language == "micropython"
        given = {
            "--file": self.file is not None,
            "--tool": bool(self.tool),
            "--serial": bool(self.serial),
            "--lines": bool(self.lines),
            "--image": self.image is not None,
            "--worst-case": self.worst_case,
            "--small": self.small,
        }
        if not micropython:
            given = {"--port": bool(self.port), "--key": bool(self.keys), "--sensor": self.sensor is not None}
        for option, set_ in given.items():
            if set_:
                raise UsageError(f"{option} is nothing for {self.board.name}, which has {self.board.title}")
        if self.file is not None and self.build_words():
            raise UsageError(
                "--file holds its device, lines and model already; leave out --device, --name, --lines, --image, "
                "--worst-case and --small, or the file"
            )

    def build_words(self) -> list[str]:
        """What was said of the firmware that is built, as ``tocsin firmware build`` takes it."""
        given = {"--device": self.device, "--name": self.name, "--lines": self.lines or None, "--image": self.image}
        words = [f"{option}={value}" for option, value in given.items() if value is not None]
        return words + ["--worst-case"] * self.worst_case + ["--small"] * self.small


def show_plan(request: FlashRequest, say: Say) -> None:
    """Say what would be done, as typed. A firmware is built, so that the steps name it; no board is touched."""
    request.check()
    for number, step in enumerate(_steps(request, say), 1):
        first, *rest = step.lines()
        say(f"{number}. {first}")
        for line in rest:
            say(line)


def _steps(request: FlashRequest, say: Say) -> list[Step]:
    if request.board.language == "micropython":
        staged = _staged(request)
        say("these files, in a folder that is made for it and in which the commands run:")
        for file in staged.files:
            say(f"{len(file.content):>8} bytes  {file.path}")
        return twin.plan(request.port or PLACEHOLDER, staged)
    programmer = stm32.programmers(request.board, request.tool, request.serial)[0]
    if request.file is None:
        words = ("tocsin", "firmware", "build", "--board", request.board.name, *request.build_words())
        build = Step("build it", words)
        built = _built(request, say)
        return [build, *stm32.plan(programmer, built, built.stat().st_size)]
    content = read_firmware(request.file, request.board)
    if content == request.file.read_bytes():
        return stm32.plan(programmer, request.file, len(content))
    # The tools write a file as it is; flash itself takes the bytes out of an .elf.
    binary = request.file.with_suffix(".bin")
    take = Step(f"take the {len(content)} bytes for the flash out of {request.file} (a build puts them into {binary})")
    return [take, *stm32.plan(programmer, binary, len(content))]


def flash(request: FlashRequest, say: Say) -> None:
    """Flash and verify; FlashError or LineError with the remedy."""
    request.check()
    if request.board.language == "micropython":
        staged = _staged(request)
        port = request.port or only_port(request.board)
        if not request.port:
            say(f"over {port}, the port that was found")
        twin.flash(port, staged, say)
        birth = restart_and_listen(port, say)
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
    options = BoardOptions(worst_case=request.worst_case, small=request.small)
    if request.lines:
        options = replace(options, usarts=parse_lines(request.lines))
    device = read_board_device(request.device or FACTORY_FOLDER, request.name, request.image)
    built = build_board(request.board, request.build_folder, device=device, options=check_options(options))
    say(f"built {built.bin}")
    if not request.lines and (note := _LINES_NOTES.get(request.board.name)):
        say(note)
    return built.bin


def _staged(request: FlashRequest) -> Staged:
    keys = [public_key(text) for text in request.keys]
    return stage(request.device or FACTORY_FOLDER, name=request.name, keys=keys, sensor=request.sensor)
