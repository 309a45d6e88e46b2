"""The InfluxDB store when its server fails: nothing lost, nothing double, one clear line, recovery by itself.

A real InfluxDB 2.7, a real broker and the real ingest; faults come from a proxy between ingest and server, or from the
server itself.
"""

import importlib.util
import json
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from fault_proxy import FaultProxy
from influxdb_servers import PASSWORD, Bucket, fresh_bucket, make_bucket, require_influxdb, shared_server
from waiting import PATIENCE_SECONDS, until

from cloud.api.application import create_application
from cloud.settings import CloudSettings
from cloud.storage.settings import StoreSettings
from cloud.tier import CloudTier
from shared.broker import Broker
from shared.messages import codec
from shared.messages.codec import Rescore
from tocsin.servers.influxdb import InfluxServer

_specification = importlib.util.spec_from_file_location(
    "uploader", Path(__file__).parents[1] / "integration" / "uploader.py"
)
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = pytest.mark.services
WEEK_NS = 7 * 86_400 * 10**9
#: Of a request; a fault that is silence is noticed after so long, other tests have the patience of a busy machine.
TIMEOUT_SECONDS, SILENCE_SECONDS = 60.0, 4.0


class Plant:
    """A cloud with InfluxDB behind a proxy, and a gateway that uploads to it; the cloud can be opened again."""

    def __init__(self, folder, broker, bucket):
        self.folder, self.broker, self.bucket = folder, broker, bucket
        self.proxy = FaultProxy(bucket.url)
        self.gateway = uploader.Uploader(broker.port)
        self.token_file = folder / "token"
        self.token_file.write_text(bucket.token)
        self.tier = None
        self._sending = None
        self.timeout_seconds = TIMEOUT_SECONDS

    def start(self):
        settings = CloudSettings(data_folder=self.folder / "cloud", broker=self.broker.url, retry_seconds=0.1)
        storage = StoreSettings(
            store="influxdb",
            influxdb_url=self.proxy.url,
            influxdb_organisation=self.bucket.organisation,
            influxdb_bucket=self.bucket.bucket,
            influxdb_token_file=self.token_file,
            influxdb_timeout_seconds=self.timeout_seconds,
        )
        self.tier = CloudTier(settings, storage)
        self.tier.start()
        return self

    def stop(self):
        if self.tier is not None:
            self.tier.close()
            self.tier = None

    def send(self, *uploads):
        """Upload in the background."""
        self._goal = self.gateway.mark + len(uploads)
        self._sending = threading.Thread(target=self.gateway.upload, args=uploads, daemon=True)
        self._sending.start()

    def sent(self):
        """Wait until all of it is stored."""
        self._sending.join(PATIENCE_SECONDS)
        assert self.gateway.mark == self._goal

    def trouble(self):
        return self.tier.ingest.state().trouble

    def health(self):
        return TestClient(create_application(self.tier)).get("/api/health").json()

    def close(self):
        self.stop()
        self.gateway.close()
        self.proxy.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker"), ack_wait_seconds=2.0) as running:
        yield running


@pytest.fixture
def plant(tmp_path, broker):
    made = Plant(tmp_path, broker, fresh_bucket())
    # The session at the broker and the gateway are the same for all tests: each begins where the one before ended.
    made.gateway._epoch = time.time_ns()
    yield made
    made.close()


def messages(device="pump-1", count=30):
    return [uploader.birth(device), *(uploader.readings(device, 16 * number) for number in range(count))]


def assert_whole(tier, device="pump-1", readings=480):
    found = tier.store.readings(device)
    assert tier.store.counts(device) == (readings, readings)
    assert found.sequences.tolist() == list(range(readings))
    assert found.counts[:, 1].tolist() == [3 * number for number in range(readings)]
    (position,) = tier.store.positions(device)
    assert (position.stored, position.lost) == (readings, 0)


def assert_patience(proxy, seconds=1.0):
    """Watch the requests for as long as the server asks for patience: one may fall into it, at its end."""
    asked, over = len(proxy.requests), time.monotonic() + seconds
    while True:
        found = len(proxy.requests)
        if time.monotonic() >= over:  # what was counted later than that does not tell
            return
        assert found <= asked + 1, "a server that asks for patience is asked again and again"
        time.sleep(0.02)


