"""The gateway at work: collect, judge, commit, acknowledge, tell, pass on.

One thread decides everything. Its order per batch is the promise of the product: nothing is acknowledged or reported
as stored before the transaction that holds it is on the disk.
"""

import fcntl
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import structlog
from paho.mqtt.client import MQTTMessageInfo

from gateway.changes import Changes, NewUpload
from gateway.connection import BrokerLog, Received, shown
from gateway.errors import FolderInUseError, GatewayError, StoreFullError
from gateway.inputs.mqtt import WAITING_MESSAGES, collect, open_data, open_devices, send_mark
from gateway.inputs.serial_lines import SerialLines
from gateway.intake import Intake
from gateway.settings import GatewaySettings
from gateway.store import Store
from gateway.uplink import Uplink
from shared import topics
from shared.errors import MessageError
from shared.heartbeat import Heartbeat
from shared.messages import codec

_log = structlog.get_logger()
#: The file in the data folder that says that the loop goes round: ``python -m shared.heartbeat <folder>/heartbeat``.
HEARTBEAT = "heartbeat"
#: The loop looks at the clock at least so often.
_IDLE_SECONDS = 0.05
#: Pause between two attempts to write to a full disk.
_FULL_DISK_SECONDS = 1.0
#: How long a stopping gateway waits for the cloud to confirm the rest; what is left goes up after the next start.
_FLUSH_SECONDS = 3.0


