"""One twin as a running sensor: device, buffer, model slots, journal and link, joined.

Single-threaded: the caller pushes samples and calls `poll` often; the link's own thread only fills a queue.
"""

import contextlib
import itertools
import queue
import time
from pathlib import Path

from paho.mqtt.client import MQTTMessageInfo

from firmware.host.journal import Journal
from firmware.host.link import Link
from firmware.micropython.buffer import Buffer
from firmware.micropython.device import Device
from firmware.micropython.slots import Slots
from firmware.micropython.updates import accept
from shared import topics
from shared.credentials import Login
from shared.errors import ImageError, MessageError
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.model_image import ImageContent, feature_names, read

#: Messages sent and not yet reported as stored.
IN_FLIGHT_MAX = 64
#: With no mark for so long, everything from the mark is sent again.
REPEAT_SECONDS = 2.0
BUFFER_BYTES = 16 << 20


def birth_of(profile: DeviceProfile, boot: int, image: ImageContent) -> codec.Birth:
    """What a device tells about itself when it runs `image`; bands are named by their frequencies."""
    names = feature_names(image)
    hertz = profile.sample_rate_hz / image.window
    first = len(names) - image.envelope_bands - image.bands
    for word, edges in (("band", image.edges), ("envelope", image.envelope_edges)):
        for low, high in itertools.pairwise(round(edge * hertz) for edge in edges):
            names[first] = f"{word} {low}-{high} Hz"
            first += 1
    return codec.Birth(
        profile,
        boot,
        image.version if image.layers else 0,
        tuple(f"{channel.name} {name}" for channel in profile.channels for name in names),
        image.window,
        image.hop,
    )


class Sensor:
    """A device of this machine.

    `folder` holds its slots, boot count and journal, and must have been provisioned with an image
    (`Slots.provision`). `public_keys` are the raw Ed25519 keys whose images it accepts.
    """

    def __init__(
        self,
        profile: DeviceProfile,
        folder: Path,
        public_keys: list[bytes],
        broker_url: str,
        login: Login | None = None,
    ) -> None:
        self.profile = profile
        self.public_keys = public_keys
        self.slots = Slots(str(folder))
        content, reverted = self.slots.boot_image()
        self.image = read(content)
        self.boot = self.slots.next_boot()
        self.buffer = Buffer(BUFFER_BYTES)
        self.journal = Journal(folder / "journal")
        self.device = Device(profile.device, self.boot, self.image, self._take_message)
        self.link = Link(profile.device, broker_url, login)
        self.data_bytes = 0
        self.repeats = 0
        self._connections_seen = 0
        self._trial_report: MQTTMessageInfo | None = None
        self._progress = time.monotonic()
        reason = "the image on trial was given up: the device had not reported with it" if reverted else ""
        self._state = codec.State(profile.device, self.boot, self._version(), "started", 0, reason)

    def _version(self) -> int:
        return self.image.version if self.image.layers else 0

    def _take_message(self, sequence: int, readings: int, head: bytes, tail: bytes) -> None:
        self.journal.add(self.boot, sequence, readings)
        self.buffer.add(sequence, readings, head, tail)

    def start(self) -> None:
        """Connect."""
        self.link.start()

    def poll(self) -> None:
        """Handle what came in and send what may be sent. Never waits."""
        while True:
            try:
                topic, payload = self.link.received.get_nowait()
            except queue.Empty:
                break
            if topic == topics.image(self.profile.device):
                self._judge_image(payload)
            else:
                self._take_mark(payload)
        if self.link.connected_count != self._connections_seen:
            self._connections_seen = self.link.connected_count
            self._announce()
            self.buffer.repeat()
        if not self.link.connected:
            return
        if self._trial_report is not None and self._trial_report.is_published():
            with contextlib.suppress(OSError):  # no room to write it down: tried again at the next poll
                self.slots.prove()
                self._trial_report = None
        waiting = self.buffer.in_flight()
        if waiting and time.monotonic() - self._progress > REPEAT_SECONDS:
            self._progress = time.monotonic()
            self.repeats += 1
            self._announce()  # a gateway that does not know this device takes nothing from it
            self.buffer.repeat()
            waiting = 0
        while waiting < IN_FLIGHT_MAX:
            message = self.buffer.take()
            if message is None:
                break
            if not waiting:
                self._progress = time.monotonic()
            self.link.publish(topics.data(self.profile.device), message)
            self.data_bytes += len(message)
            waiting += 1

    def _announce(self) -> None:
        device = self.profile.device
        birth = birth_of(self.profile, self.boot, self.image)
        self.link.publish(topics.birth(device), codec.encode_birth(birth), retain=True)
        self.link.publish(topics.state(device), codec.encode_state(self._state), retain=True)

    def _take_mark(self, payload: bytes) -> None:
        try:
            mark = codec.decode_stored(payload)
        except MessageError:
            return
        if mark.boot == self.boot and mark.next_sequence > self.buffer.mark:
            self.buffer.stored(mark.next_sequence)
            self._progress = time.monotonic()

    def _judge_image(self, image: bytes) -> None:
        try:
            content = accept(image, self.image, self.public_keys)
        except ImageError as error:
            version = int.from_bytes(image[12:16], "little") if len(image) >= 16 else 0
            if version == self.image.version and "is not above" in str(error):
                return  # the retained image that this device runs already
            self._report("refused", version, str(error))
            return
        try:
            self.slots.store(image)
        except OSError as error:
            place = self.slots.folder
            reason = f"model image: version {content.version} cannot be stored in {place} ({error.strerror})"
            self._report("refused", content.version, reason)
            return
        self.device.install(content)
        self.image = content
        self._trial_report = self._report("accepted", content.version, "")

    def _report(self, result: str, judged_version: int, reason: str) -> MQTTMessageInfo:
        device = self.profile.device
        self._state = codec.State(device, self.boot, self._version(), result, judged_version, reason)
        return self.link.publish(topics.state(device), codec.encode_state(self._state), retain=True)

    def delivered(self) -> bool:
        """Whether everything produced so far is stored at the gateway."""
        return self.buffer.mark == self.device.sequence

    def stop(self) -> None:
        """Disconnect and close the journal."""
        self.link.stop()
        self.journal.close()
