"""A lasting MQTT connection: acknowledgement by hand, back-off with jitter.

One thread of paho per connection moves bytes; what arrives goes into one queue, and every decision is taken by the
thread that reads the queue. Nothing is published from a callback.
"""

import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from shared.credentials import Login

_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
#: A connection that lasted less did not end the trouble: back-off goes on (a second client with our id looks so).
_STEADY_SECONDS = 10.0
#: Publishes that paho may hold; more are refused instead of growing without bound while the broker is silent.
_HELD_PUBLISHES = 4096


class Source(Protocol):
    """Where a message came from: who is told when it is done with."""

    def acknowledge(self, message: "Received") -> None:
        """The gateway has stored what the message leads to, or will never take it."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came, and what its acknowledgement needs. Retained copies say so."""

    topic: str
    payload: bytes
    source: Source
    packet: int
    qos: int
    generation: int


def shown(url: str) -> str:
    """An address as a log may hold it: host and port, without user and password.

    >>> shown("mqtt://plant:secret@broker:1883")
    'broker:1883'
    """
    return urlsplit(url).netloc.rpartition("@")[2]


class BrokerLog:
    """One line when a broker goes and one when it is back, however many connections lead to it."""

    def __init__(self, url: str) -> None:
        self._log = structlog.get_logger().bind(broker=shown(url))
        self._lock = threading.Lock()
        self._away: set[str] = set()
        self._was_away = False

    def away(self, client_id: str, why: str) -> None:
        """A connection was lost or could not be made."""
        with self._lock:
            if not self._was_away:
                self._was_away = True
                self._log.warning("broker is away, trying again until it is back", reason=why)
            self._away.add(client_id)

    def back(self, client_id: str) -> None:
        """A connection stands."""
        with self._lock:
            self._away.discard(client_id)
            if self._was_away and not self._away:
                self._was_away = False
                self._log.info("broker is back")

    def refuses(self, topics: list[str]) -> None:
        """The broker does not let us subscribe."""
        self._log.error("broker refuses a subscription", topics=topics)


class Connection:
    """One client at one broker.

    Parameters
    ----------
    url
        ``mqtt[s]://[user:password@]host[:port]``.
    client_id
        Stable and unique: the broker keeps the session under it.
    topics
        Subscribed with QoS 1 at each connect.
    persistent
        Whether the broker keeps the session, and messages in it, while the gateway is away.
    inbox
        Bounded queue for what arrives. While it is full nothing is read, so the broker holds the rest.
    log
        Shared by all connections to the same broker.
    login
        User and password; None takes those of the address, if it has any.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        topics: Sequence[str],
        inbox: "queue.Queue[Received]",
        log: BrokerLog,
        *,
        persistent: bool = True,
        keepalive_seconds: int = 30,
        window: int = 64,
        login: Login | None = None,
    ) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "mqtts"
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or (8883 if secure else 1883)
        self._topics = topics
        self._inbox = inbox
        self._keepalive_seconds = keepalive_seconds
        self._log = log
        self._client_id = client_id
        self._generation = 0
        self._failures = 0
        self._connected_at = 0.0
        self._stopping = threading.Event()
        self.connected = threading.Event()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not persistent, manual_ack=True
        )
        if login is not None:
            client.username_pw_set(login.user, login.password)
        elif parts.username:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if secure:
            client.tls_set()
        client.max_inflight_messages_set(window)
        client.max_queued_messages_set(_HELD_PUBLISHES)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client

    def start(self) -> None:
        """Connect now or as soon as the broker is there; returns at once."""
        self._set_pause()
        self._client.connect_async(self._host, self._port, self._keepalive_seconds)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and what is not acknowledged."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> mqtt.MQTTMessageInfo | None:
        """Send with QoS 1; None if there is no connection or too much is held already, and then nothing is sent."""
        if not self.connected.is_set():
            return None
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        return info if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that `message` is done with. What came over an earlier connection will come again."""
        if message.generation == self._generation:
            self._client.ack(message.packet, message.qos)

    def _on_connect(
        self, client: mqtt.Client, userdata: Any, flags: mqtt.ConnectFlags, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._log.away(self._client_id, f"refused: {reason}")
            return
        self._generation += 1
        self._connected_at = time.monotonic()
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._ready()

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, packet: int, reasons: Sequence[Any], properties: Any
    ) -> None:
        refused = [topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure]
        if refused:
            self._log.refuses(refused)
        self._ready()

    def _ready(self) -> None:
        self._log.back(self._client_id)
        self.connected.set()

    def _on_connect_fail(self, client: mqtt.Client, userdata: Any) -> None:
        self._failures += 1
        self._set_pause()
        self._log.away(self._client_id, "no connection")

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: mqtt.DisconnectFlags, reason: Any, properties: Any
    ) -> None:
        self.connected.clear()
        if self._stopping.is_set():
            return
        steady = self._connected_at and time.monotonic() - self._connected_at >= _STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        self._connected_at = 0.0
        self._set_pause()
        self._log.away(self._client_id, str(reason))

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        received = Received(message.topic, bytes(message.payload), self, message.mid, message.qos, self._generation)
        while not self._stopping.is_set():
            try:
                self._inbox.put(received, timeout=0.2)
            except queue.Full:
                continue
            return

    def _set_pause(self) -> None:
        """The next pause before connecting, drawn between half and all of a doubling step."""
        step = min(_SHORTEST_PAUSE_SECONDS * 2 ** min(self._failures, 20), _LONGEST_PAUSE_SECONDS)
        pause = step * random.uniform(0.5, 1.0)
        # paho doubles its own pause up to the maximum; with both ends equal it waits what is drawn here.
        # It declares whole seconds and sleeps any float.
        self._client.reconnect_delay_set(cast(int, pause), cast(int, pause))
