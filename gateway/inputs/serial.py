"""Readings over serial lines: one thread per line, from bytes to the messages that MQTT would bring, and back.

A line never dies: what cannot be opened or has ended is tried again until the gateway stops. While the inbox is full
nothing is read, so that the device keeps what it has. Marks, images and the time wait in one place each, the newest in
place of an older one; a device that reads nothing costs no memory.
"""

import contextlib
import os
import queue
import random
import select
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from gateway.changes import Release
from gateway.connection import Received
from gateway.errors import LineAwayError
from gateway.inputs.image_transfer import ImageTransfer
from gateway.inputs.serial_messages import SerialMessages
from gateway.inputs.serial_report import LineReport
from gateway.inputs.transport import Address, Transport, open_transport
from shared.errors import MessageError
from shared.messages import codec
from shared.serial import framing

_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
#: A line that lasted less did not end the trouble: back-off goes on.
_STEADY_SECONDS = 10.0
#: How often a line looks at the inbox that was full, at images that are due, and at what it has to say.
_LOOK_SECONDS = 0.05
_IDLE_SECONDS = 0.5
_TELL_SECONDS = 60.0
#: A line is there once it brought a frame or stood so long; what accepts and hangs up is not worth a line each time.
_THERE_SECONDS = 1.0
#: Longer than an attempt to connect may take.
_STOP_SECONDS = 5.0
#: Lines of a device's own that go into the gateway's log each minute; the others are counted.
_LOG_LINES_PER_MINUTE = 120
_LOG_CHARACTERS = 500


