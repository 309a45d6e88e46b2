"""Devices on serial lines, at a real gateway with a real broker: a twin behind TCP and behind a pseudo-terminal."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_partners import (
    HEALTHY,
    PROFILE,
    Cloud,
    Device,
    assert_judged_as_alone,
    image_for,
    process,
    running,
    until_known,
)
from serial_twin import PtyLine, SerialTwin, TcpLine, board, model
from waiting import PATIENCE_SECONDS, until

from firmware.emulator.sensor import EmulatedSensor
from firmware.host.fleet import write_device
from firmware.host.replay import Source, push_all
from gateway import service
from gateway.settings import GatewaySettings
from gateway.store import Store
from gateway.updates import digest_of
from shared import topics
from shared.broker import Broker
from shared.messages import codec
from shared.ports import free_port
from shared.serial import framing

pytestmark = pytest.mark.services
ROWS = 400
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker"), ack_wait_seconds=1) as running:
        yield running


@pytest.fixture
def line(request, tmp_path):
    line = PtyLine(tmp_path / "port") if getattr(request, "param", "tcp") == "pty" else TcpLine()
    yield line
    line.close()


@pytest.fixture
def gateway_id(request):
    """Every test has a gateway of its own at the one broker."""
    return "gateway-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-36:].strip("-").lower()


@pytest.fixture
def cloud(broker, gateway_id):
    partner = Cloud(broker.url, gateway_id)
    partner.client.publish(topics.birth("pump-1"), b"", qos=1, retain=True).wait_for_publish(PATIENCE_SECONDS)
    yield partner
    partner.close()


@pytest.fixture
def settings(broker, tmp_path, gateway_id, line):
    return GatewaySettings(
        id=gateway_id,
        data_folder=tmp_path / "gateway",
        broker_url=broker.url,
        serial_inputs=(line.address,),
        healthy_readings=HEALTHY,
        counters_seconds=0.2,
        repeat_seconds=0.5,
        release_public_key=KEY.public_key().public_bytes_raw().hex(),
    )


def play(twin, rows=ROWS, first=0):
    """Readings that end in a fault, handed to the twin at once."""
    values = np.random.default_rng(5).normal(size=(ROWS, 2)) * 65536
    values[-100:] += 9 * 65536
    for row in range(first, rows):
        twin.push(row, values[row].astype(np.int64).tolist())
    twin.device.close_message()


def uploads(cloud):
    """Every upload's kind and body, but for counters, whose number depends on the clock."""
    return [(upload.kind, upload.body) for upload in cloud.uploads if upload.kind != "counters"]


@pytest.mark.parametrize("line", ["tcp", "pty"], indirect=True)
def test_the_same_readings_over_a_line_and_over_mqtt_are_the_same_uploads(settings, line, cloud, broker, tmp_path):
    twin = SerialTwin(line)
    play(twin)
    with running(settings):
        until(lambda: twin.poll() and twin.delivered(), "every mark")
        until(lambda: len(cloud.readings()) == ROWS, "the readings in the cloud")
        until(lambda: cloud.counters(boot=1) and cloud.counters(boot=1).stored == ROWS, "the accounts")
        assert len(twin.came(framing.TIME)) >= 1
    assert cloud.readings() == [(1, sequence) for sequence in range(ROWS)]
    assert_judged_as_alone(cloud, settings.false_alarms_per_day)
    over_line = uploads(cloud)
    cloud.uploads.clear()
    other = settings.model_copy(update={"data_folder": tmp_path / "over-mqtt", "serial_inputs": ()})
    device = Device(broker.url)
    try:
        device.send(topics.birth("pump-1"), codec.encode_birth(twin.birth()), True)
        with running(other):
            until_known(other, boot=1)
            device.send(topics.state("pump-1"), codec.encode_state(codec.State("pump-1", 1, 1, "started", 0, "")))
            for message in twin.sent_data.values():
                device.send(topics.data("pump-1"), message)
            until(lambda: len(cloud.readings()) == ROWS, "the readings in the cloud")
    finally:
        device.send(topics.birth("pump-1"), b"", True)
        device.close()
    kinds = {"birth", "state", "readings", "rescore", "alarm", "drift"}
    assert {kind for kind, _ in over_line} == kinds
    for kind in sorted(kinds):
        assert [body for k, body in over_line if k == kind] == [body for k, body in uploads(cloud) if k == kind]


