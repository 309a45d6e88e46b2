"""By which way each device speaks: over MQTT, or on a serial line. Marks and images go back the same way.

A device on a line that is alive is on that line alone: two devices with one id would take each other's readings for
duplicates. What comes under its id another way is refused and said; nobody is told that it was stored, so whoever sent
it keeps it. A line that has been silent for long, has ended or speaks for another device gives its id free.
"""

import time
from collections.abc import Callable

import structlog

from gateway.connection import Received
from gateway.inputs.serial import SerialInput
from shared import topics

_log = structlog.get_logger()
#: A line is alive for so long after each frame: three times as long as a device may gather readings for a message.
ALIVE_SECONDS = 30.0
_TELL_SECONDS = 60.0


class Ways:
    """The way of each device that was heard since the gateway started."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        #: Each line's device, each such device's line: one to one.
        self._line_of: dict[str, SerialInput] = {}
        self._device_of: dict[SerialInput, str] = {}
        self._over_mqtt: set[str] = set()
        self._told_at: dict[str, float] = {}
        #: Messages that came another way than their device.
        self.refused = 0

    def admits(self, message: Received) -> bool:
        """Whether a device's message came the way of its device."""
        device, kind = topics.device_of(message.topic), message.topic.rsplit("/", 1)[-1]
        line = message.source if isinstance(message.source, SerialInput) else None
        owner = self._line_of.get(device)
        if owner is not None and owner is not line and owner.speaks_for(device, ALIVE_SECONDS):
            if kind == "data":  # births and states at a broker may be left from an earlier time
                self._refuse(device, owner, line)
            return False
        if line is not None:
            self._give(line, device)
        elif kind == "data" and owner is not None:
            self._take_away(device, owner)
        return True

    def known(self, devices: set[str]) -> None:
        """The gateway knows these devices, whose messages it has just taken."""
        self._over_mqtt |= devices - self._line_of.keys()

    def heard(self, device: str) -> bool:
        """Whether it is known which way the device speaks."""
        return device in self._line_of or device in self._over_mqtt

    def line_of(self, device: str) -> SerialInput | None:
        """The line that the device was heard on last; None for MQTT and for a device that was not heard yet."""
        return self._line_of.get(device)

    def device_of(self, line: SerialInput) -> str | None:
        """The device that was heard on the line last, if it is not heard another way since."""
        return self._device_of.get(line)

    def _give(self, line: SerialInput, device: str) -> None:
        before = self._device_of.get(line)
        if before == device:
            return
        if before is not None:
            del self._line_of[before]
        owner = self._line_of.get(device)
        if owner is not None:
            self._take_away(device, owner)
        self._device_of[line], self._line_of[device] = device, line
        self._over_mqtt.discard(device)

    def _take_away(self, device: str, owner: SerialInput) -> None:
        del self._line_of[device], self._device_of[owner]

    def _refuse(self, device: str, owner: SerialInput, line: SerialInput | None) -> None:
        self.refused += 1
        now, told_at = self._now(), self._told_at.get(device)
        if told_at is None or now - told_at >= _TELL_SECONDS:
            self._told_at[device] = now
            _log.warning(
                "two devices have one id: readings that come another way than its line are refused, give one a new id",
                device=device,
                line=str(owner.address),
                other="MQTT" if line is None else str(line.address),
                refused=self.refused,
            )
