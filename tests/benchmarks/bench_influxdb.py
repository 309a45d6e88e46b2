"""The InfluxDB store against the client's own way: points written, readings read, history of a million readings.

Ratios are of one run on one machine: both sides see the same server in the same minute. `make bench ARGS="-k influxdb"`
"""

import time

import numpy as np
import pytest
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_servers import VERSIONS, fresh_bucket

from cloud.storage.influxdb.layout import place_of, reading_lines, value_lines
from cloud.storage.influxdb.store import InfluxStore
from cloud.storage.influxdb.writing import REQUEST_LINES
from cloud.storage.port import Batch, Block
from cloud.storage.relational import Relations
from cloud.storage.settings import StoreSettings
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Birth, Data, Judged

CHANNELS = 8
BEGIN_NS = 1_700_000_000 * 10**9
MESSAGE_READINGS = 16
BATCH_MESSAGES = 500
MANY = 1_000_000
TRAINING = 200_000
COMPARED = 10_000


def birth(device: str) -> Birth:
    channels = tuple(Channel(f"channel-{index}", "°C", 20.0, 0.01) for index in range(CHANNELS))
    return Birth(DeviceProfile(device, "acme/north/pump-1", "slow", 1.0, channels), 1, 1, ("value",), 16, 1)


def blocks(device: str, readings: int, length: int = MESSAGE_READINGS) -> list[Block]:
    random = np.random.default_rng(1)
    made = []
    for sequence in range(0, readings, length):
        scores = random.random(length)
        data = Data(
            device, 1, sequence, 0, 0, 1, 0, BEGIN_NS + (sequence + np.arange(length)) * 10**9,
            (scores * 4096).astype(np.uint32), np.zeros(length, np.uint16),
            random.integers(-100_000, 100_000, (length, CHANNELS)).astype(np.int32), None,
        )  # fmt: skip
        flags = (scores > 0.99).astype(np.uint8)
        made.append(Block(data, Judged(b"", scores * 0.9, scores, flags, np.ones(length, np.uint16))))
    return made


def points_of(block: Block, described: Birth) -> list[Point]:
    """The same points as `reading_lines` and `value_lines`, made with the client's class."""
    made = []
    data, judged = block.data, block.judged
    channels = described.profile.channels
    for index, time_ns in enumerate(data.times_ns.tolist()):
        point = Point("readings").tag("asset", described.profile.asset).tag("device", data.device)
        point.field("boot", data.boot).field("sequence", data.sequence + index).field("time_ns", time_ns)
        point.field("stretch", 0).field("model_version", 1).field("present", 7).field("top_channel", 1)
        point.field("sensor_score", float(data.scores_q12[index]) / 4096.0)
        point.field("gateway_score", float(judged.gateway_scores[index])).field(
            "score", float(judged.fused_scores[index])
        )
        point.field("flagged", bool(judged.flags[index])).field("alarm", False)
        for number, count in enumerate(data.counts[index].tolist()):
            point.field(f"count_{number}", count)
        made.append(point.time(time_ns))
        for channel, count in zip(channels, data.counts[index].tolist(), strict=True):
            value = Point("values").tag("asset", described.profile.asset).tag("channel", channel.name)
            value.tag("device", data.device).tag("unit", channel.unit)
            made.append(value.field("value", channel.offset + channel.step * count).time(time_ns))
    return made


@pytest.fixture(params=VERSIONS)
def bucket(request):
    return fresh_bucket(request.param)


@pytest.fixture
def store(bucket, tmp_path):
    token = tmp_path / "token"
    token.write_text(bucket.token or "user:password")
    wish = StoreSettings(
        store="influxdb", influxdb_url=bucket.url, influxdb_organisation=bucket.organisation or "-",
        influxdb_bucket=bucket.bucket, influxdb_token_file=token, influxdb_timeout_seconds=60.0,
    )  # fmt: skip
    relations = Relations(tmp_path / "cloud")
    opened = InfluxStore(wish, relations, birth)
    yield opened
    opened.close()
    relations.close()


