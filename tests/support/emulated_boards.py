"""Emulated boards for tests: built once a session, spoken to over their two lines without a gateway of ours."""

import itertools
import queue
import time

import numpy as np
import pytest
from waiting import PATIENCE_SECONDS

from firmware.board_build import BoardDevice, BoardFirmware
from firmware.emulator.qemu import EmulatedBoard, find_qemu
from firmware.emulator.samples import SamplesLine, packed_rows
from firmware.emulator.tap import Tap
from firmware.errors import FirmwareError
from firmware.host.sensor import birth_of
from shared.identity import Channel, DeviceProfile
from shared.messages import codec
from shared.model_image import ImageContent, encode, read, seal
from shared.serial import framing


def require_emulator() -> None:
    """Skip, with the remedy, where boards cannot be built or emulated."""
    try:
        find_qemu()
    except FirmwareError as error:
        pytest.skip(str(error))
    pytest.importorskip("ziglang", reason="ziglang is not installed: pip install 'tocsin[firmware]'")
    pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tocsin[firmware]'")


def device_of(content: ImageContent, name: str = "press-7") -> BoardDevice:
    """A device for any image: its channels are told with offset 0 and step 1."""
    channels = tuple(Channel(f"c{number}", "", 0.0, 1.0) for number in range(len(content.channels)))
    profile = DeviceProfile(name, f"acme/{name}", "fast" if content.kind else "slow", 1.0, channels)
    image = seal(encode(content))
    return BoardDevice(birth_of(profile, 0, read(image)), image, read(image))


class Bench:
    """A running board with both its lines in our hands. `frames` are all that it said, in order."""

    def __init__(self, firmware: BoardFirmware, boot: int = 1, extra: tuple[str, ...] = ()) -> None:
        self.device = firmware.device.birth.profile.device
        self.boot = boot
        self.board = EmulatedBoard(firmware, boot, extra=extra)
        self.tap = Tap(self.board.gateway_port)
        self.line = SamplesLine(self.board.samples_port, len(firmware.device.content.channels))
        self.frames: list[tuple[int, bytes]] = []
        self._heard_at = time.monotonic()
        self.board.start()
        self.tap.start()
        self.wait(lambda: self.of(framing.STATE))

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.tap.stop()
        self.board.stop()
        self.line.close()

    def poll(self) -> None:
        """Take what came and send what may be sent."""
        while True:
            try:
                from_board, kind, body = self.tap.passed.get_nowait()
            except queue.Empty:
                break
            if from_board:
                self.frames.append((kind, body))
                self._heard_at = time.monotonic()
        self.line.poll()

    def wait(self, until, limit_seconds: float = PATIENCE_SECONDS):
        """Poll until `until()` is something; AssertionError when that takes too long."""
        deadline = time.monotonic() + limit_seconds
        while True:
            self.poll()
            found = until()
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"nothing within {limit_seconds} s; after {len(self.frames)} frames, {self._last_heard()}, "
                    f"the board said {self.texts()[-3:]}"
                )
            time.sleep(0.002)

    def _last_heard(self) -> str:
        """What came last, and when: a board that repeats is another trouble than a silent one."""
        data = [codec.decode_data(body) for body in self.of(framing.DATA)[-3:]]
        kinds = [kind for kind, _ in self.frames[-4:]]
        waits = [(message.sequence, len(message), message.oldest) for message in data]
        return f"the last {time.monotonic() - self._heard_at:.1f} s ago, of kinds {kinds}, last data {waits}"

    def of(self, kind: int) -> list[bytes]:
        return [body for found, body in self.frames if found == kind]

    def texts(self) -> list[str]:
        return [body.decode() for body in self.of(framing.LOG)]

    def send(self, received: bytes) -> None:
        """Bytes for the board's end of the gateway's line."""
        self.tap.send_to_board(received)

    def store(self, following: int) -> None:
        """The gateway's mark."""
        mark = codec.Stored(self.device, self.boot, following)
        self.send(framing.encode(framing.STORED, codec.encode_stored(mark)))

    def push(self, times_ns: np.ndarray, counts: np.ndarray, clips: np.ndarray | None = None) -> None:
        """Queue a recording; `clips` says where a clip begins."""
        begins = [] if clips is None else [int(row) for row in np.flatnonzero(clips)]
        borders = [0, *(row for row in begins if row), len(times_ns)]
        for first, last in itertools.pairwise(borders):
            self.line.add(packed_rows(times_ns[first:last], counts[first:last]), clip=first in begins)
        self.line.add(b"", clip=True)
