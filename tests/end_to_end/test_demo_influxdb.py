"""The demo on a real InfluxDB: everything is there once, and the stored scores follow bit for bit from the stored
readings."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import demo_run
import influxdb_servers
import numpy as np
import pytest
from grafana_engine import frames, put_in, queries_of
from grafana_shape import check_shape
from influxdb_servers import Bucket
from numpy.typing import NDArray

from cloud.grafana.dashboards import dashboards
from cloud.grafana.queries import QUERIES
from cloud.registry.models import ModelRegistry
from cloud.settings import CloudSettings
from cloud.storage.choice import open_store
from cloud.storage.facts import FactStore
from cloud.storage.port import ReadingStore, StoredReadings
from cloud.storage.relational import Relations
from cloud.storage.settings import StoreSettings
from firmware.host.sensor import birth_of
from firmware.micropython.device import Device
from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY
from gateway.judgement import DeviceJudge
from shared import model_image
from shared.identity import SLOW, DeviceProfile
from shared.messages import codec, compact
from shared.quantized.scorer import Scorer
from tocsin.demo.influxdb import BUCKET, ORGANISATION
from tocsin.servers.influxdb import InfluxServer

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_demo_stores_everything_once_and_its_scores_can_be_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = influxdb_servers.require_influxdb("2.7.12")
    monkeypatch.setenv("TOCSIN_STORE", "influxdb")
    monkeypatch.delenv("TOCSIN_INFLUXDB_URL", raising=False)
    folder = tmp_path / "demo"
    finished, summary = demo_run.run_demo(folder)
    assert finished.returncode == 0, finished.stdout
    assert summary["produced"] == summary["stored"] >= 5400
    assert summary["lost"] == 0
    assert summary["false_alarms"] == 0
    assert summary["first_alarm_delay_seconds"] is not None
    assert min(summary["new_model"].values()) >= 2  # the gate may refuse a candidate first
    produced = demo_run.produced_readings(folder)
    with InfluxServer(folder / "influxdb", binary=binary) as server:
        storage = StoreSettings(
            store="influxdb",
            influxdb_url=server.url,
            influxdb_organisation=ORGANISATION,
            influxdb_bucket=BUCKET,
            influxdb_token_file=folder / "influxdb" / "token",
        )
        relations = Relations(folder / "cloud")
        facts = FactStore(relations)
        store = open_store(CloudSettings(data_folder=folder / "cloud"), storage, relations, facts)
        try:
            registry = ModelRegistry(relations, folder / "cloud" / "models")
            spans = [store.span(device) or (0, 0) for device in produced]
            span = (min(first for first, _ in spans), max(last for _, last in spans))
            for device, readings in produced.items():
                assert store.counts(device) == (len(readings), len(readings))
                asset = facts.device(device).asset
                others = {row.device for row in facts.devices() if row.asset == asset} - {device}
                _scores_follow_from_readings(store, registry, folder / "fleet" / device, _alone_until(store, others))
        finally:
            store.close()
            relations.close()
        token = (folder / "influxdb" / "token").read_text().strip()
        _dashboards_show_it(Bucket(server.url, ORGANISATION, BUCKET, token, "2.7.12"), span)


def _dashboards_show_it(bucket: Bucket, span: tuple[int, int]) -> None:
    """Every query of the built dashboards returns something of the demo, in the columns that its panel expects."""
    known = {query().flux: query() for query in QUERIES.values()}
    start, stop = (datetime.fromtimestamp(time_ns / 1e9, UTC) for time_ns in span)
    for dashboard in dashboards().values():
        names = {variable["name"] for variable in dashboard["templating"]["list"]}
        chosen = {"asset": ".*", "device": ".*", "silent_after": "5m"}
        for asked in queries_of(dashboard):
            flux = put_in(
                asked,
                {name: value for name, value in chosen.items() if name in names},
                start - timedelta(seconds=1),
                stop + timedelta(seconds=1),
                bucket.bucket,
            )
            found = frames(bucket, flux)
            check_shape(found, known[asked.flux], asked.where)
            assert any(column for frame in found for column in frame.columns.values()), asked.where


def _alone_until(store: ReadingStore, others: set[str]) -> int:
    """A time, ns, before any other device of the asset was in alarm: from then on a device does not learn."""
    stored = [store.readings(device) for device in others]
    alarms = [int(readings.times_ns[readings.alarm].min()) for readings in stored if readings.alarm.any()]
    return min(alarms, default=2**63 - 1) - 60 * 10**9


def _scores_follow_from_readings(store: ReadingStore, registry: ModelRegistry, folder: Path, until_ns: int) -> None:
    """Judge what is stored once more, from the first reading, by the deployed code; scores agree before `until_ns`."""
    device = folder.name
    stored = store.readings(device)
    profile = codec.decode_birth((folder / "profile.cbor").read_bytes()).profile
    images = {version: _image(registry, device, version) for version in np.unique(stored.model_versions).tolist()}
    healthy = int(np.searchsorted(stored.times_ns, stored.times_ns[0] + 600 * 10**9))
    judge = DeviceJudge(birth_of(profile, 1, images[1]), healthy, false_alarms_per_day=DEFAULT_FALSE_ALARMS_PER_DAY)
    messages = _messages(profile, images, stored)
    gateway, fused = np.full(len(stored.scores), np.nan), np.full(len(stored.scores), np.nan)
    sensor = np.concatenate([message.scores() for message in messages])
    for message in messages:
        verdict = judge.take(message)
        here = slice(message.sequence, message.sequence + len(message))
        gateway[here], fused[here] = verdict.gateway_scores, verdict.fused_scores
        for rescore in verdict.rescores:
            before = slice(rescore.sequence, rescore.sequence + len(rescore.fused_scores))
            gateway[before], fused[before] = rescore.gateway_scores, rescore.fused_scores
    assert np.isfinite(fused).sum() > 500
    assert sensor.tobytes() == stored.sensor_scores.tobytes()
    alone = stored.times_ns < until_ns
    assert alone.sum() > 500
    assert gateway[alone].tobytes() == stored.gateway_scores[alone].tobytes()
    assert fused[alone].tobytes() == stored.scores[alone].tobytes()
    assert (fused[alone] >= 1.0).tolist() == stored.flagged[alone].tolist()


def _image(registry: ModelRegistry, device: str, version: int) -> model_image.ImageContent:
    return model_image.read(registry.image(device, version))


def _messages(
    profile: DeviceProfile, images: dict[int, model_image.ImageContent], stored: StoredReadings
) -> list[codec.Data]:
    """The data messages that a device makes of what is stored: of counts by its own code, of features by its model."""
    if profile.kind == SLOW:
        encoded: list[bytes] = []
        twin = Device(
            profile.device,
            1,
            images[1],
            lambda _s, _n, head, tail: encoded.append(head + compact.data_oldest(0) + tail),
        )
        assert stored.counts is not None
        for time_ns, counts in zip(stored.times_ns.tolist(), stored.counts.tolist(), strict=True):
            twin.push_row(time_ns, counts)
        twin.close_message()
        return [codec.decode_data(message) for message in encoded]
    assert stored.features is not None
    scorers = {version: Scorer(image) for version, image in images.items()}
    judged = [
        scorers[version].score(features)
        for version, features in zip(stored.model_versions.tolist(), stored.features.tolist(), strict=True)
    ]
    scores: NDArray[np.uint32] = np.array([score for score, _ in judged], np.uint32)
    tops: NDArray[np.uint16] = np.array([top for _, top in judged], np.uint16)
    return [
        codec.Data(
            profile.device, 1, index, 0, int(stored.stretches[index]), int(stored.model_versions[index]), 0,
            stored.times_ns[index : index + 1], scores[index : index + 1], tops[index : index + 1],
            None, stored.features[index : index + 1],
        )
        for index in range(len(scores))
    ]  # fmt: skip