class SerialInput:
    """One line at `address`; what arrives goes into `inbox` as `Received` with itself as source.

    `image` is for the gateway to set: what the device on this line should get, if anything. `outcomes` answers, in
    order: the release, and how it ended ("accepted", "refused", "running" or "given up").
    """

    def __init__(
        self, address: Address, inbox: "queue.Queue[Received]", now: Callable[[], float] = time.monotonic
    ) -> None:
        self.address = address
        self.image: Release | None = None
        self.outcomes: queue.SimpleQueue[tuple[Release, str]] = queue.SimpleQueue()
        self.connected = threading.Event()
        self._inbox = inbox
        self._now = now
        self._log = structlog.get_logger().bind(line=str(address))
        self._stopping = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._marks: dict[str, codec.Stored] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._thread = threading.Thread(target=self._run, name=f"line {address}", daemon=True)
        self._connection: _Connection | None = None
        self._handing: _Handing | None = None
        #: Why the line is away; and what was said of it last: whether it is there.
        self._reason = ""
        self._said: bool | None = None
        self._frames = 0
        self._refused = _Counted()
        self._own_lines = _Counted()

    def start(self) -> None:
        """Open the line now or as soon as it is there; returns at once."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Give the line back soon; returns at once."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._wake_up()

    def stop(self) -> None:
        """Give the line back. What is not in the inbox was not taken; its device sends it again."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(_STOP_SECONDS)
        if not (self._closed or self._thread.is_alive()):
            self._closed = True
            os.close(self._wake)
            os.close(self._woken)

    def acknowledge(self, message: Received) -> None:
        """Nothing: a device on a line waits for its mark alone."""

    def send_mark(self, mark: codec.Stored) -> None:
        """Tell the device what is stored, if it is still the one on this line; else it repeats and is told again."""
        with self._lock:
            self._marks[mark.sender] = mark
        if not self._stopping.is_set():
            self._wake_up()

    def speaks_for(self, device: str, seconds: float) -> bool:
        """Whether the line stands, names `device` and brought a frame within the last `seconds`."""
        connection = self._connection
        return (
            connection is not None
            and connection.messages.device == device
            and connection.heard_at is not None
            and self._now() - connection.heard_at <= seconds
        )

    def report(self) -> LineReport:
        """How the line stands; from any thread."""
        connection = self._connection
        device = None if connection is None else connection.messages.device
        return LineReport(
            str(self.address), self.connected.is_set(), device, self._frames, self._refused.total, self._reason
        )

    def _wake_up(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is awake already
            os.write(self._wake, b"\x00")

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = self._now()
            try:
                self._serve(open_transport(self.address))
            except (LineAwayError, OSError, ValueError) as error:
                self._went(str(error))
            self.connected.clear()
            self._connection = None
            failures = 0 if self._now() - began >= _STEADY_SECONDS else failures + 1
            step = min(_SHORTEST_PAUSE_SECONDS * 2 ** min(failures, 20), _LONGEST_PAUSE_SECONDS)
            self._stopping.wait(step * random.uniform(0.5, 1.0))

    def _serve(self, transport: Transport) -> None:
        """Work on an open line until it ends (`LineAwayError`) or the gateway stops."""
        connection = self._connection = _Connection(self._now())
        with self._lock:
            self._marks.clear()  # another device may be at the line now
        if self._handing is not None:
            self._handing.transfer.begin()
        self.connected.set()
        self._reason = ""
        try:
            while not self._stopping.is_set():
                self._hand_over(connection)
                self._fill(connection)
                wait = _LOOK_SECONDS if connection.waiting or self._handing else _IDLE_SECONDS
                reading = [self._woken] if connection.waiting else [self._woken, transport.fileno()]
                writing = [transport.fileno()] if connection.outgoing else []
                readable, writable, _ = select.select(reading, writing, [], wait)
                if self._woken in readable:
                    os.read(self._woken, 4096)
                if writable:
                    connection.outgoing = connection.outgoing[transport.write(connection.outgoing) :]
                if transport.fileno() in readable:
                    self._take(connection, transport.read())
                self._tell(connection)
        finally:
            transport.close()

    def _take(self, connection: "_Connection", received: bytes) -> None:
        decoder, messages = connection.decoder, connection.messages
        before = decoder.refused + messages.refused
        for kind, body in decoder.push(received):
            self._frames += 1
            connection.heard_at = self._now()
            if kind == framing.LOG:
                self._say(body)
            elif kind == framing.IMAGE_PROGRESS:
                if self._handing is not None:
                    self._handing.transfer.take_progress(body, self._now())
            else:
                for topic, payload in messages.take(kind, body):
                    connection.waiting.append(Received(topic, payload, self, 0, 0, 0))
                self._look_at(connection, kind, body)
        self._refused.add(decoder.refused + messages.refused - before)

    def _look_at(self, connection: "_Connection", kind: int, body: bytes) -> None:
        """What a birth or a state means for the line itself: the time is wanted; the image has its verdict."""
        handing, birth = self._handing, connection.messages.birth
        if kind == framing.BIRTH:
            connection.time_due = True
            if handing is not None and birth is not None:
                handing.transfer.take_birth(birth)
        elif kind == framing.STATE and handing is not None:
            with contextlib.suppress(MessageError):  # refused where every message is
                handing.transfer.take_state(codec.decode_state(body))

    def _hand_over(self, connection: "_Connection") -> None:
        """Put what has arrived into the inbox, as far as there is room."""
        while connection.waiting:
            try:
                self._inbox.put_nowait(connection.waiting[0])
            except queue.Full:
                return
            connection.waiting.popleft()

    def _fill(self, connection: "_Connection") -> None:
        """Choose what goes out next, once the frames before it are gone."""
        self._renew_handing(connection)
        if connection.outgoing:
            return
        device = connection.messages.device
        with self._lock:
            mark = self._marks.pop(device, None) if device else None
            self._marks.clear()  # of devices that were here before
        frames = []
        if connection.time_due:
            connection.time_due = False
            frames.append(framing.encode(framing.TIME, struct.pack("<q", time.time_ns())))
        if mark is not None:
            frames.append(framing.encode(framing.STORED, codec.encode_stored(mark)))
        handing = self._handing
        wanted = self.image
        if (
            handing is not None
            and wanted is not None
            and wanted.device == device
            and wanted.image == handing.release.image
        ):
            part = handing.transfer.due(self._now())
            if part is not None:
                frames.append(framing.encode(framing.IMAGE_PART, part))
        connection.outgoing = b"".join(frames)

    def _renew_handing(self, connection: "_Connection") -> None:
        """Begin what the gateway wants on the device of this line; tell what has an outcome, once."""
        handing, wanted = self._handing, self.image
        if handing is not None and handing.told != handing.transfer.outcome:
            outcome = handing.told = handing.transfer.outcome
            if outcome:
                release, reason = handing.release, handing.transfer.reason
                self._log.info(f"an image is {outcome}", device=release.device, version=release.version, reason=reason)
                self.outcomes.put((release, outcome))
        if wanted is None or wanted.device != connection.messages.device or wanted.image is None:
            return
        if handing is None or handing.release.image != wanted.image or handing.release.device != wanted.device:
            self._handing = _Handing(wanted, ImageTransfer(wanted.version, wanted.image))
            if connection.messages.birth is not None:
                self._handing.transfer.take_birth(connection.messages.birth)

    def _went(self, reason: str) -> None:
        self._reason = reason
        if self._said is not False and not self._stopping.is_set():
            self._said = False
            self._log.warning("serial line is away, trying again until it is back", reason=reason)

    def _say(self, body: bytes) -> None:
        """A line of text from the device, without what could confuse a terminal."""
        text = body[: 4 * _LOG_CHARACTERS].decode("utf-8", "replace")[:_LOG_CHARACTERS]
        text = "".join(character if character.isprintable() else " " for character in text).strip()
        self._own_lines.add(1)
        if self._own_lines.untold <= _LOG_LINES_PER_MINUTE:
            connection = self._connection
            self._log.info("device says", device=None if connection is None else connection.messages.device, text=text)

    def _tell(self, connection: "_Connection") -> None:
        """Say once that the line is there, and at most once a minute what was counted."""
        now = self._now()
        if self._said is not True and (connection.decoder.frames or now - connection.since >= _THERE_SECONDS):
            self._said = True
            self._log.info("serial line is there")
        refused = self._refused.due(now)
        if refused:
            self._log.warning("pieces of a serial line are refused", pieces=refused, since_start=self._refused.total)
        lines = self._own_lines.due(now)
        if lines > _LOG_LINES_PER_MINUTE:
            self._log.warning("lines of a device are left out", lines=lines - _LOG_LINES_PER_MINUTE)


class _Handing:
    """An image on its way, and what was told of its outcome."""

    def __init__(self, release: Release, transfer: ImageTransfer) -> None:
        self.release = release
        self.transfer = transfer
        #: The outcome that was told last.
        self.told = ""


class _Connection:
    """What belongs to a line from its opening to its end."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.heard_at: float | None = None
        self.decoder = framing.Decoder()
        self.messages = SerialMessages()
        #: Messages that the inbox has no room for yet.
        self.waiting: deque[Received] = deque()
        #: Bytes on their way.
        self.outgoing = b""
        self.time_due = True


class _Counted:
    """A count that is told now and then.

    >>> counted = _Counted()
    >>> counted.add(2)
    >>> counted.due(0.0), counted.due(1.0)
    (2, 0)
    >>> counted.add(1)
    >>> counted.due(59.0), counted.due(60.0), counted.total
    (0, 1, 3)
    """

    def __init__(self) -> None:
        self.total = 0
        self.untold = 0
        self._told_at: float | None = None

    def add(self, more: int) -> None:
        """Count."""
        self.total += more
        self.untold += more

    def due(self, now: float) -> int:
        """What is to be told at `now` (monotonic seconds); 0 if nothing, or if it was told within the minute."""
        if not self.untold or (self._told_at is not None and now - self._told_at < _TELL_SECONDS):
            return 0
        untold, self.untold, self._told_at = self.untold, 0, now
        return untold
