"""The way up: uploads to the cloud in order, marks and releases back.

The store holds what is not confirmed, `gateway.outbox.Outbox` says what is due, a connection of its own carries it,
possibly at another broker than the devices'.
"""

import queue
import time
from collections.abc import Callable

import structlog

from gateway.connection import BrokerLog, Connection, Received
from gateway.outbox import Outbox
from gateway.settings import GatewaySettings
from gateway.store import Store
from shared import topics
from shared.messages.codec import Stored, Upload, encode_upload

_log = structlog.get_logger()


class Uplink:
    """Carries the outbox of `store` up; what comes down goes into `inbox`."""

    def __init__(
        self,
        settings: GatewaySettings,
        store: Store,
        inbox: "queue.Queue[Received]",
        log: BrokerLog,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = settings.id
        self._store = store
        self._now = now
        self._topic = topics.upload(settings.id)
        self._outbox = Outbox(store.oldest_upload(), settings.uplink_window, settings.repeat_seconds)
        self.connection = Connection(
            settings.uplink_url or settings.broker_url,
            f"{settings.id}-uplink",
            (topics.gateway_stored(settings.id), topics.all_releases(settings.id), topics.all_normals(settings.id)),
            inbox,
            log,
            keepalive_seconds=settings.keepalive_seconds,
            window=settings.uplink_window,
            login=settings.uplink_login(),
        )
        self.sent_uploads = 0
        self.sent_bytes = 0

    @property
    def idle(self) -> bool:
        """Whether the cloud has confirmed everything."""
        return self._outbox.mark >= self._store.next_upload

    def send(self) -> None:
        """Publish what is due. Does nothing without a connection."""
        if not self.connection.connected.is_set():
            return
        oldest = self._store.oldest_upload()
        if oldest > self._outbox.mark:
            self._outbox.restart(oldest)  # a full outbox dropped what the cloud was waiting for
        due = self._outbox.due(self._store.next_upload, self._now())
        if not due:
            return
        for pending in self._store.uploads(due.start, len(due)):
            upload = Upload(self._gateway, self._store.epoch, pending.sequence, oldest, pending.kind, pending.body)
            payload = encode_upload(upload)
            if self.connection.publish(self._topic, payload) is None:
                self._outbox.restart(self._outbox.mark)
                return
            self.sent_uploads += 1
            self.sent_bytes += len(payload)

    def confirmed(self, mark: Stored) -> None:
        """A mark of the cloud came: forget what it covers."""
        if mark.sender != self._gateway or mark.boot != self._store.epoch:
            return
        if mark.next_sequence > self._store.next_upload:
            _log.warning(
                "the cloud has more than this store ever sent: the store is older than it, a new epoch begins",
                mark=mark.next_sequence,
                next=self._store.next_upload,
            )
            self._store.begin_epoch()
            self._outbox.restart(self._store.oldest_upload())
        elif self._outbox.confirmed(mark.next_sequence, self._now()):
            self._store.confirm(mark.next_sequence)
