"""What a replay needs of a sensor, whatever plays it: the twin (`firmware.host.sensor`) or a board in the emulator."""

from collections.abc import Sized
from typing import Any, Protocol

from shared.identity import DeviceProfile
from shared.model_image import ImageContent


class PlayedDevice(Protocol):
    """Takes samples, in order; `sequence` is the next reading's number."""

    @property
    def image(self) -> ImageContent: ...

    @property
    def sequence(self) -> int: ...

    def push_row(self, time_ns: int, counts: list[int]) -> None:
        """A slow device's next row."""

    def push_run(self, times_ns: list[int], columns: list[list[int]]) -> None:
        """A fast device's next samples without a gap."""

    def end_stretch(self) -> None:
        """What follows is not a continuation."""

    def close_message(self) -> None:
        """Hand over the readings collected so far, if any."""


class PlayedBuffer(Protocol):
    """What is not stored yet: `entries` are messages, `mark` and `lost` count readings."""

    @property
    def entries(self) -> Sized: ...

    @property
    def mark(self) -> int: ...

    @property
    def lost(self) -> int: ...


class PlayedLink(Protocol):
    """The way to the gateway."""

    @property
    def connected(self) -> bool: ...


class PlayedSensor(Protocol):
    """A sensor of a fleet. `start` once, `poll` often, `stop` once."""

    @property
    def profile(self) -> DeviceProfile: ...

    @property
    def image(self) -> ImageContent: ...

    @property
    def device(self) -> PlayedDevice: ...

    @property
    def buffer(self) -> PlayedBuffer: ...

    @property
    def link(self) -> PlayedLink: ...

    @property
    def data_bytes(self) -> int: ...

    def start(self) -> None:
        """Begin; returns at once."""

    def poll(self) -> Any:
        """Do what can be done now; never waits."""

    def delivered(self) -> bool:
        """Whether everything produced so far is stored at the gateway."""
        ...

    def stop(self) -> None:
        """End."""