def errors_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda proxy: proxy.refuse(), "cannot be reached"),
        (lambda proxy: proxy.hang(), "did not answer within 4 s"),
        (lambda proxy: proxy.hang(reaches_server=True), "did not answer within 4 s"),
        (lambda proxy: proxy.slow(bytes_per_second=2_000), "did not answer within 4 s|cannot be reached"),
        (lambda proxy: proxy.cut(10_000, of="request"), "cannot be reached"),
        (lambda proxy: proxy.http_status(401, path="/api/v2/write"), "refuses the token in .*token "),
        (lambda proxy: proxy.http_status(403, path="/api/v2/write"), "refuses the token in .*token "),
        (lambda proxy: proxy.http_status(404, path="/api/v2/write"), "has no bucket test-"),
        (lambda proxy: proxy.http_status(503, b"busy", path="/api/v2/write"), r"failed \(503, busy\)"),
        (
            lambda proxy: proxy.http_status(429, path="/api/v2/write", headers={"Retry-After": "1"}),
            "takes no more requests for now .* asks for 1 s of patience",
        ),
    ],
    ids=["down", "silent", "answer-lost", "slow", "cut", "401", "403", "404", "503", "429"],
)
def test_a_fault_holds_the_readings_at_the_gateway_and_passes(plant, caplog, fault, words):
    caplog.set_level("INFO")
    plant.timeout_seconds = SILENCE_SECONDS if "did not answer" in words else TIMEOUT_SECONDS
    plant.start()
    plant.gateway.upload(*messages(count=1))
    caplog.clear()
    fault(plant.proxy)
    mark = plant.gateway.mark
    plant.send(*messages()[2:])
    trouble = until(plant.trouble, "a sentence about the fault")
    assert re.search(words, trouble), trouble
    assert trouble.count(". ") == 0
    assert plant.health()["status"] == "degraded"
    assert plant.health()["trouble"] == trouble
    if "of patience" in trouble:
        assert_patience(plant.proxy)
    assert plant.gateway.mark == mark
    plant.proxy.pass_through()
    plant.sent()
    assert_whole(plant.tier)
    assert len(errors_of(caplog)) == 1, errors_of(caplog)
    assert "the store takes uploads again" in caplog.text
    until(lambda: plant.health()["status"] == "ok", "a healthy cloud")


def test_another_token_in_the_file_is_taken_up(plant, caplog):
    plant.token_file.write_text("not-the-token")
    plant.start()
    plant.send(*messages())
    assert "refuses the token in" in until(plant.trouble, "a refused token")
    plant.token_file.write_text(plant.bucket.token)
    plant.sent()
    assert_whole(plant.tier)
    assert len(errors_of(caplog)) == 1
    assert plant.bucket.token not in caplog.text


def test_a_bucket_that_is_made_late_is_used_when_it_is_there(tmp_path, broker, caplog):
    bucket = fresh_bucket()
    missing = type(bucket)(bucket.url, bucket.organisation, f"{bucket.bucket}-late", bucket.token, bucket.version)
    plant = Plant(tmp_path, broker, missing)
    plant.gateway._epoch = time.time_ns()
    try:
        plant.start()
        plant.send(*messages())
        assert f"has no bucket {missing.bucket}" in until(plant.trouble, "a missing bucket")
        make_bucket(shared_server(), missing.bucket)
        plant.sent()
        assert_whole(plant.tier)
    finally:
        plant.close()


def keep_for_ever(bucket):
    """Take a bucket's retention away."""
    found = bucket.ask("GET", "/api/v2/buckets", headers={"Accept": "application/json"}, name=bucket.bucket).json()
    wish = json.dumps({"retentionRules": [{"type": "expire", "everySeconds": 0}]}).encode()
    path = f"/api/v2/buckets/{found['buckets'][0]['id']}"
    answer = bucket.ask("PATCH", path, wish, {"Content-Type": "application/json"})
    assert answer.status == 200, answer


