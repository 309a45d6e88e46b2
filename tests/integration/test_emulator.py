"""The STM32F405 firmware in QEMU: its first words, its lines under noise, faults, restarts, and the fleet's player."""

import contextlib
import itertools
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from emulated_boards import Bench, require_emulator
from gdb_stub import GdbStub
from waiting import PATIENCE_SECONDS

from firmware.board_build import FACTORY_FOLDER, build_board, read_board_device
from firmware.boards.registry import board_named
from firmware.elf_files import read_sizes, symbols_of
from firmware.emulator.qemu import EmulatedBoard
from firmware.emulator.run import Emulation, emulate
from firmware.emulator.samples import packed_rows, samples_frame
from firmware.emulator.sensor import EmulatedSensor
from firmware.errors import FirmwareError
from firmware.host.fleet import write_device
from firmware.host.journal import read_journal
from firmware.host.replay import Source, play, settle
from shared.clock import ReplayClock
from shared.errors import UsageError
from shared.messages import codec
from shared.serial import framing

BOARD = board_named("stm32f405")


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    require_emulator()
    return build_board(BOARD, tmp_path_factory.mktemp("boards"))


@pytest.fixture
def board(firmware):
    with Bench(firmware, 7) as bench:
        yield bench


def rows(count, seed=0):
    counts = np.random.default_rng(seed).integers(-(2**17), 2**17, (count, 2)).astype(np.int32)
    return np.arange(count, dtype=np.int64) * 10**9, counts


def readings(bench):
    """Sequence numbers of the readings that came, each once, in order."""
    found = set()
    for body in bench.of(framing.DATA):
        data = codec.decode_data(body)
        found |= set(range(data.sequence, data.sequence + len(data)))
    return sorted(found)


def test_the_first_words(board):
    told = "\n".join(board.texts())
    assert re.search(
        r"tocsin \S.* on stm32f405, device factory-process, boot 7 \(counted by the emulator\)$", told, re.MULTILINE
    )
    assert re.search(r"core 0x410fc24\d, started by ", told)
    assert "clock 168 MHz" in told
    assert re.search(r"model image: version 1, \d+ bytes, golden vector right", told)
    found = re.search(
        r"memory: (\d+) of 131072 bytes of RAM used, (\d+) for messages that wait, stack (\d+) of 8192", told
    )
    assert found
    sizes = read_sizes(board.board.firmware.elf)
    assert (int(found[1]), int(found[2])) == (sizes.ram, sizes.waiting)
    assert 300 < int(found[3]) < 4096
    assert [kind for kind, _ in board.frames[-2:]] == [framing.BIRTH, framing.STATE]


def test_milliseconds_are_milliseconds(board):
    """Without a mark, birth, state and data come again after two seconds of the board's clock."""
    times, counts = rows(16)
    begin = time.monotonic()
    board.push(times, counts)
    board.wait(lambda: board.of(framing.DATA))
    heard = [time.monotonic()]

    def a_repeat_after_two_seconds():
        """A busy machine may hear of one late: one that is heard in time tells."""
        if len(board.of(framing.BIRTH)) > len(heard):
            heard.append(time.monotonic())
        return any(1.5 < later - earlier < 4.0 for earlier, later in itertools.pairwise(heard))

    board.wait(a_repeat_after_two_seconds)
    assert heard[-1] - begin > 1.9 * (len(heard) - 1)
    board.wait(lambda: len(board.of(framing.DATA)) >= 4)
    board.store(16)

    def silent_for(seconds):
        count, over = len(board.frames), time.monotonic() + seconds
        board.wait(lambda: len(board.frames) > count or time.monotonic() > over)
        return len(board.frames) == count

    board.wait(lambda: silent_for(2.5))  # what it sent before it heard of the mark may still come


