"""Which model images are due on which topic: retained, one per device, until the device reports the version."""

import logging
import threading
from collections.abc import Iterator

from cloud.errors import CloudError
from cloud.registry.models import ModelRegistry
from cloud.storage.facts import FactStore
from shared import topics

_log = logging.getLogger(__name__)


class ReleasePublisher:
    """Remembers what went out over the present connection, so that each release is published once per connection.

    The registry is the truth: what no device has reported is due again after every reconnection, so that a release
    reaches a broker that was replaced or lost its storage.
    """

    def __init__(self, registry: ModelRegistry, facts: FactStore) -> None:
        self._registry = registry
        self._facts = facts
        self._sent: set[tuple[str, int]] = set()
        self._news = threading.Event()
        self._news.set()

    def wake(self) -> None:
        """Something was released; from any thread."""
        self._news.set()

    def forget(self) -> None:
        """See `cloud.ingest.ingest.ReleaseSource`."""
        self._sent.clear()
        self._news.set()

    def due(self) -> Iterator[tuple[str, bytes]]:
        """See `cloud.ingest.ingest.ReleaseSource`."""
        if not self._news.is_set():
            return
        self._news.clear()
        for device, version in self._registry.waiting():
            if (device, version) in self._sent:
                continue
            self._sent.add((device, version))
            try:
                gateway = self._facts.device(device).gateway
                image = self._registry.image(device, version)
            except CloudError as error:
                _log.error("version %d of device %s is not sent: %s", version, device, error)
                continue
            _log.info("version %d of device %s goes to gateway %s", version, device, gateway)
            yield topics.release(gateway, device), image
