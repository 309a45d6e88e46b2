"""A site's broker asks everybody for a password, and lets each role do its part alone."""

import logging
import os
import subprocess
import sys
import threading

import pytest
from site_run import ROOT, made_site, site_broker
from small_devices import PUBLIC_KEY, provision_small, small_profile
from waiting import PATIENCE_SECONDS, until

from cloud.ingest.link import BrokerLink
from firmware.host.sensor import Sensor
from gateway import service
from gateway.settings import GatewaySettings
from shared import topics
from shared.credentials import Login
from shared.messages import codec

pytestmark = pytest.mark.services
DEVICE = small_profile().device


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("credentials")
    with site_broker(made_site(folder / "site"), folder / "broker") as running:
        yield running


@pytest.fixture
def client(broker):
    opened = []

    def connect(role, *subscriptions):
        opened.append(broker.client(role, *subscriptions))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def test_readings_pass_from_a_sensor_through_the_gateway_to_the_cloud_with_the_password_of_each(
    broker, client, tmp_path
):
    cloud = client("cloud", topics.ALL_UPLOADS)
    settings = GatewaySettings(
        data_folder=tmp_path / "gateway",
        broker_url=broker.url,
        broker_user="gateway",
        broker_password_file=broker.password_file("gateway"),
    )
    stop, ready = threading.Event(), threading.Event()
    gateway = threading.Thread(target=service.run, args=(settings, stop, ready))
    gateway.start()
    provision_small(tmp_path / "device", small_profile())
    sensor = Sensor(small_profile(), tmp_path / "device", [PUBLIC_KEY], broker.url, broker.login("sensors"))
    sensor.start()
    try:
        until(ready.is_set, "the gateway to be connected")
        for row in range(32):
            sensor.device.push_row(row * 1_000_000_000, [row % 7, row % 5])
        sensor.device.close_message()

        def delivered():
            sensor.poll()
            return sensor.delivered()

        until(delivered, "the readings to be stored")
        until(lambda: any(codec.decode_upload(payload).kind == "readings" for _, payload in cloud.messages), "uploads")
    finally:
        sensor.stop()
        stop.set()
        gateway.join()


@pytest.mark.parametrize(
    ("role", "topic", "rightful", "hearer"),
    [
        ("sensors", topics.image(DEVICE), "gateway", "sensors"),
        ("sensors", topics.device_stored(DEVICE), "gateway", "sensors"),
        ("sensors", topics.upload("gateway-1"), "gateway", "cloud"),
        ("sensors", topics.release("gateway-1", DEVICE), "cloud", "gateway"),
        ("gateway", topics.release("gateway-1", DEVICE), "cloud", "gateway"),
        ("gateway", topics.gateway_stored("gateway-1"), "cloud", "gateway"),
        ("gateway", topics.data(DEVICE), "sensors", "gateway"),
        ("cloud", topics.upload("gateway-1"), "gateway", "cloud"),
        ("cloud", topics.image(DEVICE), "gateway", "sensors"),
    ],
)
def test_a_role_cannot_say_what_another_has_to_say(client, role, topic, rightful, hearer):
    """What the rightful one says on the same topic afterwards comes alone."""
    listener = client(hearer, topic)
    assert listener.granted == [True]
    client(role).send(topic, b"not mine to say")
    client(rightful).send(topic, b"mine")
    until(lambda: listener.messages, "the rightful message")
    assert listener.messages == [(topic, b"mine")]


@pytest.mark.parametrize(
    ("role", "topic"),
    [("sensors", topics.ALL_UPLOADS), ("sensors", topics.ALL_DATA), ("cloud", topics.ALL_DATA), ("sensors", "#")],
)
def test_a_role_cannot_listen_to_what_is_for_others(client, role, topic):
    assert client(role, topic).granted == [False]


def test_a_wrong_password_is_told_by_each_tier_in_words(broker, tmp_path, caplog, capfd):
    wrong = Login("gateway", "x" * 20)
    caplog.set_level(logging.WARNING)
    link = BrokerLink("127.0.0.1", broker.port, "cloud", topics.ALL_UPLOADS, lambda: None, wrong)

    def told_by_cloud():
        link.turn(0.05)
        return "refuses us (not authorized): set its user and password" in caplog.text

    until(told_by_cloud, "the cloud's sentence")
    link.close()
    provision_small(tmp_path / "device", small_profile())
    sensor = Sensor(small_profile(), tmp_path / "device", [], broker.url, wrong)
    sensor.start()
    told = ""

    def told_by_sensor():
        nonlocal told
        told += capfd.readouterr().err
        return f"refuses {DEVICE} (Not authorized); set its user and password" in told

    until(told_by_sensor, "the sensor's sentence")
    sensor.stop()


def run_tier(arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


SECRET_VARIABLES = {
    "TOCSIN_GATEWAY_BROKER_PASSWORD_FILE": ("tocsin", "gateway", "run"),
    "TOCSIN_CLOUD_BROKER_PASSWORD_FILE": ("tocsin", "cloud", "run"),
    "TOCSIN_CLOUD_API_TOKEN_FILE": ("tocsin", "cloud", "run"),
    "TOCSIN_CLOUD_SIGNING_KEY_FILE": ("tocsin", "cloud", "run"),
}


@pytest.mark.parametrize("variable", SECRET_VARIABLES)
@pytest.mark.parametrize(("content", "reason"), [(None, "cannot be read"), ("\n", "is empty"), ("short", "needs at l")])
def test_a_tier_does_not_start_without_a_whole_secret(tmp_path, variable, content, reason):
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    tier = SECRET_VARIABLES[variable][1].upper()
    done = run_tier(
        SECRET_VARIABLES[variable],
        **{
            variable: str(file),
            f"TOCSIN_{tier}_BROKER_USER": "someone" if "BROKER" in variable else "",
            f"TOCSIN_{tier}_DATA_FOLDER": str(tmp_path / "data"),
            "TOCSIN_CLOUD_PORT": "0",
        },
    )
    assert done.returncode == 2
    (sentence,) = done.stderr.strip().splitlines()
    assert str(file) in sentence
    assert variable in sentence
    assert reason in sentence
    assert "tocsin init" in sentence
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("given", ["USER", "PASSWORD_FILE"])
def test_a_user_without_a_password_file_and_the_other_way_round_are_refused(tmp_path, given):
    (tmp_path / "password").write_text("p" * 20)
    value = "plant" if given == "USER" else str(tmp_path / "password")
    done = run_tier(("tocsin", "gateway", "run"), **{f"TOCSIN_GATEWAY_BROKER_{given}": value})
    assert done.returncode == 2
    assert "set both or neither" in done.stderr


def test_the_password_of_the_plant_is_not_shown_to_another_broker_of_the_cloud(tmp_path):
    (tmp_path / "password").write_text("p" * 20)
    plant = {"broker_user": "gateway", "broker_password_file": tmp_path / "password"}
    assert GatewaySettings(**plant).uplink_login() == Login("gateway", "p" * 20)
    assert GatewaySettings(**plant, uplink_url="mqtts://elsewhere:8883").uplink_login() is None


def test_a_password_is_shown_neither_by_a_login_nor_by_an_error(tmp_path):
    assert "p" * 20 not in repr(Login("gateway", "p" * 20))
