"""The twin on the real MicroPython: features, scores, messages and the main loop give CPython's bytes."""

import contextlib
import os
import select
import struct
import time

import numpy as np
import pytest
from micropython_board import MicroPythonBoard, lay_out, run_module
from small_devices import PUBLIC_KEY, provision_small, signed, small_image, small_profile, small_rows

from firmware.micropython import serial_loop
from firmware.micropython.device import Device
from firmware.micropython.slots import Slots
from shared import model_image
from shared.messages import codec, compact
from shared.model_image import ImageContent
from shared.recordings import profile_of
from shared.recordings.simulator import simulate
from shared.serial import framing

#: What the VM does with a recording: the same calls as `pushed`.
DEVICE_BENCH = """
import struct
from firmware.micropython.device import Device
from shared.messages import compact
from shared.model_image import read

source = open("/case/samples", "rb")
rows_at_once, channels = struct.unpack("<II", source.read(8))
form = "<q" + str(channels) + "i"
size = struct.calcsize(form)
target = open("/out/messages", "wb")
scored = open("/out/features", "wb")

def take(sequence, readings, head, tail):
    message = head + compact.data_oldest(sequence) + tail
    target.write(struct.pack("<I", len(message)) + message)

image = read(open("/case/image", "rb").read())
device = Device("press-7", 3, image, take)

def step():
    content = source.read(size * rows_at_once)
    rows = [struct.unpack(form, content[i:i + size]) for i in range(0, len(content), size)]
    if not rows:
        device.close_message()
        target.close()
        scored.close()
        return False
    if image.kind:
        device.push_run([row[0] for row in rows], [[row[1 + i] for row in rows] for i in range(channels)])
    else:
        for row in rows:
            device.push_row(row[0], list(row[1:]))
    scored.write(struct.pack("<" + str(len(device.features)) + "h", *device.features))
    return True
"""


def pushed(
    image: ImageContent, times: list[int], counts: list[list[int]], rows_at_once: int
) -> tuple[list[bytes], bytes]:
    """Messages of CPython's twin, and its features after every `rows_at_once` rows."""
    messages: list[bytes] = []
    features = b""

    def take(sequence: int, _readings: int, head: bytes, tail: bytes) -> None:
        messages.append(head + compact.data_oldest(sequence) + tail)

    device = Device("press-7", 3, image, take)
    for first in range(0, len(times), rows_at_once):
        last = first + rows_at_once
        if image.kind:
            device.push_run(times[first:last], [list(column) for column in zip(*counts[first:last], strict=True)])
        else:
            for time_ns, row in zip(times[first:last], counts[first:last], strict=True):
                device.push_row(time_ns, row)
        features += struct.pack(f"<{len(device.features)}h", *device.features)
    device.close_message()
    return messages, features


def split(content: bytes) -> list[bytes]:
    messages = []
    while content:
        (length,) = struct.unpack("<I", content[:4])
        messages.append(content[4 : 4 + length])
        content = content[4 + length :]
    return messages