def test_garbage_on_both_lines_costs_no_other_frame(board, request):
    """Before, between and inside frames: the line is in step again within one frame."""
    rng = random.Random(4)
    times, counts = rows(160)
    frames = [
        samples_frame(packed_rows(times[first : first + 16], counts[first : first + 16])) for first in range(0, 160, 16)
    ]
    answers = []
    decoder = framing.Decoder()
    board.line.close()
    bench = socket.create_connection(("127.0.0.1", board.board.samples_port))
    request.addfinalizer(bench.close)
    bench.settimeout(0.01)

    def answered(count):
        with contextlib.suppress(TimeoutError):
            answers.extend(struct.unpack("<I", body)[0] for _, body in decoder.push(bench.recv(4096)))
        return len(answers) >= count

    board.line.poll = lambda: None
    for number, frame in enumerate(frames):
        spoilt = bytearray(frame)
        spoilt[len(frame) // 2] ^= 0x55
        inside = bytes(spoilt) if number % 3 == 0 else frame[: len(frame) // 2]
        bench.sendall(bytes(rng.choices(range(256), k=rng.randrange(40))) + inside + frame)
        board.send(bytes(rng.choices(range(256), k=rng.randrange(90))))
        if number % 4 == 1:
            board.send(framing.encode(framing.STORED, codec.encode_stored(codec.Stored("factory-process", 7, 0)))[:-5])
        board.wait(lambda wanted=number + 1: answered(wanted))
        if number == 5:
            board.wait(lambda: len(readings(board)) >= 88)
            board.send(bytes(rng.choices(range(1, 256), k=700)))
            board.store(88)
    assert answers == [16 * (number + 1) for number in range(10)]
    board.wait(lambda: len(readings(board)) >= 154)
    board.wait(lambda: [body for body in board.of(framing.DATA) if codec.decode_data(body).oldest == 88])


def test_an_image_is_refused_by_a_state(board):
    for offset in (0, 512):
        board.send(framing.encode(framing.IMAGE_PART, struct.pack("<II", offset, 1024) + bytes(512)))
    state = codec.decode_state(board.wait(lambda: board.of(framing.STATE)[1:])[0])
    assert (state.result, state.judged_version, state.boot) == ("refused", 0, 7)
    times, counts = rows(16)
    board.push(times, counts)
    board.wait(lambda: board.of(framing.DATA))
    assert len(board.of(framing.STATE)) == 2


def test_samples_of_other_channels_are_refused_in_words(board):
    board.line.add(b"")  # an empty frame is no clip and no rows: taken as it is
    board.wait(lambda: board.line.idle)
    board.line._waiting.append((framing.encode(framing.SAMPLES, b"\0" + bytes(12)), 0))
    board.wait(lambda: any("does not hold whole rows" in text for text in board.texts()))
    board.wait(lambda: board.line.idle)


def test_a_fault_is_told_and_restarts_the_board(firmware, tmp_path):
    stub = tmp_path / "gdb"
    with Bench(firmware, 3, ("-gdb", f"unix:{stub},server=on,wait=off")) as bench:
        times, counts = rows(200)
        bench.push(times, counts)
        bench.wait(lambda: bench.line.idle)
        with firmware.elf.open("rb") as file:
            symbols = symbols_of(ELFFile(file))
        debugger = GdbStub(stub)
        stack = debugger.read(symbols["memory_stack_bottom"], read_sizes(firmware.elf).stack)
        words = struct.unpack(f"<{len(stack) // 4}I", stack)
        untouched = next(number for number, word in enumerate(words) if word != 0xA5C3A5C3)
        assert untouched * 4 > len(stack) // 2, "less than half of the stack is left"
        debugger.jump(0x60000000)
        bench.line.poll = lambda: None  # this line ends with the board
        debugger.let_go()
        bench.wait(lambda: any(text.startswith("fault: pc 0x60000000, lr 0x") for text in bench.texts()))
        assert "reset itself" in bench.wait(bench.board.ended)


class Gateway:
    """Takes a board's messages and marks them, until told to leave."""

    def __init__(self, port):
        self.next = 0
        self.births = []
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        decoder = framing.Decoder()
        try:
            while received := self._socket.recv(65536):
                for kind, body in decoder.push(received):
                    if kind == framing.BIRTH:
                        self.births.append(codec.decode_birth(body))
                    elif kind == framing.DATA:
                        self._take(codec.decode_data(body))
        except OSError:
            return

    def _take(self, data):
        if data.sequence == self.next:
            self.next += len(data)
        mark = codec.Stored(data.device, data.boot, self.next)
        self._socket.sendall(framing.encode(framing.STORED, codec.encode_stored(mark)))

    def leave(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def provisioned(tmp_path, firmware):
    """A device's folder and a recording for it."""
    device = read_board_device(FACTORY_FOLDER)
    times, counts = rows(900, 3)
    source = Source(times, counts, [400])
    return device.birth.profile, write_device(tmp_path, device.birth.profile, source, device.image), source


def played(sensor, source):
    play([(sensor, source)], ReplayClock(0, None), should_stop=lambda: False)


def deliver(sensor, source):
    played(sensor, source)
    until(sensor, sensor.delivered)


def until(sensor, condition):
    assert settle([sensor], limit_seconds=PATIENCE_SECONDS, until=condition, should_stop=lambda: False)


def test_a_board_plays_for_a_twin(provisioned):
    profile, folder, source = provisioned
    sensor = EmulatedSensor(profile, folder, 0)
    try:
        sensor.start()
        gateway = Gateway(sensor.gateway_port)
        until(sensor, lambda: sensor.link.connected)
        played(sensor, source)
        until(sensor, lambda: gateway.next > 300)
        gateway.leave()
        until(sensor, lambda: not sensor.link.connected)
        again = Gateway(sensor.gateway_port)
        again.next = gateway.next
        until(sensor, sensor.delivered)
        again.leave()
    finally:
        sensor.stop()
    assert sensor.device.sequence == sensor.buffer.mark == 900
    assert (sensor.buffer.lost, len(sensor.buffer.entries)) == (0, 0)
    assert sensor.compared >= 60
    assert sensor.data_bytes > 900 * 22
    assert gateway.births[0].boot == 1
    journal = read_journal(folder / "journal")
    assert (sum(entry.readings for entry in journal), {entry.boot for entry in journal}) == (900, {1})


def test_a_restart_gives_the_next_boot(provisioned):
    profile, folder, _ = provisioned
    for boot in (1, 2, 3):
        sensor = EmulatedSensor(profile, folder, 0)
        try:
            sensor.start()
            until(sensor, lambda played=sensor: played.said)
            assert sensor.boot == boot
            assert f", boot {boot} " in sensor.said[0]
        finally:
            sensor.stop()


def test_without_a_gateway_a_recording_waits_and_nothing_is_lost(provisioned):
    profile, folder, _ = provisioned
    times, counts = rows(500)
    times *= 20  # every reading is a message of its own: more than the board can hold
    sensor = EmulatedSensor(profile, folder, 0)
    try:
        sensor._room_bytes = 12_000
        sensor.start()
        until(sensor, lambda: sensor.said)
        played(sensor, Source(times, counts))
        until(sensor, lambda: sensor.device.line.taken_rows > 50)
        with_nobody = sensor.device.line.taken_rows
        assert not settle([sensor], limit_seconds=1.0, until=sensor.all_sent, should_stop=lambda: False)
        assert with_nobody <= sensor.device.line.taken_rows < 200
        gateway = Gateway(sensor.gateway_port)
        until(sensor, sensor.delivered)
        gateway.leave()
    finally:
        sensor.stop()
    assert (sensor.buffer.mark, sensor.buffer.lost, gateway.next) == (500, 0, 500)


def test_a_board_that_dies_is_told_in_one_sentence(provisioned):
    profile, folder, _ = provisioned
    sensor = EmulatedSensor(profile, folder, 0)
    try:
        sensor.start()
        until(sensor, lambda: sensor.said)
        sensor._board._process.send_signal(signal.SIGKILL)
        with pytest.raises(FirmwareError, match=r"factory-process: .*ended"):
            until(sensor, lambda: False)
    finally:
        sensor.stop()


def test_a_message_that_is_not_the_twins_ends_the_run(provisioned):
    profile, folder, source = provisioned
    sensor = EmulatedSensor(profile, folder, 0)
    try:
        sensor.start()
        until(sensor, lambda: sensor.said)
        sensor.device.twin.image.threshold *= 2
        with pytest.raises(FirmwareError, match="is not the twin's"):
            deliver(sensor, source)
    finally:
        sensor.stop()


def test_what_is_missing_or_taken_is_told(firmware, tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(FirmwareError, match="cannot be taken"):
            EmulatedBoard(firmware, 1, gateway_port=taken.getsockname()[1])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FirmwareError, match="apt install qemu-system-arm"):
        EmulatedBoard(firmware, 1)


def test_the_command_shows_what_the_board_says(firmware, tmp_path):
    said = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    emulate(
        Emulation(BOARD, None, tmp_path, rows=40),
        said.append,
        should_stop=lambda: any("taken all 40 rows" in line for line in said) or time.monotonic() > deadline,
    )
    told = "\n".join(said)
    assert "the gateway's line is at tcp://127.0.0.1:" in told
    assert "golden vector right" in told
    assert re.search(r"^data +factory-process 0-10 ", told, re.MULTILINE)
    with pytest.raises(UsageError, match="leave out --rows"):
        emulate(Emulation(BOARD, None, tmp_path, samples_port=1, rows=40), said.append)


def test_killed_it_leaves_nothing_in_the_temporary_folder(firmware, tmp_path):
    command = [sys.executable, "-m", "tocsin", "firmware", "emulate", "--out", str(firmware.elf.parents[1])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as process:
        try:
            address = next(line for line in process.stdout if "gateway's line is at" in line)
            port = int(re.search(r"tcp://127\.0\.0\.1:(\d+),", address)[1])
            assert any("golden vector right" in line for line in process.stdout)
            process.kill()
            process.wait()
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))
