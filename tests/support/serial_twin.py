"""The twin behind a real serial line: frames in, frames out, through a TCP port or a pseudo-terminal."""

import contextlib
import os
import socket
import struct
import time
import tty

from gateway_partners import PROFILE, image_for, signed

from firmware.host.sensor import birth_of
from firmware.micropython.buffer import Buffer
from firmware.micropython.device import Device
from firmware.micropython.serial_loop import SerialLoop
from firmware.micropython.slots import Slots
from shared import model_image
from shared.errors import ImageError, MessageError
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.model_image import Layer
from shared.quantized.scorer import Scorer
from shared.serial import framing

IN_FLIGHT_MAX = 64


class TcpLine:
    """A serial server: it listens, and the newest caller has the line."""

    def __init__(self, port=0):
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.setblocking(False)
        self.port = self._server.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._caller = None
        self.connects = 0

    def read(self):
        with contextlib.suppress(BlockingIOError):
            caller, _ = self._server.accept()
            self.cut()
            caller.setblocking(False)
            self._caller = caller
            self.connects += 1
        if self._caller is None:
            return b""
        try:
            received = self._caller.recv(65536)
        except BlockingIOError:
            return b""
        except OSError:
            received = b""
        if not received:
            self.cut()
        return received

    def write(self, content):
        """How many bytes the line took; with nobody at the other end they are gone."""
        if self._caller is None:
            return len(content)
        try:
            return self._caller.send(content)
        except BlockingIOError:
            return 0
        except OSError:
            self.cut()
            return len(content)

    def cut(self):
        if self._caller is not None:
            self._caller.close()
        self._caller = None

    def close(self):
        self.cut()
        self._server.close()


class PtyLine:
    """A serial port of this machine: the gateway opens the terminal's other end at `address`, a link to it."""

    def __init__(self, link):
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        link.symlink_to(self.port)
        self.address = f"serial://{link}?baud=921600"

    def read(self):
        try:
            return os.read(self._master, 65536)
        except OSError:
            return b""

    def write(self, content):
        try:
            return os.write(self._master, content)
        except BlockingIOError:
            return 0

    def close(self):
        os.close(self._slave)
        os.close(self._master)


