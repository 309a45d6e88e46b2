"""A cloud with its readings in InfluxDB: from the broker to the API, to a training, and to what Grafana reads."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from influxdb_servers import VERSIONS, fresh_bucket

from cloud.api.application import create_application
from cloud.jobs.request import runs, write_request
from cloud.settings import CloudSettings
from cloud.storage.settings import StoreSettings
from cloud.tier import CloudTier
from shared.broker import Broker
from shared.messages import codec
from shared.messages.codec import Alarm, Counters, Reason

_specification = importlib.util.spec_from_file_location("uploader", Path(__file__).with_name("uploader.py"))
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = pytest.mark.services
READINGS = 640


def alarm(identifier, end_ns, peak):
    reason = Reason("current", "mean", 6.0, 'The mean of "current" is 6.0 healthy deviations above normal.')
    what = Alarm(identifier, "acme/north/pump-1", "pump-1", uploader.BEGIN_NS, end_ns, peak, False, (reason,))
    return "alarm", codec.encode_alarm(what)


@pytest.mark.parametrize("version", VERSIONS)
def test_uploads_reach_the_api_a_training_and_the_measurements(tmp_path, version):
    bucket = fresh_bucket(version)
    token = tmp_path / "token"
    token.write_text(bucket.token or "user:password")
    storage = StoreSettings(
        store="influxdb", influxdb_url=bucket.url, influxdb_organisation=bucket.organisation or "-",
        influxdb_bucket=bucket.bucket, influxdb_token_file=token,
    )  # fmt: skip
    uploads = [uploader.birth("pump-1")]
    uploads += [uploader.readings("pump-1", 16 * n, level=1.5 if n == 20 else 0.5) for n in range(READINGS // 16)]
    uploads += [alarm("a-1", None, 1.5), alarm("a-2", None, 1.7), alarm("a-1", uploader.BEGIN_NS + 5, 1.9)]
    uploads.append(("counters", codec.encode_counters(Counters("pump-1", 1, READINGS, READINGS, 0, 0, 0))))
    with Broker(tmp_path / "broker", ack_wait_seconds=2.0) as broker:
        tier = CloudTier(CloudSettings(data_folder=tmp_path / "cloud", broker=broker.url), storage)
        tier.start()
        gateway = uploader.Uploader(broker.port)
        try:
            gateway.upload(*uploads)
            _check_api(TestClient(create_application(tier)))
            _check_training(tier, tmp_path / "request")
            _check_measurements(bucket)
        finally:
            gateway.close()
            tier.close()


def _check_api(client):
    (asset,) = client.get("/api/assets").json()
    assert (asset["asset"], asset["state"]) == ("acme/north/pump-1", "alarm")
    device = client.get("/api/devices/pump-1").json()
    assert (device["stored"], device["first_ns"]) == (READINGS, uploader.BEGIN_NS)
    assert device["last_ns"] == uploader.BEGIN_NS + (READINGS - 1) * uploader.SECOND_NS
    history = client.get("/api/devices/pump-1/history", params={"points": 50, "channel": "current"}).json()
    assert sum(point["readings"] for point in history["points"]) == READINGS
    assert max(point["score_max"] for point in history["points"]) > 1.49
    assert sum(point["flagged"] for point in history["points"]) == 16
    assert history["points"][0]["value_min"] == 5.0
    loss = client.get("/api/loss").json()
    assert (loss["produced"], loss["stored"], loss["lost"], loss["waiting"]) == (READINGS, READINGS, 0, 0)
    assert client.get("/api/health").json()["status"] == "ok"
    assert len(client.get("/api/alarms", params={"active": True}).json()) == 1


def _check_training(tier, folder):
    found = tier.store.readings("pump-1", healthy=True, newest=600, model_versions=[1], without=[(0, 5)])
    assert len(found) == 600
    assert len(np.unique(runs(found))) == 2  # apart where the flagged ones were
    signing_key = tier.settings.data_folder / "signing-key.pem"
    write_request(
        folder, tier.facts.device("pump-1"), found, version=2, seed=1, signing_key=signing_key, current_image=None
    )
    with np.load(folder / "readings.npz") as request:
        assert request["counts"][:, 1].tolist() == (found.sequences * 3).tolist()


def _check_measurements(bucket):
    every = "range(start: 2000-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)"
    at_end = bucket.query(
        f'from(bucket: "{bucket.bucket}") |> {every} |> filter(fn: (r) => r._measurement == "values" and '
        'r.asset == "acme/north/pump-1" and r.channel == "temperature" and r.unit == "°C") |> last()'
    )
    assert float(at_end[0]["_value"]) == 20.0 + 0.01 * (READINGS - 1)
    assert bucket.count("values", "value") == 2 * READINGS
    alarms = bucket.query(
        f'from(bucket: "{bucket.bucket}") |> {every} |> filter(fn: (r) => r._measurement == "alarms")'
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
    )
    states = {row["id"]: (row["active"], float(row["score"]), row["reason"]) for row in alarms}
    sentence = 'The mean of "current" is 6.0 healthy deviations above normal.'
    assert states == {"a-1": ("false", 1.9, sentence), "a-2": ("true", 1.7, sentence)}
    assert len(alarms) == 2