def test_a_board_gets_a_signed_image_part_by_part_and_once(settings, line, cloud, tmp_path):
    """The device is the very loop that runs on a board with MicroPython."""
    device = board(line, tmp_path / "board", KEY.public_key().public_bytes_raw())
    parts = []
    take = device._take_part
    device._take_part = lambda body: (parts.append(body), take(body))
    image = model(3, KEY)
    assert len(image) > 4 * framing.IMAGE_PART_BYTES

    def take_rows(first, last):
        device.take_rows([(row * 1_000_000_000, [row % 7, row % 5]) for row in range(first, last)])
        device.device.close_message()

    def stored():
        device.poll()
        return device.buffer.mark == device.device.sequence

    with running(settings):
        take_rows(0, 64)
        until(stored, "the marks")
        cloud.send(topics.release(settings.id, "pump-1"), image, True)
        until(lambda: device.poll() is not None and device.image.version == 3, "the image at the device")
        until(lambda: device.poll() is not None and accepted(cloud) == [3], "the verdict in the cloud")
        until(lambda: device.poll() is not None and not device.slots.on_trial, "the gateway's word that proves it")
        take_rows(64, 128)
        until(stored, "readings of the new model")
    with running(settings):  # the retained copy of the release comes again
        take_rows(128, 192)
        until(stored, "readings after the restart")
    assert b"".join(body[8:] for body in parts) == image
    judged = [codec.decode_judged(body)[1] for body in cloud.of_kind("readings")]
    assert {data.model_version for data in judged if data.sequence < 64} == {1}
    assert {data.model_version for data in judged if data.sequence >= 64} == {3}


def refusals(cloud):
    states = [codec.decode_state(body) for body in cloud.of_kind("state")]
    return [state.reason for state in states if state.result == "refused"]


def accepted(cloud):
    states = [codec.decode_state(body) for body in cloud.of_kind("state")]
    return [state.judged_version for state in states if state.result == "accepted"]


def test_an_image_begins_anew_when_the_line_was_cut_and_when_the_device_lost_what_it_accepted(settings, line, cloud):
    twin = SerialTwin(line)
    play(twin, 32)
    with running(settings):
        until(lambda: twin.poll() and twin.delivered(), "the marks")
        twin.takes_parts = False
        cloud.send(topics.release(settings.id, "pump-1"), image_for(3, KEY), True)
        until(lambda: twin.poll() and twin.parts, "the first part")
        twin.takes_parts = True
        line.cut()
        play(twin, 64, first=32)
        until(lambda: twin.poll() and twin.version == 3, "the image at the device")
        until(lambda: twin.poll() and accepted(cloud) == [3], "the verdict in the cloud")
        again = SerialTwin(line, boot=2)
        until(lambda: again.poll() and again.version == 3, "the image at the device that had gone back")
        assert again.parts[0] == 0


def test_a_device_that_refuses_an_image_does_not_get_it_again(settings, line, cloud):
    twin = SerialTwin(line, checks_images=False)
    play(twin, 32)

    with running(settings):
        until(lambda: twin.poll() and twin.delivered(), "the marks")
        cloud.send(topics.release(settings.id, "pump-1"), image_for(3, KEY), True)
        until(lambda: twin.poll() and refusals(cloud), "the refusal in the cloud")
        play(twin, 64, first=32)
        until(lambda: twin.poll() and twin.delivered(), "readings after it")
    again = SerialTwin(line, boot=2, checks_images=False)
    with running(settings):
        play(again, 32)
        until(lambda: again.poll() and again.delivered(), "readings of the next boot")
        cloud.send(topics.release(settings.id, "pump-1"), image_for(4, KEY), True)
        until(lambda: again.poll() and again.parts, "a newer image")
    assert (twin.parts, again.parts) == ([0], [0])
    assert set(refusals(cloud)) == {"this device cannot check a signature"}


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="needs QEMU for Arm: apt install qemu-system-arm")
def test_the_firmware_of_a_board_is_served_and_refuses_an_image_once(settings, cloud, tmp_path):
    """The C core on an emulated STM32F405, which cannot check a signature yet."""
    rows = np.arange(64)
    source = Source(rows * 1_000_000_000, np.stack([rows % 7, rows % 5], 1).astype(np.int32))
    folder = write_device(tmp_path / "fleet", PROFILE, source, model(1, None))
    sensor = EmulatedSensor(PROFILE, folder, 0)
    settings = settings.model_copy(update={"serial_inputs": (f"tcp://127.0.0.1:{sensor.gateway_port}",)})

    def delivered(readings):
        sensor.poll()
        return sensor.device.sequence == readings and sensor.delivered()

    sensor.start()
    try:
        with running(settings):
            push_all(sensor.device, source)
            until(lambda: delivered(64), "the marks")
            cloud.send(topics.release(settings.id, "pump-1"), model(3, KEY), True)
            until(lambda: sensor.poll() is None and refusals(cloud), "the refusal in the cloud")
            sensor.device.push_row(64_000_000_000, [1, 1])
            sensor.device.close_message()
            until(lambda: delivered(65), "the mark of a reading after it")
    finally:
        sensor.stop()
        sensor.device.line.close()
    assert len(cloud.readings()) == 65
    assert len(set(refusals(cloud))) == 1
    with closing(Store(settings.data_folder, read_only=True)) as store:
        assert store.releases()["pump-1"].refused == digest_of(model(3, KEY))