def shifted(upload, by_ns):
    judged, data = codec.decode_judged(upload[1])
    moved = codec.Data(**{
        **{name: getattr(data, name) for name in data.__dataclass_fields__}, "times_ns": data.times_ns + by_ns
    })  # fmt: skip
    return "readings", codec.encode_judged(
        codec.Judged(
            codec.encode_data(moved), judged.gateway_scores, judged.fused_scores, judged.flags, judged.top_channels
        )
    )


def rescore_all(value):
    none, values = np.full(480, 0xFFFF, np.uint16), np.full(480, value)
    return "rescore", codec.encode_rescore(Rescore("pump-1", 1, 0, values, values, np.zeros(480, np.uint8), none))


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_points_of_another_type_are_refused_alone(plant, caplog):
    leap = 10 * WEEK_NS
    # In the week of that time the field has another type for good.
    plant.bucket.write(f"readings,device=other,asset=other count_0=1.5 {uploader.BEGIN_NS + leap}")
    made = messages()
    made[11] = shifted(made[11], leap)
    plant.start()
    plant.gateway.upload(*made)
    rest = [number for number in range(480) if not 160 <= number < 176]
    assert plant.tier.store.readings("pump-1").sequences.tolist() == rest
    assert sum(b.readings for b in plant.tier.store.history("pump-1", 0, 2**62, 50)) == 464
    health = plant.health()
    assert (health["status"], health["refused_points"]) == ("degraded", 16)
    assert "field type conflict" in health["trouble"]
    assert len(warnings_of(caplog)) == 1
    plant.gateway.upload(rescore_all(0.125))
    assert (plant.tier.store.readings("pump-1").scores == 0.125).all()
    assert plant.tier.store.refused().points == 16
    assert plant.tier.store.latest("pump-1").next_sequence == 480


def test_when_too_many_wait_the_gateway_keeps_the_rest(plant, monkeypatch):
    monkeypatch.setattr("cloud.storage.influxdb.store.LEDGER_LIMIT", 20)
    leap = 10 * WEEK_NS
    plant.bucket.write(f"readings,device=other,asset=other count_0=1.5 {uploader.BEGIN_NS + leap}")
    plant.start()
    plant.gateway.upload(*messages(count=1), shifted(uploader.readings("pump-1", 16), leap))
    mark = plant.gateway.mark
    plant.send(uploader.readings("pump-1", 32), shifted(uploader.readings("pump-1", 48), leap))
    assert "refused more than 20 points" in until(plant.trouble, "a full ledger")
    assert plant.gateway.mark == mark
    assert plant.tier.store.refused().points == 16
    assert plant.tier.store.latest("pump-1").next_sequence == 32
    monkeypatch.undo()
    plant.sent()
    assert plant.tier.store.refused().points == 32


def test_refused_points_are_taken_when_the_cause_is_gone(tmp_path, broker, caplog):
    age_seconds = (time.time_ns() - uploader.BEGIN_NS) // 10**9
    plant = Plant(tmp_path, broker, fresh_bucket(retention_seconds=age_seconds + 86_400))
    plant.gateway._epoch = time.time_ns()
    try:
        made = messages()
        made[11] = shifted(made[11], -10 * WEEK_NS)  # older than the bucket keeps
        plant.start()
        plant.gateway.upload(*made, rescore_all(0.125))
        assert plant.health()["refused_points"] > 16  # with their values
        assert len(plant.tier.store.readings("pump-1")) == 464
        assert len(warnings_of(caplog)) == 1
        plant.stop()
        keep_for_ever(plant.bucket)
        plant.start()
        until(lambda: plant.tier.store.refused().points == 0, "the refused points to be taken")
        assert_whole(plant.tier)
        assert (plant.tier.store.readings("pump-1").scores == 0.125).all()
        assert plant.bucket.count("values", "value") == 2 * 480
        until(lambda: plant.health()["status"] == "ok", "a healthy cloud")
    finally:
        plant.close()


def test_a_bucket_that_takes_nothing_holds_the_readings_at_the_gateway(tmp_path, broker):
    bucket = fresh_bucket(retention_seconds=3600)  # the readings are years old
    plant = Plant(tmp_path, broker, bucket)
    plant.gateway._epoch = time.time_ns()
    try:
        plant.start()
        plant.send(*messages())
        assert "refuses every point" in until(plant.trouble, "a sentence about the bucket")
        assert plant.tier.store.refused().points < 480
        keep_for_ever(bucket)
        plant.sent()
        plant.stop()
        plant.start()  # what was refused one by one is tried again at the start
        until(lambda: plant.tier.store.refused().points == 0, "the refused points to be taken")
        assert_whole(plant.tier)
    finally:
        plant.close()


