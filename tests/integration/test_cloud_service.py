"""The cloud as a process, with a real broker between it and what uploads."""

import importlib.util
from pathlib import Path

import pytest
from waiting import until

from cloud.registry.models import ModelRegistry
from cloud.settings import CloudSettings
from cloud.storage.embedded import EmbeddedStore
from cloud.storage.relational import Relations
from cloud.tier import CloudTier
from shared import topics
from shared.broker import Broker
from shared.messages import codec
from shared.messages.codec import Alarm, Counters, Reason, State, Upload
from shared.ports import free_port

_specification = importlib.util.spec_from_file_location("uploader", Path(__file__).with_name("uploader.py"))
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = pytest.mark.services


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def cloud(tmp_path, broker):
    process = uploader.CloudProcess(tmp_path / "cloud", broker.url, free_port())
    yield process
    process.end()


@pytest.fixture
def gateway(broker):
    client = uploader.Uploader(broker.port)
    yield client
    client.close()


def alarm(end_ns=None):
    reason = Reason("current", "mean", 6.0, "The mean of current is 6.0 healthy deviations above normal.")
    what = Alarm("a-1", "acme/north/pump-1", "pump-1", uploader.BEGIN_NS, end_ns, 1.8, False, (reason,))
    return "alarm", codec.encode_alarm(what)


def test_what_a_gateway_uploads_is_answered_by_the_api_and_survives_a_restart(cloud, gateway, broker):
    cloud.start()
    data = [uploader.readings("pump-1", 16 * number) for number in range(40)]
    counters = "counters", codec.encode_counters(Counters("pump-1", 1, 640, 640, 0, 0, 0))
    state = "state", codec.encode_state(State("pump-1", 1, 1, "started", 0, ""))
    gateway.upload(uploader.birth("pump-1"), *data, alarm(), counters, state)
    (asset,) = cloud.get("/api/assets")
    assert (asset["asset"], asset["state"]) == ("acme/north/pump-1", "alarm")
    assert cloud.get("/api/alarms", active=True)[0]["reasons"][0]["channel"] == "current"
    history = cloud.get("/api/devices/pump-1/history", points=10_000, channel="current")
    assert [point["value_mean"] for point in history["points"]] == pytest.approx(
        [5.0 + 0.001 * 3 * n for n in range(640)]
    )
    loss = cloud.get("/api/loss")
    assert (loss["produced"], loss["stored"], loss["lost"], loss["duplicates"]) == (640, 640, 0, 0)
    assert loss["gateways"][0]["uploads"] == 44
    assert cloud.get("/api/models")[0]["state"] == "running"
    assert cloud.stop() == 0

    cloud.start()
    assert cloud.get("/api/devices/pump-1/history", points=10_000)["points"][-1] == {
        **history["points"][-1], "value_min": None, "value_mean": None, "value_max": None,
    }  # fmt: skip
    gateway.upload(alarm(end_ns=uploader.BEGIN_NS + 5))
    assert cloud.get("/api/alarms", active=True) == []
    assert cloud.stop() == 0
    assert "Traceback" not in cloud.log.read_text()


def test_garbage_is_counted_and_said_and_stops_nothing(cloud, gateway):
    cloud.start()
    gateway.publish_bytes(b"noise")
    gateway.publish_bytes(codec.encode_upload(Upload("other", 1, 0, 0, "state", b"")))
    gateway.upload(("readings", b"\xff\xff"), uploader.birth("pump-1"), uploader.readings("pump-1", 0))
    entry = until(
        lambda: next((g for g in cloud.get("/api/loss")["gateways"] if g["undecodable"] >= 3), None), "three refusals"
    )
    assert entry["uploads"] == 3
    assert cloud.get("/api/loss")["stored"] == 16
    said = cloud.log.read_text()
    assert "message on tocsin/v1/gateway/g/upload refused: upload message: not a CBOR map" in said
    assert "upload 0 of gateway g refused: judged message: not a CBOR map" in said