def test_while_its_line_is_alive_a_device_is_on_that_line_alone(settings, line, cloud, broker, capsys):
    other = TcpLine()
    settings = settings.model_copy(update={"serial_inputs": (line.address, other.address)})
    mine, impostor = SerialTwin(line), SerialTwin(other)
    over_mqtt = Device(broker.url)
    try:
        with running(settings):
            play(mine, 32)
            until(lambda: mine.poll() and mine.delivered(), "the marks of the first")
            for row in range(64):
                impostor.push(row, [7, 7])
            impostor.device.close_message()
            until(lambda: mine.poll() and impostor.poll() and len(impostor.came(framing.TIME)) > 2, "its births")
            over_mqtt.data(32, boot=1)
            play(mine, 64, first=32)
            until(lambda: mine.poll() and mine.delivered(), "the marks of the first again")
            assert impostor.buffer.mark == 0
            assert over_mqtt.mark() is None
            mine.line.close()
            until(lambda: impostor.poll() and impostor.delivered(), "the id, which is free once the line has ended")
    finally:
        over_mqtt.close()
        other.close()
    assert cloud.readings() == [(1, sequence) for sequence in range(64)]
    assert capsys.readouterr().out.count("two devices have one id") == 1


def test_readings_of_a_line_are_stored_while_the_broker_of_the_others_is_away(settings, line, cloud, broker):
    away = settings.model_copy(
        update={"broker_url": f"mqtt://127.0.0.1:{free_port()}", "uplink_url": broker.url, "healthy_readings": 0}
    )
    twin = SerialTwin(line)
    play(twin, 64)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(service.run, away, stop)
        try:
            until(lambda: twin.poll() and twin.delivered(), "the marks")
            until(lambda: len(cloud.readings()) == 64, "the readings in the cloud")
        finally:
            stop.set()
            work.result(PATIENCE_SECONDS)


def test_status_shows_the_lines_and_the_log_what_the_device_says(settings, line, cloud, capsys):
    absent = f"{settings.data_folder}/no-port"
    settings = settings.model_copy(update={"serial_inputs": (line.address, absent)})
    twin = SerialTwin(line)
    play(twin, 32)
    with running(settings):
        until(lambda: twin.poll() and twin.delivered(), "the marks")

        def lines():
            status = process(settings, "status", "--json")
            return {entry["address"]: entry for entry in json.loads(status.communicate()[0])["serial_lines"]}

        until(lambda: (lines().get(line.address) or {"frames": 0})["frames"] >= 5, "the report")
        found = lines()
    assert (found[line.address]["connected"], found[line.address]["device"]) == (True, "pump-1")
    assert (found[absent]["connected"], found[absent]["reason"]) == (
        False,
        "it does not exist; plug the device in or correct the address",
    )
    output = capsys.readouterr().out
    assert output.count("serial line is away") == 1
    assert output.count("self-test passed") == 1
    assert "no-port" in process(settings, "status").communicate()[0]


def test_a_wrong_address_is_one_sentence(tmp_path):
    wrong = process(GatewaySettings(data_folder=tmp_path), "run", "--serial", "com1", "--serial", "/dev/ttyS9")
    output, error = wrong.communicate(timeout=PATIENCE_SECONDS)
    assert (wrong.returncode, output, error.count("\n")) == (2, "", 1)
    assert "'com1' is not the address of a serial line" in error
    assert "TOCSIN_GATEWAY_SERIAL_INPUTS" in error