def assert_idle_cloud_tells(plant, caplog, words, recover):
    """Without any upload: degraded with its reason and one line, until `recover`; then well, with one line."""
    until(lambda: plant.health()["broker_connected"], "the broker")
    trouble = until(plant.trouble, "a sentence about the fault")
    assert re.search(words, trouble), trouble
    health = plant.health()
    assert (health["status"], health["trouble"]) == ("degraded", trouble)
    until(lambda: errors_of(caplog), "the line about the fault")
    recover()
    until(lambda: plant.health()["status"] == "ok", "a healthy cloud")
    until(lambda: "the store takes uploads again" in caplog.text, "the line about the recovery")
    assert len(errors_of(caplog)) == 1, errors_of(caplog)
    assert trouble in errors_of(caplog)[0]
    assert caplog.text.count("the store takes uploads again") == 1


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr("cloud.storage.influxdb.watch.PAUSE_SECONDS", 0.05)


@pytest.mark.usefixtures("often")
def test_an_idle_cloud_that_starts_without_its_server_says_so(plant, caplog):
    caplog.set_level("INFO")
    plant.proxy.refuse()
    plant.start()
    assert_idle_cloud_tells(plant, caplog, "cannot be reached", plant.proxy.pass_through)


@pytest.mark.usefixtures("often")
def test_an_idle_cloud_with_a_wrong_token_says_so(plant, caplog):
    caplog.set_level("INFO")
    plant.token_file.write_text("not-the-token")
    plant.start()
    words = "refuses the token in .*token "
    assert_idle_cloud_tells(plant, caplog, words, lambda: plant.token_file.write_text(plant.bucket.token))


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("path", ["/api/v2/write", "/api/v2/query"])
def test_an_idle_cloud_whose_token_may_do_half_says_so(plant, caplog, path):
    caplog.set_level("INFO")
    plant.start()
    until(lambda: "readings go into bucket" in caplog.text, "the line of a good start")
    plant.proxy.http_status(403, path=path)
    assert_idle_cloud_tells(plant, caplog, "refuses the token in .*token ", plant.proxy.pass_through)


@pytest.mark.usefixtures("often")
def test_an_idle_cloud_says_that_its_server_was_killed(tmp_path, broker, caplog):
    caplog.set_level("INFO")
    with InfluxServer(tmp_path / "influxdb", binary=require_influxdb()) as server:
        server.set_up("plant", "first", "a-token-of-this-test", password=PASSWORD)
        plant = Plant(tmp_path, broker, Bucket(server.url, "plant", "first", "a-token-of-this-test", server.version))
        try:
            plant.start()
            until(lambda: "readings go into bucket first" in caplog.text, "the line of a good start")
            server.kill()
            assert_idle_cloud_tells(plant, caplog, "cannot be reached", server.start)
        finally:
            plant.close()


def test_kill_of_the_server_in_mid_batch_loses_nothing_and_doubles_nothing(tmp_path, broker):
    devices = ("pump-1", "pump-2", "fan-7")
    made = [uploader.birth(device) for device in devices]
    made += [uploader.readings(device, 16 * number) for number in range(400) for device in devices]
    with InfluxServer(tmp_path / "influxdb", binary=require_influxdb()) as server:
        server.set_up("plant", "first", "a-token-of-this-test", password=PASSWORD)
        plant = Plant(tmp_path, broker, Bucket(server.url, "plant", "first", "a-token-of-this-test", server.version))
        plant.gateway._epoch = time.time_ns()
        try:
            plant.start()
            plant.send(*made)
            for kill in (1, 2):
                goal = kill * len(made) // 3
                until(lambda goal=goal: plant.gateway.mark >= goal, f"upload {goal}")
                server.kill()
                server.start()
            plant.sent()
            for device in devices:
                assert_whole(plant.tier, device, 6400)
        finally:
            plant.close()
