"""Who a device is: its opaque id, the asset it watches, its channels with units and resolution.

The asset is an ISA-95 path (ANSI/ISA-95.00.01, equipment hierarchy): ``enterprise/site/area/line/asset``.
Device ids go into topics, so they are opaque and narrow; names that people choose stay attributes.
"""

import hashlib
import re
import struct
from dataclasses import dataclass

SLOW = "slow"
FAST = "fast"
#: At and above this rate a device is judged by windows of its signal, below it row by row.
FAST_FROM_HZ = 50.0
#: The count that says "no value": not a number, infinite, or no answer from the sensor.
MISSING = -(2**31)
COUNT_LIMIT = 2**31 - 1

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")


def check_id(identifier: str, what: str = "device id") -> str:
    """Return `identifier` if it may stand in a topic; ValueError otherwise.

    >>> check_id("pump-1-vibration")
    'pump-1-vibration'
    >>> check_id("Pump 1")
    Traceback (most recent call last):
    ...
    ValueError: device id 'Pump 1' must be 1 to 48 characters of a-z, 0-9 and '-', with no '-' at either end
    """
    if not _ID.fullmatch(identifier):
        raise ValueError(
            f"{what} {identifier!r} must be 1 to 48 characters of a-z, 0-9 and '-', with no '-' at either end"
        )
    return identifier


@dataclass(frozen=True, slots=True)
class Channel:
    """One measured quantity: ``physical = offset + step * count``.

    `step` is positive and finite; `unit` is empty when unknown.
    """

    name: str
    unit: str
    offset: float
    step: float


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A device as the other tiers know it."""

    device: str
    asset: str
    kind: str
    sample_rate_hz: float
    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        check_id(self.device)
        if self.kind not in (SLOW, FAST):
            raise ValueError(f"kind of device {self.device} must be 'slow' or 'fast', not {self.kind!r}")
        if not self.channels:
            raise ValueError(f"device {self.device} has no channel")

    def digest(self) -> bytes:
        """Eight bytes that an image must carry to be accepted by this device: the channels it was made for.

        Names and the device id do not count, the kind and each channel's offset and step do.
        """
        hasher = hashlib.sha256(self.kind.encode())
        for channel in self.channels:
            hasher.update(struct.pack("<dd", channel.offset, channel.step))
        return hasher.digest()[:8]

    def asset_name(self) -> str:
        """The last part of the asset's path.

        >>> channel = Channel("temperature", "degC", 0.0, 1.0)
        >>> DeviceProfile("a", "acme/north/water/line-1/pump-1", "slow", 1.0, (channel,)).asset_name()
        'pump-1'
        """
        return self.asset.rsplit("/", 1)[-1]
