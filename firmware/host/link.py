"""A device's connection to the MQTT broker (3.1.1, paho-mqtt): publishes, listens, reconnects with back-off."""

import queue
import sys
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from shared import topics
from shared.credentials import Login
from shared.errors import UsageError

KEEPALIVE_SECONDS = 30
RECONNECT_MIN_SECONDS = 1
RECONNECT_MAX_SECONDS = 8


def broker_address(url: str) -> tuple[str, int]:
    """Host and port of ``mqtt://host[:port]``; UsageError otherwise.

    >>> broker_address("mqtt://127.0.0.1:1884")
    ('127.0.0.1', 1884)
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 1883
    except ValueError:
        port = 0
    if parts.scheme != "mqtt" or not parts.hostname or not port:
        raise UsageError(f"broker {url!r} is not an address; write it as mqtt://host:port")
    return parts.hostname, port


class Link:
    """`received` holds (topic, payload) in order of arrival; `connected_count` grows with each (re)connection."""

    def __init__(self, device: str, url: str, login: Login | None = None) -> None:
        self.device = device
        self.received: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self.connected_count = 0
        self.connected = False
        self._refused = False
        self._host, self._port = broker_address(url)
        self._client = mqtt.Client(
            callback_api_version=CallbackAPIVersion.VERSION2, client_id=f"{device}-sensor", clean_session=True
        )
        if login is not None:
            self._client.username_pw_set(login.user, login.password)
        self._client.max_inflight_messages_set(64)
        self._client.reconnect_delay_set(RECONNECT_MIN_SECONDS, RECONNECT_MAX_SECONDS)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect in the background; goes on trying for as long as it takes."""
        self._client.connect_async(self._host, self._port, KEEPALIVE_SECONDS)
        self._client.loop_start()

    def stop(self) -> None:
        """Send what is waiting to be sent, then disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> mqtt.MQTTMessageInfo:
        """Publish at QoS 1."""
        return self._client.publish(topic, payload, qos=1, retain=retain)

    def _on_connect(self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            if not self._refused:
                self._refused = True
                place = f"{self._host}:{self._port}"
                sys.stderr.write(f"the broker at {place} refuses {self.device} ({reason}); set its user and password\n")
            return
        self._refused = False
        client.subscribe([(topics.device_stored(self.device), 1), (topics.image(self.device), 1)])

    def _on_subscribe(self, _client: mqtt.Client, _userdata: Any, _mid: int, _reasons: Any, _properties: Any) -> None:
        """Only now does the broker pass on what is meant for this device."""
        self.connected = True
        self.connected_count += 1

    def _on_disconnect(self, _client: mqtt.Client, _userdata: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self.connected = False

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        self.received.put((message.topic, bytes(message.payload)))
