"""An operator's word from the console to the gateway and back, with either of them killed on the way."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gateway_partners import HEALTHY, Device, data_message, process
from waiting import PATIENCE_SECONDS, until

from cloud.api.access import ensure_token
from gateway.settings import GatewaySettings
from shared import topics
from shared.broker import Broker
from shared.ports import free_port

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_specification = importlib.util.spec_from_file_location("uploader", Path(__file__).with_name("uploader.py"))
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = pytest.mark.services
ASSET = "acme/north/water/line-1/pump"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


class Plant:
    """A broker, a cloud, a gateway as a process and one device, which is shifted for good after 640 readings."""

    def __init__(self, folder, broker):
        self.cloud = uploader.CloudProcess(folder / "cloud", broker.url, free_port(), console="true")
        self.folder, self.gateway, self.device, self.sent = folder, None, None, 0
        self.settings = GatewaySettings(data_folder=folder / "gateway", broker_url=broker.url)

    def open(self):
        self.cloud.start()
        (self.folder / "key").write_text(self._public_key())
        self.device = Device(self.settings.broker_url)
        self.device.birth()
        self.start_gateway()
        until(lambda: self.cloud.get("/api/assets"), "the birth in the cloud")

    def _public_key(self):
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        from cloud.registry.keys import signing_key_path

        pem = signing_key_path(self.cloud.folder).read_bytes()
        return load_pem_private_key(pem, None).public_key().public_bytes_raw().hex()

    def start_gateway(self):
        with (self.folder / "gateway.log").open("a") as log:
            self.gateway = process(
                self.settings, "run", "--broker-url", self.settings.broker_url, "--healthy-readings", str(HEALTHY),
                "--release-public-key", str(self.folder / "key"), output=log,
            )  # fmt: skip

    def kill_gateway(self):
        self.gateway.kill()
        self.gateway.wait(PATIENCE_SECONDS)

    def send(self, upto, shift=0.0):
        while self.sent < upto:
            self.device.send(topics.data("pump-1"), data_message(self.sent, shift=shift))
            self.sent += 16
        until(lambda: self.device.mark() == (0, upto), f"the mark of {upto} readings")

    def alarms(self, active=True):
        return self.cloud.get("/api/alarms", active=active)

    def drifts(self):
        return self.cloud.get("/api/drifts", asset=ASSET)

    def words(self):
        return self.cloud.get("/api/normal", asset=ASSET)

    def close(self):
        if self.device is not None:
            self.device.close()
        if self.gateway is not None:
            self.kill_gateway()
        self.cloud.end()


@pytest.fixture
def plant(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        opened = Plant(tmp_path, broker)
        try:
            opened.open()
            opened.send(640)
            opened.send(960, shift=9.0)
            until(opened.alarms, "the alarm in the cloud")
            until(lambda: [d["kind"] for d in opened.drifts()] == ["sudden"], "the drift in the cloud")
            yield opened
        finally:
            opened.close()


def test_a_word_reaches_a_gateway_that_was_killed_from_a_cloud_that_was_killed(plant):
    [drift] = plant.drifts()
    assert (drift["kind"], drift["since_ns"]) == ("sudden", 640 * 10**9)
    plant.kill_gateway()
    environment = plant.cloud._environment
    command = [sys.executable, "-m", "cloud", "normal", ASSET, "--by", "M. Kühn", "--wait-seconds", "0"]
    said = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (said.returncode, "no answer yet" in said.stdout) == (1, True), said.stderr
    plant.cloud.kill()
    plant.start_gateway()
    plant.cloud.start()
    until(lambda: plant.words()[0]["state"] == "applied", "the gateway's answer")
    [word] = plant.words()
    assert (word["by"], word["alarm"]) == ("M. Kühn", plant.alarms(active=False)[0]["id"])
    assert word["sentence"] == "pump-1 learned 320 readings as normal."
    assert plant.alarms() == []
    plant.send(1280, shift=9.0)
    assert plant.alarms() == []
    plant.kill_gateway()
    plant.start_gateway()
    plant.send(1600, shift=9.0)  # what was learned outlives a kill; the word that the broker kept changes nothing more
    assert plant.alarms() == []
    assert len(plant.words()) == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: install the package chromium")
def test_an_operator_says_it_in_the_console(plant, tmp_path):
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser is driven by playwright: install extra 'dev'"
    )
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.goto(plant.cloud.url + "/")
        page.get_by_text("operating point: not seen while healthy").wait_for()
        page.screenshot(path=tmp_path / "change.png", full_page=True)
        page.get_by_role("button", name="This is normal").click()
        page.get_by_label("Your name").fill("M. Kühn")
        page.get_by_label("Access token").fill("wrong")
        page.get_by_role("button", name="Confirm as normal").click()
        page.get_by_text("That is not the access token of this cloud.").wait_for()
        page.get_by_label("Access token").fill(ensure_token(plant.cloud.folder))
        page.get_by_role("button", name="Confirm as normal").click()
        page.get_by_text("pump-1 learned 320 readings as normal.").wait_for()
        assert plant.alarms() == []
        page.screenshot(path=tmp_path / "word.png", full_page=True)
        browser.close()