class FolderLock:
    """Keeps a second gateway off a data folder; the system lifts it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = (folder / "lock").open("w")
        except OSError as error:
            raise GatewayError(
                f"The gateway cannot use the data folder {folder} ({error.strerror}): give one that can be written."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise FolderInUseError(
                f"The data folder {folder} is in use by another gateway: stop that one or give another --data-folder."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def run(settings: GatewaySettings, stop: threading.Event, ready: threading.Event | None = None) -> None:
    """Work until `stop` is set, then finish the batch, send what can be sent, and return.

    `ready` is set once every connection stands.

    Raises
    ------
    FolderInUseError, StoreError, UsageError
        Before anything is started; the last for a secret file that holds no secret.
    """
    settings.broker_login()
    settings.uplink_login()
    with FolderLock(settings.data_folder):
        store = Store(settings.data_folder, outbox_limit_bytes=settings.outbox_limit_bytes)
        try:
            Service(settings, store, stop, ready or threading.Event()).run()
        finally:
            store.close()


class Service:
    """One run of a gateway on an open store."""

    def __init__(
        self,
        settings: GatewaySettings,
        store: Store,
        stop: threading.Event,
        ready: threading.Event,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._stop = stop
        self._ready = ready
        self._now = now
        self._inbox: queue.Queue[Received] = queue.Queue(WAITING_MESSAGES)
        log = BrokerLog(settings.broker_url)
        self._data = open_data(settings, self._inbox, log)
        self._devices = open_devices(settings, self._inbox, log)
        uplink_log = BrokerLog(settings.uplink_url) if settings.uplink_url not in ("", settings.broker_url) else log
        self._uplink = Uplink(settings, store, self._inbox, uplink_log, now)
        self._lines = SerialLines(settings, self._inbox, now)
        self._connections = (self._devices, self._data, self._uplink.connection)
        self._intake = Intake(settings)
        self._mark_topic = topics.gateway_stored(settings.id)
        self._reported: dict[tuple[str, int], codec.Counters] = {}
        self._counters_due = now() + settings.counters_seconds
        self._passing_on: dict[str, tuple[int, MQTTMessageInfo]] = {}
        self._data_started = False
        self._heartbeat = Heartbeat(settings.data_folder / HEARTBEAT)
        #: Told to stop before a batch could be written: what is in memory must not reach the store any more.
        self._ahead_of_store = False

    def run(self) -> None:
        """Restore, then work until told to stop."""
        self._restore()
        self._devices.start()
        self._uplink.connection.start()
        self._lines.start()
        try:
            while not self._stop.is_set():
                self._start_data()
                self._step()
            self._data.stop()
            self._lines.stop()
            self._finish()
        finally:
            self._lines.stop()
            for connection in self._connections:
                connection.stop()
        _log.info("gateway stopped", outbox=self._store.next_upload - self._store.oldest_upload())

    def _start_data(self) -> None:
        """Readings after births: those of an unknown device are not taken, and would have to come again."""
        if not self._data_started and self._devices.connected.is_set():
            self._data_started = True
            self._data.start()

    def _restore(self) -> None:
        store = self._store
        devices = list(store.devices())
        journals = {device.device: store.journal(device.device) for device in devices}
        changes = self._intake.restore(devices, journals, store.assets(), store.releases(), store.words())
        if changes:
            self._commit(changes)
        _log.info(
            "gateway starts",
            gateway=self._settings.id,
            devices=len(devices),
            judged_again=sum(map(len, journals.values())),
            outbox=store.next_upload - store.oldest_upload(),
        )

    def _step(self) -> None:
        connected = all(connection.connected.is_set() for connection in self._connections)
        self._heartbeat.beat("" if connected else "There is no connection to the broker.")
        if not self._ready.is_set() and connected:
            self._ready.set()
            _log.info(
                "gateway is connected",
                devices=shown(self._settings.broker_url),
                cloud=shown(self._settings.uplink_url) or "same",
            )
        batch = collect(self._inbox, self._settings.batch_messages, self._settings.batch_seconds, _IDLE_SECONDS)
        if batch and not self._take(batch):
            return
        self._pass_on_images()
        if self._now() >= self._counters_due:
            self._counters_due = self._now() + self._settings.counters_seconds
            self._commit(self._counters())
            self._lines.write_report()
        self._uplink.send()

    def _take(self, batch: list[Received]) -> bool:
        """Judge and store a batch; False if the gateway must stop before there was room to store it."""
        marks = [message for message in batch if message.topic == self._mark_topic]
        messages = [message for message in batch if message.topic != self._mark_topic and self._lines.admits(message)]
        result = self._intake.take([(message.topic, message.payload) for message in messages])
        if not self._commit(result.changes):
            return False
        # Apart from the batch, since it reads back what that has stored; a word itself is stored with its batch.
        if not self._commit(self._intake.settle(self._store.recent)):
            return False
        for message in batch:
            message.source.acknowledge(message)
        self._lines.known({mark.sender for mark in result.marks} | result.changes.births.keys())
        for mark in result.marks:
            if not self._lines.send_mark(mark):
                send_mark(self._data, mark)
        self._confirm(marks)
        return True

    def _commit(self, changes: Changes) -> bool:
        """Write, however long the disk stays full; False if told to stop meanwhile, with nothing written."""
        if not changes:
            return True
        told = False
        while True:
            try:
                dropped = self._store.commit(changes)
            except StoreFullError as error:
                if not told:
                    _log.error("nothing is acknowledged until there is room again", reason=str(error))
                told = True
                if self._stop.wait(_FULL_DISK_SECONDS):
                    self._ahead_of_store = True
                    return False
                continue
            if told:
                _log.info("there is room on the disk again")
            if dropped:
                _log.error("the outbox is full: the oldest uploads are lost", uploads=dropped)
            return True

    def _confirm(self, marks: list[Received]) -> None:
        for message in marks[-1:]:  # a later mark says all that the earlier ones say
            try:
                self._uplink.confirmed(codec.decode_stored(message.payload))
            except MessageError as error:
                _log.warning("message refused", topic=message.topic, reason=str(error))
            except StoreFullError:
                pass  # the uploads stay until a later mark; the commit of the next batch tells about the disk

    def _pass_on_images(self) -> None:
        self._commit(self._lines.pass_on_images(self._intake))
        for release in self._intake.releases.unpublished():
            if not self._lines.leave_to_mqtt(release.device):
                continue
            on_its_way = self._passing_on.get(release.device)
            if on_its_way is None or on_its_way[0] != release.version:
                info = self._devices.publish(topics.image(release.device), release.image or b"", retain=True)
                if info is not None:
                    self._passing_on[release.device] = (release.version, info)
        self._note_images_taken()

    def _note_images_taken(self) -> None:
        """What the devices' broker has acknowledged is not sent again, not after a restart either."""
        for release in self._intake.releases.unpublished():
            version, info = self._passing_on.get(release.device, (None, None))
            if info is not None and version == release.version and info.is_published():
                del self._passing_on[release.device]
                self._commit(self._intake.releases.published(release))

    def _counters(self) -> Changes:
        """Uploads of the accounts that changed since they were last sent."""
        changes = Changes()
        for account in self._store.accounts():
            cursor, key = account.cursor, (account.cursor.device, account.cursor.boot)
            counters = codec.Counters(
                cursor.device,
                cursor.boot,
                cursor.produced,
                cursor.stored - account.dropped,
                cursor.lost + account.dropped,
                cursor.duplicates,
                cursor.late,
            )
            if self._reported.get(key) != counters:
                self._reported[key] = counters
                changes.uploads.append(
                    NewUpload(
                        "counters",
                        codec.encode_counters(counters),
                        key=f"counters:{cursor.device}:{cursor.boot}",
                        device=cursor.device,
                        boot=cursor.boot,
                    )
                )
        return changes

    def _uplink_waits(self) -> bool:
        return not self._uplink.idle and self._uplink.connection.connected.is_set()

    def _image_waits(self) -> bool:
        return bool(self._passing_on) and self._devices.connected.is_set()

    def _finish(self) -> None:
        """Checkpoints and counters, then a last chance for the outbox."""
        if self._ahead_of_store:
            return
        with suppress(StoreFullError):  # both can be had again from what is stored already
            self._store.commit(self._intake.checkpoint_all())
            self._store.commit(self._counters())
        deadline = self._now() + _FLUSH_SECONDS
        while self._now() < deadline and (self._uplink_waits() or self._image_waits()):
            self._note_images_taken()
            self._uplink.send()
            batch = collect(self._inbox, self._settings.batch_messages, 0.0, _IDLE_SECONDS)
            marks = [message for message in batch if message.topic == self._mark_topic]
            self._confirm(marks)
            for message in marks:
                message.source.acknowledge(message)
