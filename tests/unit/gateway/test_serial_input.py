"""One line as a thread: back pressure, marks for the device that is there, what goes into the log and how often."""

import queue
import struct
import time

import pytest
from gateway_partners import PROFILE, data_message
from serial_twin import TcpLine
from waiting import PATIENCE_SECONDS, until

from gateway.inputs.serial import SerialInput
from gateway.inputs.transport import parse_address
from shared import topics
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.serial import framing


def birth(device="pump-1", boot=1):
    profile = DeviceProfile(device, PROFILE.asset, "slow", 1.0, PROFILE.channels)
    return framing.encode(framing.BIRTH, codec.encode_birth(codec.Birth(profile, boot, 0, (), 16, 1)))


class Desk:
    """The device's end of a line whose gateway's end is a `SerialInput` with a small inbox."""

    def __init__(self, room=1000):
        self.line = TcpLine()
        self.inbox = queue.Queue(room)
        self.input = SerialInput(parse_address(self.line.address), self.inbox)
        self.input.start()
        self._decoder = framing.Decoder()
        self.came = []
        until(lambda: self.poll() is None and self.line.connects, "the gateway's call")

    def poll(self):
        self.came += self._decoder.push(self.line.read())

    def send(self, content):
        while content:
            content = content[self.line.write(content) :]

    def kinds(self):
        self.poll()
        return [kind for kind, _ in self.came]

    def marks(self):
        self.poll()
        return [codec.decode_stored(body) for kind, body in self.came if kind == framing.STORED]


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.input.stop()
    desk.line.close()


def test_the_time_goes_down_after_the_connect_and_after_each_birth(desk):
    until(lambda: desk.kinds() == [framing.TIME], "the time after the connect")
    desk.send(birth())
    until(lambda: desk.kinds() == [framing.TIME] * 2, "the time after the birth")
    told = struct.unpack("<q", desk.came[1][1])[0]
    assert abs(told - time.time_ns()) < 60e9


def test_messages_arrive_under_the_topics_of_mqtt(desk):
    desk.send(birth() + framing.encode(framing.DATA, data_message(0)))
    received = [desk.inbox.get(timeout=PATIENCE_SECONDS) for _ in range(2)]
    assert [message.topic for message in received] == [topics.birth("pump-1"), topics.data("pump-1")]
    assert received[1].payload == data_message(0)
    assert received[1].source is desk.input


def test_while_the_inbox_is_full_nothing_is_read(desk):
    desk.inbox.maxsize = 3
    desk.send(birth())
    frame = framing.encode(framing.DATA, data_message(0))
    sent = 0

    def stuck():
        nonlocal sent
        taken = desk.line.write(frame * 100)
        sent += taken
        return not taken and desk.inbox.qsize() == 3

    until(stuck, "the line to take no more")
    desk.input.send_mark(codec.Stored("pump-1", 1, 16))
    until(desk.marks, "a mark, which goes down all the same")
    desk.inbox.maxsize = 0
    until(lambda: desk.inbox.qsize() == 1 + sent // len(frame), "everything that the line took, once there is room")
    assert desk.input.report().refused == 0


def test_a_mark_goes_to_the_device_that_is_there_and_to_no_other(desk):
    desk.input.send_mark(codec.Stored("pump-1", 1, 16))  # nobody has spoken yet
    desk.send(birth("fan-7"))
    until(lambda: desk.inbox.qsize() == 1, "the birth")
    desk.input.send_mark(codec.Stored("pump-1", 1, 32))
    desk.input.send_mark(codec.Stored("fan-7", 1, 48))
    until(desk.marks, "a mark")
    desk.line.cut()
    until(lambda: desk.poll() is None and desk.line.connects == 2, "the gateway's second call")
    desk.send(birth("fan-7", boot=2))
    desk.input.send_mark(codec.Stored("fan-7", 2, 64))
    until(lambda: len(desk.marks()) == 2, "the next mark")
    assert [mark.next_sequence for mark in desk.marks()] == [48, 64]


def test_what_a_device_says_is_logged_without_what_confuses_a_terminal(desk, capsys):
    desk.send(birth() + framing.encode(framing.LOG, b"\x1b[31mfault \xff at 0x1\n"))
    said = ""

    def says():
        nonlocal said
        said += capsys.readouterr().out
        return "device says" in said

    until(says, "the line in the log")
    assert "\\x1b[31m" not in said.split("device says")[1].encode("unicode_escape").decode().split("text=")[1]
    assert "fault \ufffd at 0x1" in said
    assert str(desk.input.address) in said


def test_a_flood_of_lines_and_of_refused_pieces_is_two_sentences(desk, capsys):
    desk.send(framing.encode(framing.LOG, b"again") * 400 + b"\x00garbage" * 300 + b"\x00" + birth())
    until(lambda: desk.inbox.qsize() == 1, "the birth behind the flood")
    desk.input.stop()
    said = capsys.readouterr().out
    assert said.count("pieces of a serial line are refused") == 1
    assert 100 < said.count("device says") < 130
    report = desk.input.report()
    assert (report.frames, report.refused, report.device) == (401, 300, None)


def test_stopping_does_not_wait_for_a_line_that_is_away(monkeypatch):
    for name in ("_SHORTEST_PAUSE_SECONDS", "_LONGEST_PAUSE_SECONDS", "_STOP_SECONDS"):
        monkeypatch.setattr(f"gateway.inputs.serial.{name}", 2 * PATIENCE_SECONDS)
    line = SerialInput(parse_address("/dev/no-such-port"), queue.Queue())
    line.start()
    began = time.monotonic()
    line.stop()
    line.stop()
    assert time.monotonic() - began < 0.9 * PATIENCE_SECONDS
    assert not line.connected.is_set()
