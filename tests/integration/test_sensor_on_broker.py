"""A sensor on a real broker: what it repeats, how much it sends ahead, and which images it takes."""

import errno
import os
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_partners import PROFILE, Partner, image_for
from waiting import until

from cloud.registry.signing import sign_image
from firmware.host import sensor as sensor_module
from firmware.host.sensor import IN_FLIGHT_MAX, Sensor
from firmware.micropython import slots as slots_module
from firmware.micropython.slots import Slots
from shared import model_image, topics
from shared.broker import Broker
from shared.messages import codec
from shared.model_image import Layer
from shared.quantized.scorer import Scorer

pytestmark = pytest.mark.services
DEVICE = PROFILE.device
KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"a", b"b"))
READINGS = 16


def model(version, key=KEY):
    """A signed image with one layer and its golden vector."""
    content = model_image.read(image_for(version, None))
    content.layers = [Layer(8, 8, bytes(range(64)), [0] * 8, [1 << 30] * 8, [38] * 8, 0, -128)]
    scorer = Scorer(content)
    content.golden_score, _ = scorer.score(content.golden_features)
    content.golden_output = scorer.output
    return sign_image(model_image.encode(content), key)


class Gateway(Partner):
    """Remembers what the device sends and gives the marks that it is told to."""

    def __init__(self, url, name="gateway"):
        super().__init__(url, name, topics.ALL_BIRTHS, topics.ALL_DATA, topics.ALL_STATES)

    def data(self):
        return [codec.decode_data(payload) for payload in self.messages[topics.data(DEVICE)]]

    def sequences(self):
        return [data.sequence for data in self.data()]

    def births(self):
        return [codec.decode_birth(payload) for payload in self.messages[topics.birth(DEVICE)]]

    def states(self):
        return [codec.decode_state(payload) for payload in self.messages[topics.state(DEVICE)]]

    def mark(self, next_sequence, boot=1):
        self.send(topics.device_stored(DEVICE), codec.encode_stored(codec.Stored(DEVICE, boot, next_sequence)))

    def offer(self, image):
        self.send(topics.image(DEVICE), image, retain=True)


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def gateway(broker):
    gateway = Gateway(broker.url)
    yield gateway
    gateway.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "device"
    folder.mkdir()
    Slots(str(folder)).provision(model(1))
    return folder


@pytest.fixture
def start(broker, folder):
    """Starts the device, again and again; stops what still runs."""
    running = []

    def begin():
        sensor = Sensor(PROFILE, folder, [KEY.public_key().public_bytes_raw()], broker.url)
        sensor.start()
        running.append(sensor)
        return sensor

    yield begin
    for sensor in running:
        sensor.stop()


def push(sensor, messages):
    first = sensor.device.sequence
    for row in range(first, first + messages * READINGS):
        sensor.device.push_row(row * 500_000_000, [row % 7, row % 5])


def working(sensor, condition, what):
    """Let the sensor work until the condition holds; what is in flight never passes the bound."""

    def step():
        sensor.poll()
        assert sensor.buffer.in_flight() <= IN_FLIGHT_MAX
        return condition()

    return until(step, what)


def test_without_a_mark_everything_from_the_mark_is_sent_again(gateway, start, monkeypatch):
    monkeypatch.setattr(sensor_module, "REPEAT_SECONDS", 0.3)
    sensor = start()
    push(sensor, 3)
    working(sensor, lambda: sensor.repeats >= 2 and len(gateway.data()) >= 9, "two repeats")
    assert gateway.sequences()[:9] == [0, 16, 32] * 3
    assert {data.oldest for data in gateway.data()} == {0}
    gateway.mark(16)
    working(sensor, lambda: sensor.buffer.mark == 16, "the mark")
    seen, repeats = len(gateway.data()), sensor.repeats
    working(sensor, lambda: sensor.repeats >= repeats + 2 and len(gateway.data()) >= seen + 4, "repeats from the mark")
    later = [(data.oldest, data.sequence) for data in gateway.data() if data.oldest]
    assert later[:4] == [(16, 16), (16, 32)] * 2
    for payload in (b"no message", codec.encode_stored(codec.Stored(DEVICE, 2, 48)), b""):
        gateway.send(topics.device_stored(DEVICE), payload)  # another boot's mark, and none at all
    gateway.mark(9999)
    gateway.mark(48)
    working(sensor, sensor.delivered, "the last mark")
    assert (sensor.buffer.entries, sensor.buffer.size_bytes, sensor.buffer.lost) == ([], 0, 0)


def test_at_most_64_messages_are_on_their_way_and_marks_free_the_buffer(gateway, start, monkeypatch):
    monkeypatch.setattr(sensor_module, "REPEAT_SECONDS", 1000.0)
    sensor = start()
    push(sensor, 100)
    full = sensor.buffer.size_bytes
    stored = 0
    for mark in (0, 10, 11, 36, 80, 100):
        if mark:
            gateway.mark(mark * READINGS)
            working(sensor, lambda wanted=mark: sensor.buffer.mark == wanted * READINGS, "the mark")
        stored = mark
        sendable = min(100, stored + IN_FLIGHT_MAX)
        working(sensor, lambda wanted=sendable: len(gateway.data()) >= wanted, f"{sendable} messages")
        for _ in range(20):
            sensor.poll()
        assert sensor.buffer.in_flight() == sendable - stored
        assert gateway.sequences() == list(range(0, sendable * READINGS, READINGS))
        assert len(sensor.buffer.entries) == 100 - stored
        assert sensor.buffer.size_bytes <= full * (100 - stored) / 100 + 100
    assert sensor.delivered()
    assert (sensor.repeats, sensor.buffer.size_bytes) == (0, 0)


