"""The device's main loop on a board: samples in, frames on a serial line out, marks, images and the time back in.

    line.read() -> frames -> marks, image parts, the time, injected samples
    samples()   -> Device -> Buffer -> frames -> line.write()

The rules are those of `firmware/host/sensor.py`; what stands in the place of the broker is `shared/serial/framing.py`.
"""

import struct

from firmware.micropython.birth import BirthTemplate
from firmware.micropython.buffer import Buffer
from firmware.micropython.clock import Clock
from firmware.micropython.device import Device
from firmware.micropython.images import ImageTransfer
from firmware.micropython.updates import accept
from shared.errors import ImageError, MessageError
from shared.messages import compact
from shared.model_image import ImageContent, read
from shared.serial import framing
from shared.signal import definition
from shared.signal.integer import gap_between

#: Messages sent and not yet reported as stored: about a second of a line at 115,200 baud.
IN_FLIGHT_MAX = 8
#: With no mark for so long, everything from the mark is sent again.
REPEAT_MS = 2000
#: After an image's part was asked for, the line is left to it for so long: a board's receiver holds few bytes.
PART_MS = 500
BUFFER_BYTES = 32768
#: Longer frames than an image's part or a frame of samples are none for us.
FRAME_LIMIT_BYTES = 2048


class SerialLoop:
    """One device on one line. Call `begin` once, then `poll` again and again.

    `line` has ``read()``, which gives the bytes that have arrived and never waits, and ``write(content)``.
    `slots` holds the images, `birth` is the provisioned birth. `samples`, if any, gives a list of
    ``(time_ns, counts)`` or None. `ticks_ms` is a clock that never wraps.
    """

    def __init__(  # type: ignore[no-untyped-def]
        self, line, slots, birth: bytes, public_keys: "list[bytes]", ticks_ms, samples=None, buffer_bytes=BUFFER_BYTES
    ) -> None:
        self.line = line
        self.slots = slots
        self.public_keys = public_keys
        self.ticks_ms = ticks_ms
        self.samples = samples
        self.clock = Clock(ticks_ms)
        self.birth = BirthTemplate(birth)
        content, self.reverted = slots.boot_image()
        self.image: ImageContent = read(content)
        self.boot: int = slots.next_boot()
        self.buffer = Buffer(buffer_bytes)
        self.device = Device(self.birth.device, self.boot, self.image, self.buffer.add)
        #: Rows taken since boot.
        self.rows = 0
        self.repeats = 0
        self._decoder = framing.Decoder(FRAME_LIMIT_BYTES)
        self._transfer = ImageTransfer()
        self._part_until = 0
        self._proving = False
        self._progress = ticks_ms()
        reason = "the image on trial was given up: the device had not reported with it" if self.reverted else ""
        self._state = self._encoded_state("started", 0, reason)

    def _encoded_state(self, result: str, judged_version: int, reason: str) -> bytes:
        version = self.image.version if self.image.layers else 0
        return compact.encode_state(self.birth.device, self.boot, version, result, judged_version, reason)

    def _send(self, kind: int, body: bytes) -> None:
        self.line.write(framing.encode(kind, body))

    def log(self, text: str) -> None:
        """One line of text for whoever watches."""
        self._send(framing.LOG, text.encode())

    def begin(self, lines: "list[str]") -> None:
        """Say `lines`, the self-test, and who this is."""
        self.line.write(b"\x00")
        for text in lines:
            self.log(text)
        self._announce()

    def self_test(self) -> "list[str]":
        """Boot, image and golden vector, in words."""
        image = self.image
        golden = "none"
        if self.device.scorer is not None:
            golden = "wrong" if self.device.scorer.golden_fails() else "right"
        return [
            "device " + self.birth.device + ", boot " + str(self.boot),
            "image version " + str(image.version) + ", golden vector " + golden,
        ]

    def _announce(self) -> None:
        self._send(framing.BIRTH, self.birth.encode(self.boot, self.image))
        self._send(framing.STATE, self._state)

    def poll(self) -> bool:
        """Handle what came in, take samples, send at most one message. True if there was anything to do."""
        received = self.line.read()
        for kind, body in self._decoder.push(received) if received else ():
            self._handle(kind, body)
        rows = self.samples() if self.samples is not None else None
        if rows:
            self.take_rows(rows)
        return self._send_next() or bool(received) or bool(rows)

    def _handle(self, kind: int, body: bytes) -> None:
        if kind == framing.STORED:
            self._take_mark(body)
        elif kind == framing.SAMPLES:
            self._take_samples(body)
        elif kind == framing.IMAGE_PART:
            self._take_part(body)
        elif kind == framing.TIME and len(body) == 8:
            self.clock.set(struct.unpack("<q", body)[0])
        else:
            return
        if self._proving and kind in (framing.STORED, framing.TIME):
            self._prove()

    def _prove(self) -> None:
        """The gateway spoke to this device after its report: the image on trial stays."""
        try:
            self.slots.prove()
            self._proving = False
        except OSError:  # no room to write it down: tried again with the next mark
            pass

    def _take_mark(self, body: bytes) -> None:
        try:
            device, boot, next_sequence = compact.decode_stored(body)
        except MessageError:
            return
        if device == self.birth.device and boot == self.boot and next_sequence > self.buffer.mark:
            self.buffer.stored(next_sequence)
            self._progress = self.ticks_ms()

    def _take_samples(self, body: bytes) -> None:
        """A SAMPLES frame: a test bench's readings, as if the sensor had given them."""
        channels = len(self.image.channels)
        size = 8 + 4 * channels
        if len(body) < 1 or (len(body) - 1) % size:
            self.log("samples: no whole rows of " + str(channels) + " channels; the frame is left out")
        else:
            if body[0] & framing.SAMPLES_FLAG_CLIP:
                self.device.end_stretch()
            form = "<q" + str(channels) + "i"
            rows = []
            for position in range(1, len(body), size):
                row = struct.unpack(form, body[position : position + size])
                rows.append((row[0], list(row[1:])))
            self.take_rows(rows)
        self._send(framing.TAKEN, struct.pack("<I", self.rows & 0xFFFFFFFF))

    def take_rows(self, rows: "list[tuple[int, list[int]]]") -> None:
        """The next rows, in order: time in nanoseconds and one count per channel."""
        self.rows += len(rows)
        device = self.device
        if self.image.kind == definition.KIND_SLOW:
            for time_ns, counts in rows:
                device.push_row(time_ns, counts)
            return
        first = 0
        for i in range(1, len(rows) + 1):
            if i == len(rows) or gap_between(rows[i - 1][0], rows[i][0], self.image.gap_ns):
                run = rows[first:i]
                columns = [[row[1][channel] for row in run] for channel in range(len(self.image.channels))]
                device.push_run([row[0] for row in run], columns)
                first = i

    def _take_part(self, body: bytes) -> None:
        if len(body) < 8:
            return
        offset, length = struct.unpack("<II", body[:8])
        if offset == 0 and body[20:24] == struct.pack("<I", self.image.version):
            self._transfer.drop()
            self._announce()  # this device runs that version already
            return
        try:
            wanted = self._transfer.take(offset, length, body[8:])
            if wanted < length:
                self._send(framing.IMAGE_PROGRESS, struct.pack("<I", wanted))
                self._part_until = self.ticks_ms() + PART_MS
                return
            image = self._transfer.whole()
            self._send(framing.IMAGE_PROGRESS, struct.pack("<I", wanted))
            self._part_until = 0
            self._judge(image)
        except ImageError as error:
            self._refuse(self._transfer.version, str(error))
        except MemoryError:
            self._refuse(
                self._transfer.version, "model image: " + str(length) + " bytes do not fit this board's memory"
            )
        self._transfer.drop()

    def _judge(self, image: bytes) -> None:
        content = accept(image, self.image, self.public_keys)
        try:
            self.slots.store(image)
        except OSError as error:
            place = self.slots.folder
            self._refuse(
                content.version,
                "model image: version "
                + str(content.version)
                + " cannot be stored in "
                + place
                + " (error "
                + str(error.args[0])
                + ")",
            )
            return
        self.device.install(content)
        self.image = content
        self._state = self._encoded_state("accepted", content.version, "")
        self._announce()
        self._proving = True

    def _refuse(self, judged_version: int, reason: str) -> None:
        self._part_until = 0
        self._state = self._encoded_state("refused", judged_version, reason)
        self._send(framing.STATE, self._state)

    def _send_next(self) -> bool:
        now = self.ticks_ms()
        if now < self._part_until:
            return False
        buffer = self.buffer
        waiting = buffer.in_flight()
        if waiting and now - self._progress > REPEAT_MS:
            self._progress = now
            self.repeats += 1
            self._announce()  # a gateway that does not know this device takes nothing from it
            buffer.repeat()
            waiting = 0
        if waiting >= IN_FLIGHT_MAX:
            return False
        message = buffer.take()
        if message is None:
            return False
        self._send(framing.DATA, message)
        if not waiting:
            self._progress = self.ticks_ms()
        return True
