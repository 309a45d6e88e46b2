"""All serial lines of a gateway, as its service sees them: whose messages count, where marks and images go."""

import queue
import time
from collections.abc import Callable

from gateway.changes import Changes
from gateway.connection import Received
from gateway.inputs.serial import SerialInput
from gateway.inputs.serial_report import write_report
from gateway.inputs.transport import parse_address
from gateway.intake import Intake
from gateway.settings import GatewaySettings
from gateway.ways import Ways
from shared import topics
from shared.messages.codec import Stored

_DEVICES = f"{topics.ROOT}/device/"


class SerialLines:
    """The lines that the settings name; none of them changes nothing for MQTT. Not started yet."""

    def __init__(
        self,
        settings: GatewaySettings,
        inbox: "queue.Queue[Received]",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines = [SerialInput(parse_address(text), inbox, now) for text in settings.serial_inputs]
        self._ways = Ways(now)
        self._folder = settings.data_folder

    def start(self) -> None:
        """Open every line now or as soon as it is there; returns at once."""
        for line in self._lines:
            line.start()

    def stop(self) -> None:
        """Give every line back."""
        for line in self._lines:
            line.ask_to_stop()
        for line in self._lines:
            line.stop()

    def admits(self, message: Received) -> bool:
        """Whether a message counts: one of a device must come the way of its device."""
        return not self._lines or not message.topic.startswith(_DEVICES) or self._ways.admits(message)

    def known(self, devices: set[str]) -> None:
        """The gateway knows these devices, whose messages it has just taken."""
        if self._lines:
            self._ways.known(devices)

    def send_mark(self, mark: Stored) -> bool:
        """Tell a device on a line what is stored; False for a device that is not on one."""
        line = self._ways.line_of(mark.sender)
        if line is None:
            return False
        line.send_mark(mark)
        return True

    def leave_to_mqtt(self, device: str) -> bool:
        """Whether an image of the device goes to the broker: not while it may turn out to be on a line."""
        return not self._lines or (self._ways.line_of(device) is None and self._ways.heard(device))

    def pass_on_images(self, intake: Intake) -> Changes:
        """Say to each line what its device should get; what changed because an image came to its end."""
        changes = Changes()
        for line in self._lines:
            device = self._ways.device_of(line)
            line.image = None if device is None else intake.image_for(device)
            while True:
                try:
                    release, outcome = line.outcomes.get_nowait()
                except queue.Empty:
                    break
                done = intake.releases.refused_by_device if outcome == "refused" else intake.releases.published
                changes.releases.update(done(release).releases)
        return changes

    def write_report(self) -> None:
        """Leave a word for `tocsin gateway status`."""
        write_report(self._folder, [line.report() for line in self._lines])
