"""One emulated board for a person: its words as lines, its line for a gateway, a recording played to it if wanted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware.board_build import FACTORY_FOLDER, build_board, read_board_device
from firmware.boards.board import Board
from firmware.emulator.qemu import HOST, EmulatedBoard, find_qemu
from firmware.emulator.sensor import EmulatedSensor
from firmware.emulator.tap import Tap
from firmware.errors import FirmwareError
from firmware.host.replay import Source, play
from firmware.message_lines import MessageLines
from firmware.micropython.slots import Slots
from shared.clock import ReplayClock
from shared.errors import UsageError
from shared.recordings.profile import profile_of
from shared.recordings.simulator import simulate

#: Which simulated pump the factory's device was made from, and the part that it was trained on.
FACTORY_SEED = 1
FACTORY_HEALTHY_ROWS = 600
_FACTORY_SECONDS = 1800
_PAUSE_SECONDS = 0.01

Say = Callable[[str], None]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Emulation:
    """What is to be emulated. `device` is a provisioned folder, None the factory's; ports of 0 are chosen.

    `rows` of its recording are played: None plays nothing, 0 the whole of it. With `samples_port` the samples line is
    left to whoever connects there.
    """

    board: Board
    device: Path | None
    out: Path
    gateway_port: int = 0
    samples_port: int | None = None
    rows: int | None = None


def emulate(emulation: Emulation, say: Say, should_stop: Stop = lambda: False) -> None:
    """Build, boot, show, until Ctrl-C or `should_stop`.

    Raises FirmwareError when the board ends by itself, UsageError when the device is none or has no recording.
    """
    if emulation.samples_port is not None and emulation.rows is not None:
        raise UsageError("--samples-port leaves the samples to you; leave out --rows and --play, or it")
    find_qemu()
    folder = emulation.device or _factory_device(emulation.out)
    try:
        if emulation.rows is None:
            _run_alone(emulation, folder, say, should_stop)
        else:
            _run_playing(emulation, folder, emulation.rows, say, should_stop)
    except KeyboardInterrupt:
        say("ended")


def _factory_device(out: Path) -> Path:
    """The factory's device as a folder that can count its boots."""
    factory = read_board_device(FACTORY_FOLDER)
    folder = out / "emulated" / factory.birth.profile.device
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.cbor").write_bytes((FACTORY_FOLDER / "profile.cbor").read_bytes())
    Slots(str(folder)).provision(factory.image)
    return folder


def _address(port: int) -> str:
    return f"tcp://{HOST}:{port}"


def _run_alone(emulation: Emulation, folder: Path, say: Say, should_stop: Stop) -> None:
    device = read_board_device(folder)
    firmware = build_board(emulation.board, emulation.out, device=device)
    boot = Slots(str(folder)).next_boot()
    lines = MessageLines()
    board = EmulatedBoard(firmware, boot, samples_port=emulation.samples_port or 0)
    tap = None
    try:
        tap = Tap(board.gateway_port, emulation.gateway_port)
        say(f"the gateway's line is at {_address(tap.port)}, the samples line at {_address(board.samples_port)}")
        board.start()
        tap.start()
        while not should_stop():
            while not tap.passed.empty():
                _show(lines, say, *tap.passed.get_nowait())
            ended = board.ended()
            if ended is not None:
                raise FirmwareError(ended)
            time.sleep(_PAUSE_SECONDS)
    finally:
        if tap is not None:
            tap.stop()
        board.stop()


def _show(lines: MessageLines, say: Say, from_board: bool, kind: int, body: bytes) -> None:
    line = lines.show(kind, body) if from_board else None
    if line is not None:
        say(line)


def _run_playing(emulation: Emulation, folder: Path, rows: int, say: Say, should_stop: Stop) -> None:
    source = _recording(emulation, folder, rows)
    profile = read_board_device(folder).birth.profile
    lines = MessageLines()
    sensor = EmulatedSensor(profile, folder, emulation.gateway_port)
    sensor.watch = lambda from_board, kind, body: _show(lines, say, from_board, kind, body)
    try:
        say(f"the gateway's line is at {_address(sensor.gateway_port)}")
        sensor.start()
        play([(sensor, source)], ReplayClock(int(source.times_ns[0]), None), should_stop=should_stop)
        told = False
        while not should_stop():
            sensor.poll()
            if not told and sensor.all_sent():
                told = True
                say(f"the board has taken all {len(source.times_ns)} rows; Ctrl-C ends it")
            time.sleep(_PAUSE_SECONDS)
    finally:
        sensor.stop()
        say(f"{sensor.compared} messages of the board were the twin's in every byte")


def _recording(emulation: Emulation, folder: Path, rows: int) -> Source:
    if emulation.device is None:
        seconds = max(rows or _FACTORY_SECONDS, FACTORY_HEALTHY_ROWS)  # of the same pump, however long it is looked at
        recording = simulate(FACTORY_SEED, duration_s=float(seconds), onset_s=float(seconds) / 2).process
        profile = read_board_device(folder).birth.profile
        _, counts = profile_of(recording, FACTORY_HEALTHY_ROWS, profile.device, profile.asset)
        source = Source(recording.times_ns, counts)
    else:
        try:
            with np.load(folder / "samples.npz", allow_pickle=False) as samples:
                source = Source(samples["times_ns"], samples["counts"], samples["clip_starts"].tolist())
        except (OSError, KeyError, ValueError) as error:
            raise UsageError(f"{folder} has no recording to play ({error}); leave out --rows and --play") from error
    last = rows or len(source.times_ns)
    return Source(source.times_ns[:last], source.counts[:last], [row for row in source.clip_starts if row < last])
