"""The ingest thread: take a handful of uploads, commit, acknowledge, say so."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cloud.errors import StoreUnavailable
from cloud.ingest.assembly import Assembled, assemble
from cloud.ingest.link import BrokerLink
from cloud.settings import CloudSettings
from cloud.storage.facts import Fact, FactStore
from cloud.storage.port import Mark, ReadingStore
from shared import topics
from shared.messages import codec

_log = logging.getLogger(__name__)
IDLE_SECONDS = 0.1


class ReleaseSource(Protocol):
    """Where the model images wait that are to be sent down."""

    def forget(self) -> None:
        """A new connection: everything that is not known to have arrived is due again."""

    def due(self) -> Iterable[tuple[str, bytes]]:
        """Topic and payload of each image to be published now, once per connection."""


@dataclass(frozen=True, slots=True)
class IngestState:
    """What the ingest is doing: `trouble` is a sentence, empty while all is well."""

    connected: bool
    pending: int
    trouble: str


class Ingest(threading.Thread):
    """From the broker into the stores.

    Facts are written first, because writing them twice changes nothing; the readings' transaction carries the marks;
    only then is anything acknowledged. A kill between any two of these steps is made good by the redelivery.

    Parameters
    ----------
    observe
        Called with the facts of every committed batch, before it is acknowledged.
    """

    def __init__(
        self,
        settings: CloudSettings,
        store: ReadingStore,
        facts: FactStore,
        releases: ReleaseSource,
        observe: Callable[[list[Fact]], None],
    ) -> None:
        super().__init__(name="ingest", daemon=True)
        self._settings = settings
        self._store = store
        self._facts = facts
        self._releases = releases
        self._observe = observe
        host, port = settings.broker_address()
        self._link = BrokerLink(
            host, port, settings.client_id, topics.ALL_UPLOADS, releases.forget, settings.broker_login()
        )
        self._marks: dict[tuple[str, int], Mark] | None = None
        self._stopping = threading.Event()
        self._trouble = ""
        self._said = ""
        #: What ended the thread, if it was not `stop`.
        self.failure: BaseException | None = None

    def state(self) -> IngestState:
        """What it is doing now; from any thread."""
        return IngestState(self._link.connected, len(self._link), self._trouble or self._store.trouble())

    def stop(self, timeout_seconds: float = 20.0) -> None:
        """Commit what came, end the connection, wait for the thread."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout_seconds)

    def run(self) -> None:
        """The life of the thread."""
        try:
            while not self._stopping.is_set():
                self._collect()
                if len(self._link):
                    self._flush_or_wait()
                self._say_trouble()
                self._publish_releases()
        except BaseException as error:  # noqa: BLE001  (told by the service, which ends)
            self.failure = error
            _log.exception("the ingest ended")
        finally:
            self._link.close()

    def _collect(self) -> None:
        """Fill a batch: until it is full, or its time is over, or nothing came at all."""
        self._link.turn(IDLE_SECONDS)
        if self._trouble:
            return
        deadline = time.monotonic() + self._settings.batch_milliseconds / 1000.0
        while 0 < len(self._link) < self._settings.batch_messages:
            left = deadline - time.monotonic()
            if left <= 0.0:
                break
            self._link.turn(left)

    def _flush_or_wait(self) -> None:
        """Flush; if the store cannot take it, keep the link alive for a while instead."""
        try:
            self._flush()
        except StoreUnavailable as error:
            self._trouble = str(error)
            self._say_trouble()
            self._marks = None
            again = time.monotonic() + self._settings.retry_seconds
            while time.monotonic() < again and not self._stopping.is_set():
                self._link.turn(IDLE_SECONDS)
        else:
            self._trouble = ""

    def _say_trouble(self) -> None:
        """One line when the store cannot be used, by a write or by its own watch, and one when it can again."""
        trouble = self._trouble or self._store.trouble()
        if trouble and not self._said:
            _log.error("nothing is acknowledged until this is over: %s", trouble)
        elif self._said and not trouble:
            _log.info("the store takes uploads again")
        self._said = trouble

    def _flush(self) -> None:
        if self._marks is None:
            self._marks = {(mark.gateway, mark.epoch): mark for mark in self._store.marks()}
        messages = self._link.pending
        assembled = assemble(messages, self._marks, time.time_ns())
        self._facts.apply(assembled.facts)
        self._observe(assembled.facts)
        self._store.append(assembled.batch)
        self._marks.update({(mark.gateway, mark.epoch): mark for mark in assembled.batch.marks})
        for refusal in assembled.refusals:
            _log.warning("%s", refusal)
        self._link.acknowledge(len(messages))
        self._answer(assembled)

    def _answer(self, assembled: Assembled) -> None:
        """Tell each gateway heard how far it is stored; also after a duplicate, whose mark may have gone astray."""
        assert self._marks is not None
        for gateway, epoch in assembled.heard:
            mark = self._marks[gateway, epoch]
            stored = codec.encode_stored(codec.Stored(gateway, epoch, mark.next_sequence))
            self._link.publish(topics.gateway_stored(gateway), stored, qos=0)

    def _publish_releases(self) -> None:
        if self._link.connected and not self._trouble:
            try:
                for topic, payload in self._releases.due():
                    self._link.publish(topic, payload, qos=1, retain=True)
            except StoreUnavailable as error:
                _log.warning("releases wait: %s", error)
                self._releases.forget()