def client_of(bucket, **options) -> InfluxDBClient:
    return InfluxDBClient(bucket.url, bucket.token or "u:p", org=bucket.organisation or "-", timeout=60_000, **options)


def timed(action):
    begin = time.perf_counter()
    result = action()
    return time.perf_counter() - begin, result


def written_by(client, bucket, lines_of, made):
    writer = client.write_api(write_options=SYNCHRONOUS)
    waiting = []
    for block in made:
        waiting += lines_of(block)
        while len(waiting) >= REQUEST_LINES:
            writer.write(bucket.bucket, bucket.organisation or "-", waiting[:REQUEST_LINES])
            del waiting[:REQUEST_LINES]
    if waiting:
        writer.write(bucket.bucket, bucket.organisation or "-", waiting)


def test_writing(bucket, store):
    described, place = birth("points"), place_of("points", birth("points"))

    def ours(block):
        return [*reading_lines(block, 0, place), *value_lines(block, 0, place)]

    made = blocks("points", COMPARED)
    with client_of(bucket) as client, client_of(bucket, enable_gzip=True) as zipping:
        written_by(client, bucket, ours, made[:20])  # warm: the shard and the series are there
        points, _ = timed(lambda: written_by(client, bucket, lambda block: points_of(block, described), made))
        lines, _ = timed(lambda: written_by(client, bucket, ours, made))
        zipped, _ = timed(lambda: written_by(zipping, bucket, ours, made))
    batches = [
        Batch(tuple(part), (), (), 1)
        for part in np.array_split(np.array(blocks("appended", 4 * COMPARED), dtype=object), 5)
    ]
    appended, _ = timed(lambda: [store.append(batch) for batch in batches])
    print(f"\nInfluxDB {bucket.version}, readings of {CHANNELS} channels, 9 points each, synchronous:")
    print(f"  Point objects of the client  {COMPARED / points:9,.0f} readings/s")
    print(f"  our lines                    {COMPARED / lines:9,.0f} readings/s  ratio {points / lines:.2f}")
    print(f"  our lines, gzip              {COMPARED / zipped:9,.0f} readings/s  ratio {points / zipped:.2f}")
    print(f"  append, with the ledger      {4 * COMPARED / appended:9,.0f} readings/s")


def test_reading(bucket, store, monkeypatch):
    monkeypatch.setattr("cloud.storage.influxdb.store.value_lines", lambda *_: ())  # the million needs readings only
    filling, _ = timed(lambda: [store.append(Batch((block,), (), (), 1)) for block in blocks("pump-1", MANY, 4000)])
    training, found = timed(lambda: store.readings("pump-1", healthy=True, newest=TRAINING))
    assert len(found) == TRAINING
    first, last = store.span("pump-1")
    scores, buckets = timed(lambda: store.history("pump-1", first, last, 500))
    assert sum(part.readings for part in buckets) == MANY
    values, _ = timed(lambda: store.history("pump-1", first, last, 500, ("counts", 3)))
    hour, _ = timed(lambda: store.history("pump-1", last - 3600 * 10**9, last, 500, ("counts", 3)))
    page = 16_384
    ours, _ = timed(lambda: store.readings("pump-1", newest=page))
    flux = (
        f'from(bucket: "{bucket.bucket}")'
        f" |> range(start: time(v: {last - (page - 1) * 10**9}), stop: time(v: {last + 1}))"
        ' |> filter(fn: (r) => r._measurement == "readings" and r.device == "pump-1")'
    )
    with client_of(bucket) as client:
        records, tables = timed(lambda: client.query_api().query(flux))
    assert sum(len(table.records) for table in tables) >= (page - 2) * 18
    print(f"\nInfluxDB {bucket.version}, a device of {CHANNELS} channels with {MANY:,} readings:")
    print(f"  readings points written        {MANY / filling:9,.0f} readings/s")
    print(f"  {TRAINING:,} healthy for a training {training:8.2f} s")
    print(f"  {page:,} readings: ours {ours:.2f} s, the client's records {records:.2f} s, ratio {records / ours:.1f}")
    print(f"  history of all, 500 points     {scores:8.2f} s, with a channel {values:.2f} s; of an hour {hour:.2f} s")
