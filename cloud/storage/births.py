"""The birth of a device as the facts know it: for stores that describe the readings they keep."""

from cloud.errors import UnknownDevice
from cloud.storage.facts import FactStore
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Birth


class Births:
    """Births by device id, out of the facts; None while only readings came."""

    def __init__(self, facts: FactStore) -> None:
        self._facts = facts

    def __call__(self, device: str) -> Birth | None:
        """The last birth of a device."""
        try:
            row = self._facts.device(device)
        except UnknownDevice:
            return None
        if not row.kind:
            return None
        channels = tuple(Channel(*entry) for entry in row.channels)
        profile = DeviceProfile(row.device, row.asset, row.kind, row.sample_rate_hz, channels)
        return Birth(profile, row.boot, row.model_version, tuple(row.feature_names), row.window, row.hop)