def told(url, sensor):
    """Whether a newcomer is told at once who the device is and what it runs."""
    newcomer = Gateway(url, "newcomer")
    deadline = time.monotonic() + 1.0
    while not (newcomer.births() and newcomer.states()) and time.monotonic() < deadline:
        sensor.poll()
        time.sleep(0.01)
    newcomer.close()
    return newcomer.births() and newcomer.states()


def test_a_killed_broker_gets_everything_once_it_is_back(broker, gateway, start, tmp_path):
    sensor = start()
    push(sensor, 2)
    working(sensor, lambda: len(gateway.data()) >= 2, "the first messages")
    broker.kill()
    working(sensor, lambda: not sensor.link.connected, "the end of the connection")
    push(sensor, 3)
    working(sensor, lambda: {0, 16, 32, 48, 64} <= set(gateway.sequences()), "the messages of the outage")
    until(lambda: broker.restarts == 1, "the one restart")
    assert sensor.link.connected_count == 2
    late = Gateway(broker.url, "late")
    until(lambda: late.births() and late.states(), "what is retained")
    late.close()
    broker.stop()
    working(sensor, lambda: not sensor.link.connected, "the end of the connection")
    # a broker that has lost its folder knows of the device only what it is told again
    with Broker(tmp_path / "fresh", port=broker.port) as fresh:
        working(sensor, lambda: sensor.link.connected_count == 3, "the connection")
        working(sensor, lambda: sensor.buffer.in_flight() == 5, "the messages")
        # a newcomer of this moment has once been told nothing (seen, cause not known): then the next one
        until(lambda: told(fresh.url, sensor), "what is sent again")
        late = Gateway(fresh.url, "late")
        until(lambda: late.births() and late.states(), "what is retained")
        assert (late.births()[0].profile, late.births()[0].boot) == (PROFILE, 1)
        assert late.states()[0] == codec.State(DEVICE, 1, 1, "started", 0, "")
        late.mark(80)
        working(sensor, sensor.delivered, "the mark")
        late.close()


def truncated():
    return model(3)[:-10]


def tampered():
    image = bytearray(model(3))
    image[200] ^= 1
    return bytes(image)


REFUSED = [
    (lambda: model(1), 1, "not above the running 2"),
    (truncated, 3, "written at offset 8"),
    (tampered, 3, "digest"),
    (lambda: model(3, OTHER_KEY), 3, "not signed with a key"),
]


def test_a_good_image_runs_and_is_reported_and_bad_ones_change_nothing(gateway, start, folder):
    sensor = start()
    push(sensor, 1)
    working(sensor, lambda: sensor.link.connected, "the connection")
    gateway.offer(model(2))
    working(sensor, lambda: gateway.states()[-1:] and gateway.states()[-1].result == "accepted", "the report")
    assert gateway.states()[-1] == codec.State(DEVICE, 1, 2, "accepted", 2, "")
    working(sensor, lambda: not sensor.slots.on_trial, "the proof")
    kept = {path.name: path.read_bytes() for path in folder.glob("slot*")}
    active = (folder / "active").read_bytes()
    for count, (make, version, reason) in enumerate(REFUSED, 1):
        gateway.offer(make())
        working(sensor, lambda wanted=count: len(gateway.states()) >= 2 + wanted, "the refusal")
        state = gateway.states()[-1]
        assert (state.model_version, state.result, state.judged_version) == (2, "refused", version)
        assert reason in state.reason
        push(sensor, 1)
        working(sensor, lambda wanted=count: len(gateway.data()) > wanted, "readings of the model that runs")
    assert [data.model_version for data in gateway.data()] == [1, 2, 2, 2, 2]
    assert {path.name: path.read_bytes() for path in folder.glob("slot*")} == kept
    assert (folder / "active").read_bytes() == active
    gateway.offer(model(2))
    sensor.stop()
    again = start()
    assert (again.boot, again.image.version) == (2, 2)
    working(again, lambda: gateway.states()[-1].boot == 2, "the state of the next start")
    assert gateway.states()[-1] == codec.State(DEVICE, 2, 2, "started", 0, "")


def test_a_trial_that_ended_in_a_crash_is_reported_and_the_image_tried_again(gateway, start):
    sensor = start()
    sensor.slots.store(model(2))
    sensor.stop()
    again = start()
    working(again, gateway.states, "the state")
    assert (gateway.states()[0].boot, gateway.states()[0].model_version) == (2, 1)
    assert "the image on trial was given up" in gateway.states()[0].reason
    gateway.offer(model(2))
    working(again, lambda: gateway.states()[-1].result == "accepted" and not again.slots.on_trial, "the second trial")
    assert again.image.version == 2


def test_an_image_that_cannot_be_stored_is_refused_and_the_old_one_runs_on(gateway, start, monkeypatch):
    sensor = start()
    working(sensor, gateway.states, "the start")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(slots_module.os, "rename", full)
        gateway.offer(model(2))
        working(sensor, lambda: gateway.states()[-1].result == "refused", "the refusal")
    assert "cannot be stored" in gateway.states()[-1].reason
    assert (sensor.image.version, sensor.slots.on_trial) == (1, False)
    gateway.offer(model(3))
    working(sensor, lambda: gateway.states()[-1].result == "accepted", "the next image")
