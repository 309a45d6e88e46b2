"""A small plant written by the product's own store, whose every number a reader can check by hand.

One hour from `START`, a reading every 10 s (sequence n at `START` + 10 n + 3 s, never on the edge of a window):

- `PUMP` has ``feed-process`` (temperature, and a level without a unit): fused score 0.5, sensor 0.25, gateway 0.5,
  one peak of 3.0 with sensor 2.0 at n = 100, in alarm for n = 200..209; and ``feed-vibration``, not judged yet.
- `FAN` has ``fan-process``: score 0.75, model version 2 from n = 90 on, silent after n = 179 (half an hour).
- `OLD` has ``old-process``: one reading 40 days before.
- Alarms: `PUMP` since n = 200 (lasts, provisional); `FAN` from 600 s before `START` until n = 30; `FAN` long ago.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from influxdb_servers import Bucket

from cloud.storage.influxdb.store import InfluxStore
from cloud.storage.port import Batch, Block
from cloud.storage.relational import Relations
from cloud.storage.settings import StoreSettings
from shared.identity import Channel, DeviceProfile
from shared.messages import compact
from shared.messages.codec import ALARM, FLAGGED, Alarm, Birth, Data, Judged, Reason

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STOP = START + timedelta(hours=1)
#: Every character that a pattern, a path or a text could stumble over.
PUMP = 'acme/north "hall"/line 1/pump+1 (\xf6l) [$a] \\w'
FAN = "acme/north/line-2/fan"
OLD = "acme/south/old"
READINGS = 360
PEAK, ALARM_AT, FAN_READINGS, NEW_MODEL = 100, 200, 180, 90
REASON = "temperature is 8.1 healthy deviations above normal."
_BOOT = 3


def moment(number: int) -> datetime:
    """When reading `number` was taken."""
    return START + timedelta(seconds=10 * number + 3)


def write_plant(bucket: Bucket, folder: Path) -> None:
    """Write the plant into an empty bucket."""
    token = folder / "token"
    token.write_text(bucket.token)
    settings = StoreSettings(
        store="influxdb",
        influxdb_url=bucket.url,
        influxdb_organisation=bucket.organisation,
        influxdb_bucket=bucket.bucket,
        influxdb_token_file=token,
    )
    births = {birth.profile.device: birth for birth in _births()}
    store = InfluxStore(settings, Relations(folder), births.get)
    try:
        store.append(Batch(tuple(_blocks()), (), (), 0, alarms=tuple(_alarms())))
    finally:
        store.close()


def _births() -> list[Birth]:
    temperature = Channel("temperature", "degC", 20.0, 0.01)
    level = Channel("level", "", 0.0, 1.0)
    return [
        _birth("feed-process", PUMP, "slow", (temperature, level), ()),
        _birth("feed-vibration", PUMP, "fast", (Channel("x", "g", 0.0, 1.0),), ("x level", "x crest")),
        _birth("fan-process", FAN, "slow", (temperature,), ()),
        _birth("old-process", OLD, "slow", (temperature,), ()),
    ]


def _birth(device: str, asset: str, kind: str, channels: tuple[Channel, ...], features: tuple[str, ...]) -> Birth:
    return Birth(DeviceProfile(device, asset, kind, 0.1, channels), _BOOT, 1, features, 16, 1)


def _blocks() -> list[Block]:
    numbers = np.arange(READINGS)
    feed = np.full(READINGS, 0.5)
    feed[PEAK] = 3.0
    sensor = np.full(READINGS, 0.25)
    sensor[PEAK] = 2.0
    flags = np.where(feed >= 1.0, FLAGGED, 0)
    flags[ALARM_AT : ALARM_AT + 10] |= ALARM
    # A temperature of 20 degrees, 30 at one reading and 10 at another; the level counts the readings.
    counts = np.stack([np.zeros(READINGS), numbers], axis=1).astype(np.int32)
    counts[50, 0], counts[55, 0] = 1000, -1000
    unjudged = np.full(READINGS, np.nan)
    fan = np.full(FAN_READINGS, 0.75)
    return [
        _block("feed-process", moment(0), feed, feed, sensor, flags, counts=counts, top=1),
        _block("feed-vibration", moment(0), unjudged, unjudged, unjudged, 0, features=np.full((READINGS, 2), 64)),
        *(
            _block(
                "fan-process", moment(first), fan[part], fan[part], fan[part], 0,
                counts=np.zeros((90, 1)), sequence=first, model=model,
            )
            for model, first, part in ((1, 0, slice(0, NEW_MODEL)), (2, NEW_MODEL, slice(NEW_MODEL, None)))
        ),
        _block(
            "old-process", START - timedelta(days=40), fan[:1], fan[:1], fan[:1], 0, counts=np.zeros((1, 1)),
        ),
    ]  # fmt: skip


def _block(
    device: str,
    begin: datetime,
    scores: np.ndarray,
    gateway: np.ndarray,
    sensor: np.ndarray,
    flags: np.ndarray | int,
    *,
    counts: np.ndarray | None = None,
    features: np.ndarray | None = None,
    sequence: int = 0,
    model: int = 1,
    top: int = compact.NO_FEATURE,
) -> Block:
    length = len(scores)
    times = _ns(begin) + 10_000_000_000 * np.arange(length, dtype=np.int64)
    q12 = np.where(np.isnan(sensor), compact.NO_SCORE, np.nan_to_num(sensor) * 4096).astype(np.uint32)
    data = Data(
        device, _BOOT, sequence, 0, 0, model, 0, times, q12, np.zeros(length, np.uint16),
        None if counts is None else counts.astype(np.int32), None if features is None else features.astype(np.int16),
    )  # fmt: skip
    judged = Judged(
        b"", gateway, scores, np.broadcast_to(np.uint8(flags), (length,)).astype(np.uint8),
        np.full(length, top, np.uint16),
    )  # fmt: skip
    return Block(data, judged)


def _alarms() -> list[Alarm]:
    reason = (Reason("temperature", "value", 8.1, REASON),)
    ago = timedelta(seconds=600)
    return [
        Alarm("a1", PUMP, "feed-process", _ns(moment(ALARM_AT)), None, 3.5, True, reason),
        Alarm("a2", FAN, "fan-process", _ns(START - ago), _ns(moment(30)), 1.5, False, reason),
        Alarm("a3", FAN, "fan-process", _ns(START - 9 * ago), _ns(START - 8 * ago), 2.5, False, reason),
    ]


def _ns(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000_000