@pytest.mark.parametrize(
    ("kind", "window", "bands", "rows", "rows_at_once"),
    [("process", 16, 0, 600, 20), ("vibration", 256, 12, 40_960, 1024)],
)
def test_a_recording_gives_the_same_messages(bench, tmp_path, kind, window, bands, rows, rows_at_once):
    recording = getattr(simulate(5, "outer_race", duration_s=900.0, onset_s=60.0), kind)
    _, counts = profile_of(recording, 300 if kind == "process" else 20_000, "press-7", "acme/press-7")
    counts, times = counts[:rows], recording.times_ns[:rows].copy()
    times[rows // 2 :] += 60_000_000_000  # a gap
    counts[rows // 3 : rows // 3 + 5] = -(2**31)
    image = bench.images.fitted(
        counts,
        times,
        kind=1 if bands else 0,
        window=window,
        hop=window if bands else 1,
        bands=bands,
        gap_ns=5_000_000_000,
        starts=np.arange(rows) == 0,
    )
    lay_out(tmp_path)
    (tmp_path / "bench.py").write_text(DEVICE_BENCH)
    case = tmp_path / "case"
    case.mkdir()
    case.joinpath("image").write_bytes(model_image.seal(model_image.encode(image)))
    table = np.zeros(rows, [("time", "<i8"), ("counts", "<i4", (counts.shape[1],))])
    table["time"], table["counts"] = times, counts
    case.joinpath("samples").write_bytes(struct.pack("<II", rows_at_once, counts.shape[1]) + table.tobytes())
    run_module(tmp_path, "bench")
    messages, features = pushed(image, times.tolist(), counts.tolist(), rows_at_once)
    assert len(messages) > 9
    scores = np.concatenate([codec.decode_data(message).scores() for message in messages])
    assert np.isfinite(scores).sum() > 100
    assert split((tmp_path / "out/messages").read_bytes()) == messages
    assert (tmp_path / "out/features").read_bytes() == features


class Wire:
    """The device's end of a line held in memory."""

    def __init__(self) -> None:
        self.arrived = b""
        self.sent = b""

    def read(self) -> bytes:
        arrived, self.arrived = self.arrived, b""
        return arrived

    def write(self, content: bytes) -> None:
        self.sent += content


class Reference:
    """CPython's main loop; its clock stands still, so that it never repeats."""

    def __init__(self, folder) -> None:
        self.wire = Wire()
        self.loop = serial_loop.SerialLoop(
            self.wire, Slots(str(folder)), (folder / "profile.cbor").read_bytes(), [PUBLIC_KEY], lambda: 0
        )
        self.loop.begin([])
        self.decoder = framing.Decoder()

    def answers(self, sent: bytes = b"") -> list[tuple[int, bytes]]:
        self.loop._part_until = 0
        self.wire.arrived = sent
        while self.loop.poll():
            pass
        self.loop._part_until = 0
        while self.loop.poll():
            pass
        sent, self.wire.sent = self.wire.sent, b""
        return [frame for frame in self.decoder.push(sent) if frame[0] != framing.LOG]


class Partner:
    """The gateway's end of a board's port."""

    def __init__(self, port: str) -> None:
        self.line = os.open(port, os.O_RDWR | os.O_NOCTTY)
        self.decoder = framing.Decoder()
        self.waiting: list[tuple[int, bytes]] = []
        self.seen: set[tuple[int, bytes]] = set()
        self.logs: list[str] = []

    def send(self, content: bytes) -> None:
        while content:
            content = content[os.write(self.line, content) :]

    def frame(self, limit_seconds: float = 20.0) -> tuple[int, bytes]:
        deadline = time.monotonic() + limit_seconds
        while not self.waiting:
            assert select.select([self.line], [], [], max(0.0, deadline - time.monotonic()))[0], self.logs
            for kind, body in self.decoder.push(os.read(self.line, 4096)):
                if kind == framing.LOG:
                    self.logs.append(body.decode())
                else:
                    self.waiting.append((kind, body))
        return self.waiting.pop(0)

    def expect(self, frames: list[tuple[int, bytes]]) -> None:
        """These are the next frames, whatever the device repeats in between because this machine is slow."""
        for wanted in frames:
            got = self.frame()
            while got != wanted and got in self.seen:
                got = self.frame()
            assert got == wanted
            self.seen.add(wanted)

    def close(self) -> None:
        os.close(self.line)


def samples(rows: list[tuple[int, list[int]]], flags: int = 0) -> bytes:
    packed = b"".join(struct.pack(f"<q{len(counts)}i", time_ns, *counts) for time_ns, counts in rows)
    return framing.encode(framing.SAMPLES, bytes((flags,)) + packed)


def image_parts(image: bytes) -> list[bytes]:
    size = framing.IMAGE_PART_BYTES
    return [
        framing.encode(framing.IMAGE_PART, struct.pack("<II", offset, len(image)) + image[offset : offset + size])
        for offset in range(0, len(image), size)
    ]


def mark(device: str, boot: int, next_sequence: int) -> bytes:
    return framing.encode(framing.STORED, codec.encode_stored(codec.Stored(device, boot, next_sequence)))


@pytest.mark.parametrize("fast", [False, True])
def test_the_main_loop_answers_with_the_same_frames(tmp_path, fast):
    profile = small_profile(fast=fast)
    board_folder, twin_folder = tmp_path / "board", tmp_path / "twin"
    lay_out(board_folder)
    for folder in (board_folder / "device", twin_folder):
        provision_small(folder, profile)
        (folder / "keys").write_bytes(PUBLIC_KEY)
    twin = Reference(twin_folder)
    rows = small_rows(profile, 240)
    altered = bytearray(signed(small_image(profile, 2)))
    altered[-1] ^= 1
    script = [samples(rows[first : first + 40], first == 120) for first in range(0, 200, 40)]
    script.insert(2, b"noise" + samples(rows[:1])[:9])
    script.insert(3, mark("another-device", 1, 5))
    script.insert(4, mark("press-7", 1, 2))
    script += [*image_parts(bytes(altered)), *image_parts(signed(small_image(profile, 3, bands=3 if fast else 2)))]
    script += [samples(rows[200:]), framing.encode(framing.TIME, struct.pack("<q", rows[-1][0]))]
    with MicroPythonBoard(board_folder) as board, contextlib.closing(Partner(board.port)) as partner:
        partner.expect(twin.answers())
        for sent in script:
            partner.send(sent)
            partner.expect(twin.answers(sent))
        assert {kind for kind, _ in partner.seen} == {
            framing.BIRTH, framing.STATE, framing.DATA, framing.TAKEN, framing.IMAGE_PROGRESS
        }  # fmt: skip
        assert partner.decoder.frames > 20
        assert any("golden vector right" in text for text in partner.logs)
        # Ctrl-C after a zero byte gives the prompt, Ctrl-D there starts the board again: the proved image stays.
        partner.send(b"\x00\r\x03")
        partner.send(b"\x04")
        twin = Reference(twin_folder)
        first = twin.answers()
        partner.expect(first)
        birth, state = (body for _, body in first)
        assert codec.decode_birth(birth).boot == 2
        assert codec.decode_state(state) == codec.State("press-7", 2, 3, "started", 0, "")
