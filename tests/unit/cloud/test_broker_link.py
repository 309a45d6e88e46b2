"""The link against a broker that says what the test wants it to: a socket of this machine."""

import socket
import struct
import time

import pytest
from waiting import PATIENCE_SECONDS

from cloud.ingest import link as link_module
from cloud.ingest.link import BrokerLink

CONNECT, PUBACK, SUBSCRIBE, DISCONNECT = 1, 4, 8, 14
TOPIC = b"tocsin/v1/gateway/g/upload"


class ScriptedBroker:
    """MQTT 3.1.1 as far as the link needs it, packet by packet, driven by the test's thread."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self._stream = None
        self._received = b""
        self.link = BrokerLink("127.0.0.1", self._server.getsockname()[1], "cloud", "tocsin/#", lambda: None)

    def accept(self):
        """Let the link connect and subscribe."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._server.settimeout(0.01)
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        while self._stream is None:
            assert time.monotonic() < deadline, "the link does not connect"
            self.link.turn(0.01)
            try:
                self._stream, _ = self._server.accept()
            except TimeoutError:
                continue
        self._received = b""
        self._stream.settimeout(0.01)
        assert self.packet()[0] == CONNECT
        self._stream.sendall(b"\x20\x02\x00\x00")
        kind, body = self.packet()
        assert kind == SUBSCRIBE
        self._stream.sendall(b"\x90\x03" + body[:2] + b"\x01")
        assert self.link.connected

    def packet(self):
        """The next packet of the link: its type and what follows the heading."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self._received) < 2 or len(self._received) < 2 + self._received[1]:
            assert time.monotonic() < deadline, "the link sends nothing"
            self.link.turn(0.01)
            try:
                self._received += self._stream.recv(4096)
            except TimeoutError:
                continue
        end = 2 + self._received[1]
        packet, self._received = self._received[:end], self._received[end:]
        return packet[0] >> 4, packet[2:]

    def publish(self, mid, payload, *, again=False):
        body = struct.pack(">H", len(TOPIC)) + TOPIC + (struct.pack(">H", mid) if mid else b"") + payload
        assert len(body) < 128
        self._stream.sendall(bytes([0x30 | (2 if mid else 0) | (8 if again else 0), len(body)]) + body)

    def settle(self):
        """Until the link has read everything, of which a SUBACK is the last."""
        seen = []
        self.link._client.on_subscribe = lambda _client, _user, mid, *_: seen.extend([mid] * (mid == 0xFFFF))
        self._stream.sendall(b"\x90\x03\xff\xff\x01")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not seen:
            assert time.monotonic() < deadline, "the link reads nothing"
            self.link.turn(0.01)

    def acknowledged(self, count):
        return [self._puback() for _ in range(count)]

    def _puback(self):
        kind, body = self.packet()
        assert kind == PUBACK
        return struct.unpack(">H", body)[0]

    def close(self):
        self.link.close()
        self._stream.close()
        self._server.close()


@pytest.fixture
def broker():
    opened = ScriptedBroker()
    opened.accept()
    yield opened
    opened.close()


def payloads(broker):
    return [message.payload for message in broker.link.pending]


def test_a_message_that_comes_again_before_its_acknowledgement_is_kept_once(broker):
    for round_number in range(20):
        for mid in (1, 2, 3):
            broker.publish(mid, b"%d" % mid, again=round_number > 0)
    broker.settle()
    assert payloads(broker) == [b"1", b"2", b"3"]
    broker.link.acknowledge(3)
    assert broker.acknowledged(3) == [1, 2, 3]
    broker.publish(1, b"another")  # the number is free again
    broker.settle()
    assert payloads(broker) == [b"another"]


@pytest.mark.parametrize("mid", [0, 100])
def test_beyond_the_limit_nothing_is_taken_and_the_broker_is_asked_again(broker, monkeypatch, mid):
    monkeypatch.setattr(link_module, "PENDING_MESSAGES", 8)
    monkeypatch.setattr(link_module, "PENDING_BYTES", 30)
    for number in range(20):
        broker.publish(mid and mid + number, b"%05d" % number)
    broker.settle()
    assert payloads(broker) == [b"%05d" % number for number in range(6)]  # 30 bytes
    broker.link.acknowledge(4)
    assert broker.link.connected
    broker.link.acknowledge(2)
    assert not broker.link.connected
    if mid:
        assert broker.acknowledged(6) == [mid + number for number in range(6)]
    assert broker.packet()[0] == DISCONNECT
    broker.accept()
    for number in range(6, 16):
        broker.publish(mid and mid + number, b"%d" % (number % 10))
    broker.settle()
    assert payloads(broker) == [b"%d" % (number % 10) for number in range(6, 14)]  # 8 messages


def test_one_long_message_is_always_taken(broker, monkeypatch):
    monkeypatch.setattr(link_module, "PENDING_BYTES", 3)
    broker.publish(7, b"longer than that")
    broker.settle()
    assert payloads(broker) == [b"longer than that"]