def test_a_repeated_upload_is_answered_with_the_mark_and_counted(cloud, gateway):
    cloud.start()
    gateway.upload(uploader.birth("pump-1"), uploader.readings("pump-1", 0))

    def duplicates():
        return cloud.get("/api/loss")["gateways"][0]["duplicates"]

    before = duplicates()  # a machine that is slow enough made the gateway repeat already
    gateway.mark = 0
    gateway.publish(0, *uploader.birth("pump-1"))
    until(lambda: gateway.mark == 2, "the mark after a duplicate")
    assert duplicates() > before
    assert cloud.get("/api/loss")["stored"] == 16


def test_the_broker_dies_and_comes_back_and_nothing_is_lost(cloud, gateway, broker):
    cloud.start()
    gateway.upload(uploader.birth("pump-1"), *(uploader.readings("pump-1", 16 * n) for n in range(10)))
    broker.kill()
    gateway.upload(*(uploader.readings("pump-1", 16 * n) for n in range(10, 40)))
    until(lambda: broker.restarts == 1, "the one restart")
    loss = cloud.get("/api/loss")
    assert (loss["stored"], loss["lost"]) == (640, 0)
    assert cloud.stop() == 0
    said = cloud.log.read_text()
    assert said.count("Connection refused") <= 1
    store = EmbeddedStore(cloud.folder)
    assert store.counts("pump-1") == (640, 640)
    store.close()


def test_a_cloud_without_a_broker_says_so_and_works_when_one_comes(tmp_path):
    port = free_port()
    cloud = uploader.CloudProcess(tmp_path / "cloud", f"mqtt://127.0.0.1:{port}", free_port())
    try:
        cloud.start(wait=False)
        health = until(lambda: cloud.get_or_none("/api/health"), "an answer")
        assert health["status"] == "degraded"
        assert f"mqtt://127.0.0.1:{port}" in health["trouble"]
        with Broker(tmp_path / "broker", port=port):
            until(lambda: cloud.get("/api/health")["status"] == "ok", "a connection")
            assert cloud.stop() == 0
    finally:
        cloud.end()


def test_a_second_cloud_on_the_same_folder_is_refused_in_one_sentence(cloud, broker):
    cloud.start()
    second = uploader.CloudProcess(cloud.folder, broker.url, 0)
    second.log = cloud.folder.with_suffix(".second.log")
    second.start(wait=False)
    assert second.wait() == 1
    assert second.log.read_text().count("\n") == 1
    assert f"The data folder {cloud.folder} is in use by another cloud" in second.log.read_text()
    assert cloud.get("/api/health")["status"] == "ok"


def test_a_release_reaches_the_gateway_retained_until_the_device_reports_it(cloud, gateway, broker):
    cloud.start()
    gateway.upload(uploader.birth("pump-1"), uploader.readings("pump-1", 0))
    assert cloud.stop() == 0
    relations = Relations(cloud.folder)
    registry = ModelRegistry(relations, cloud.folder / "models")
    version = registry.begin("pump-1")
    registry.release("pump-1", version, b"image bytes", {"auc": 0.9})
    relations.close()
    cloud.start()
    until(lambda: gateway.releases, "the release")
    assert gateway.releases[0] == (topics.release("g", "pump-1"), b"image bytes")
    gateway.upload(("state", codec.encode_state(State("pump-1", 1, version, "accepted", version, ""))))
    model = until(lambda: cloud.get("/api/models", device="pump-1")[0], "the model")
    assert (model["version"], model["state"]) == (version, "running")
    assert cloud.get("/api/devices/pump-1")["model_version"] == version
    late = uploader.Uploader(broker.port, epoch=78)
    until(lambda: late.releases, "the retained release")
    late.close()


def test_the_lock_is_free_after_the_cloud_has_gone(cloud):
    cloud.start()
    cloud.kill()
    CloudTier(CloudSettings(data_folder=cloud.folder)).close()
