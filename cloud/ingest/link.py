"""The link to the broker: one MQTT session that outlives this process, driven by the thread that owns it.

One thread reads, acknowledges and reconnects. So an acknowledgement can never reach a later connection, where the same
packet number may stand for another message.
"""

import logging
import socket
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from cloud.ingest.assembly import Arrived
from shared.credentials import Login

_log = logging.getLogger(__name__)
KEEPALIVE_SECONDS = 60
CONNECT_TIMEOUT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
#: Above these nothing more is taken until something was acknowledged: the broker keeps it.
PENDING_MESSAGES = 10_000
PENDING_BYTES = 64 << 20


class BrokerLink:
    """A persistent session at an MQTT 3.1.1 broker.

    Parameters
    ----------
    host, port
        The broker.
    client_id
        Names the session: the broker keeps unacknowledged messages under it while nobody is connected.
    topic
        What is subscribed, with QoS 1.
    on_connect
        Called after every connection, by the thread that calls `turn`.
    login
        User and password, None at a broker that asks nobody.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        topic: str,
        on_connect: Callable[[], None],
        login: Login | None = None,
    ) -> None:
        self._address = (host, port)
        self._topic = topic
        self._on_connect = on_connect
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        if login is not None:
            self._client.username_pw_set(login.user, login.password)
        self._client.connect_timeout = CONNECT_TIMEOUT_SECONDS
        self._client.on_connect = self._connected
        self._client.on_message = self._arrived
        self._pending: list[tuple[Arrived, int, int]] = []
        self._pending_bytes = 0
        self._pending_mids: set[int] = set()
        self._left = False
        self._socket_open = False
        self._next_attempt = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._told = ""
        self.connected = False

    @property
    def pending(self) -> list[Arrived]:
        """Messages that came over the present connection and are not acknowledged, in order."""
        return [message for message, _, _ in self._pending]

    def __len__(self) -> int:
        return len(self._pending)

    def turn(self, timeout_seconds: float) -> None:
        """Wait at most `timeout_seconds` for one thing to happen on the link; connect when there is no connection."""
        if not self._socket_open:
            pause = self._next_attempt - time.monotonic()
            if pause > 0.0:
                time.sleep(min(pause, timeout_seconds))
                return
            self._connect()
            return
        if self._client.loop(timeout_seconds) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost("the connection was lost")

    def acknowledge(self, count: int) -> None:
        """Acknowledge the first `count` pending messages, in order.

        If there were more than could be taken, the connection ends with the last of them, and the broker sends what it
        kept over the next one. Many brokers would not send it again over the present one.
        """
        done, self._pending = self._pending[:count], self._pending[count:]
        for message, mid, qos in done:
            self._client.ack(mid, qos)
            self._pending_bytes -= len(message.payload)
            self._pending_mids.discard(mid)
        if self._left and not self._pending:
            self._flush(1.0)
            self._client.disconnect()
            self._forget()
            _log.info("more came than could be kept; it is fetched again")

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> None:
        """Send a message. With QoS 0 it is lost when there is no connection."""
        if qos or self.connected:
            self._client.publish(topic, payload, qos=qos, retain=retain)

    def close(self) -> None:
        """Write out what waits and end the connection; the session stays at the broker."""
        self._flush(2.0)
        self._client.disconnect()
        self.connected = self._socket_open = False

    def _flush(self, limit_seconds: float) -> None:
        deadline = time.monotonic() + limit_seconds
        while self._socket_open and self._client.want_write() and time.monotonic() < deadline:
            self.turn(0.05)

    def _connect(self) -> None:
        host, port = self._address
        try:
            self._client.connect(host, port, KEEPALIVE_SECONDS)
        except (OSError, mqtt.WebsocketConnectionError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._lost(reason)
        else:
            self._socket_open = True

    def _lost(self, reason: str, *, refused: bool = False) -> None:
        """Say so, once, and try again a little later each time."""
        host, port = self._address
        sentence = f"no broker at {host}:{port} ({reason}): start it or set the right address; trying again"
        if refused:
            sentence = f"the broker at {host}:{port} refuses us ({reason}): set its user and password; trying again"
        if sentence != self._told:
            _log.warning("%s", sentence)
        self._told = sentence
        self._forget()
        self._next_attempt = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def _forget(self) -> None:
        """No connection, and nothing that is not acknowledged: the broker sends it again over the next one."""
        self.connected = self._socket_open = False
        self._pending.clear()
        self._pending_mids.clear()
        self._pending_bytes, self._left = 0, False

    def _connected(self, client: mqtt.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._lost(str(reason).lower(), refused=True)
            return
        stream = client.socket()
        if isinstance(stream, socket.socket):  # marks are small and wanted at once
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.subscribe(self._topic, qos=1)
        self.connected, self._pause, self._told = True, FIRST_PAUSE_SECONDS, ""
        _log.info("connected to the broker at %s:%s", *self._address)
        self._on_connect()

    def _arrived(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        """Take a message, unless it is here already or there is no room.

        A broker that waits for an acknowledgement too long sends the message again under the same packet number, which
        stands for that message alone until it is acknowledged (MQTT 3.1.1, 2.3.1). QoS 0 has no numbers (0).
        """
        if message.mid in self._pending_mids:
            return
        size = self._pending_bytes + len(message.payload)
        if self._pending and (len(self._pending) >= PENDING_MESSAGES or size > PENDING_BYTES):
            self._left = True
            return
        if message.qos:
            self._pending_mids.add(message.mid)
        self._pending_bytes = size
        self._pending.append((Arrived(message.topic, bytes(message.payload), time.time_ns()), message.mid, message.qos))