class SerialTwin:
    """The twin's device and buffer on `line`. `garble(frame)` may change what goes out, frame by frame.

    It takes every newer image, or answers each as the C core does when it does not check images.
    """

    def __init__(self, line, device="pump-1", boot=1, garble=None, repeat_seconds=0.3, checks_images=True, version=1):
        self.line = line
        self.profile = DeviceProfile(device, PROFILE.asset, "slow", 1.0, PROFILE.channels)
        self.boot = boot
        self.image = model_image.read(image_for(version, None, self.profile))
        self.version = version
        self.buffer = Buffer(1 << 20)
        self.device = Device(device, boot, self.image, self.buffer.add)
        self.garble = garble or (lambda frame: frame)
        self.checks_images = checks_images
        self.takes_parts = True
        #: What was sent first, and what came: (kind, body).
        self.sent_data = {}
        self.received = []
        self.parts = []
        self._image = b""
        self._repeat_seconds = repeat_seconds
        self._decoder = framing.Decoder()
        self._outgoing = b""
        self._state = codec.State(device, boot, version, "started", 0, "")
        self.send(framing.LOG, b"self-test passed")
        self.announce()
        self._progress = time.monotonic()

    def birth(self):
        birth = birth_of(self.profile, self.boot, self.image)
        return codec.Birth(birth.profile, birth.boot, self.version, birth.feature_names, birth.window, birth.hop)

    def announce(self):
        self.send(framing.BIRTH, codec.encode_birth(self.birth()))
        self.send(framing.STATE, codec.encode_state(self._state))

    def send(self, kind, body):
        self._outgoing += self.garble(framing.encode(kind, body))

    def push(self, row, counts):
        self.device.push_row(row * 1_000_000_000, counts)

    def poll(self):
        """A little of the device's life; always true, to stand in conditions."""
        for kind, body in self._decoder.push(self.line.read()):
            self.received.append((kind, body))
            if kind == framing.STORED:
                self._take_mark(body)
            elif kind == framing.IMAGE_PART:
                self._take_part(body)
        waiting = self.buffer.in_flight()
        if waiting and time.monotonic() - self._progress > self._repeat_seconds:
            self._progress = time.monotonic()
            self.announce()
            self.buffer.repeat()
            waiting = 0
        while waiting < IN_FLIGHT_MAX and len(self._outgoing) < 65536:
            message = self.buffer.take()
            if message is None:
                break
            if not waiting:
                self._progress = time.monotonic()
            data = codec.decode_data(message)
            self.sent_data.setdefault(data.sequence, message)
            self.send(framing.DATA, message)
            waiting += 1
        self._outgoing = self._outgoing[self.line.write(self._outgoing) :]
        return True

    def _take_mark(self, body):
        with contextlib.suppress(MessageError):
            mark = codec.decode_stored(body)
            if (mark.sender, mark.boot) == (self.profile.device, self.boot) and mark.next_sequence > self.buffer.mark:
                self.buffer.stored(mark.next_sequence)
                self._progress = time.monotonic()

    def _take_part(self, body):
        offset, length = struct.unpack("<II", body[:8])
        self.parts.append(offset)
        if not self.takes_parts:
            return
        if not self.checks_images:
            self._report("refused", 0, "this device cannot check a signature")
            return
        if offset == 0:
            self._image = b""
        if offset == len(self._image):
            self._image += body[8:]
        self.send(framing.IMAGE_PROGRESS, struct.pack("<I", len(self._image)))
        if len(self._image) == length:
            self._judge()

    def _judge(self):
        try:
            content = model_image.read(self._image)
        except ImageError as error:
            self._report("refused", 0, str(error))
            return
        if content.version <= self.version:
            self._report("refused", content.version, f"version {content.version} is not above {self.version}")
            return
        self.version = content.version
        self._report("accepted", content.version, "")

    def _report(self, result, version, reason):
        self._state = codec.State(self.profile.device, self.boot, self.version, result, version, reason)
        self.send(framing.STATE, codec.encode_state(self._state))

    def came(self, kind):
        return [body for received, body in self.received if received == kind]

    def delivered(self):
        return self.buffer.mark == self.device.sequence


class _Whole:
    """`line` for a board, whose writes take everything."""

    def __init__(self, line):
        self.line = line
        self._outgoing = b""

    def read(self):
        self.write(b"")
        return self.line.read()

    def write(self, content):
        self._outgoing += content
        self._outgoing = self._outgoing[self.line.write(self._outgoing) :]


def board(line, folder, public_key):
    """The main loop that runs on a board with MicroPython, on `line`; `folder` keeps its slots and boots."""
    if not folder.exists():
        folder.mkdir()
        Slots(str(folder)).provision(model(1, None))
    birth = codec.encode_birth(birth_of(PROFILE, 0, model_image.read(model(1, None))))
    loop = SerialLoop(_Whole(line), Slots(str(folder)), birth, [public_key], lambda: time.monotonic_ns() // 1_000_000)
    loop.begin(loop.self_test())
    return loop


def model(version, key):
    """An image of several parts with two layers and its golden vector; signed if there is a `key`."""
    content = model_image.read(image_for(version, None))
    wide = [Layer(8, 96, bytes(range(96)) * 8, [0] * 96, [1 << 30] * 96, [38] * 96, 0, -128)]
    wide.append(Layer(96, 8, bytes(range(96)) * 8, [0] * 8, [1 << 30] * 8, [38] * 8, 0, -128))
    content.layers = wide
    scorer = Scorer(content)
    content.golden_score, _ = scorer.score(content.golden_features)
    content.golden_output = scorer.output
    return signed(model_image.encode(content), key)
