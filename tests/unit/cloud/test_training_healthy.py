"""What a training is given: stored readings without the faults that the alarms of an asset tell of."""

import numpy as np
import pytest

from cloud.jobs.healthy import margin_ns, unhealthy_spans
from cloud.storage.facts import Fact, Source
from cloud.storage.port import Batch
from cloud.storage.relational import AlarmRow, DeviceRow
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Alarm, Birth

SECOND_NS = 1_000_000_000
BEGIN_NS = 3600 * SECOND_NS  # of the readings of `block`
CHANNELS = tuple(Channel(name, "", 1.0, 0.5) for name in ("a", "b", "c"))


@pytest.fixture
def asset(tier, block):
    """Two devices on one asset and one on another, 2,000 s each at 1 Hz, all of them flagged at 1,900 s."""
    scores = np.full(2000, 0.5)
    scores[1900] = 1.0  # flagged, and no alarm
    for device, name in (("pump-1", "acme/pump-1"), ("pump-1-fast", "acme/pump-1"), ("fan-7", "acme/fan-7")):
        profile = DeviceProfile(device, name, "slow", 1.0, CHANNELS)
        tier.facts.apply([Fact(Source("g", 1, 0), Birth(profile, 1, 2, ("f",), 8, 1), 1)])
        tier.store.append(Batch((block(device, count=2000, scores=scores),), (), (), 1))
    return tier


def alarm(asset, identifier, begin, end, device="pump-1-fast", name="acme/pump-1"):
    """An alarm from second `begin` to second `end` of the readings."""
    end_ns = None if end is None else BEGIN_NS + end * SECOND_NS
    told = Alarm(identifier, name, device, BEGIN_NS + begin * SECOND_NS, end_ns, 2.5, False, ())
    asset.facts.apply([Fact(Source("g", 1, 1), told, 1)])


def trained_on(asset, device):
    """Sequences that a training of `device` would get."""
    spans = asset.trainings._unhealthy(asset.facts.device(device))
    return asset.store.readings(device, healthy=True, without=spans).sequences.tolist()


def test_without_an_alarm_only_flagged_readings_are_left_out(asset):
    assert trained_on(asset, "pump-1") == [*range(1900), *range(1901, 2000)]


def test_an_alarm_takes_its_span_and_what_came_before_from_every_device_of_the_asset(asset):
    alarm(asset, "one", 1000, 1100)
    for device in ("pump-1", "pump-1-fast"):
        assert trained_on(asset, device) == [*range(700), *range(1101, 1900), *range(1901, 2000)]
    assert len(trained_on(asset, "fan-7")) == 1999


def test_an_alarm_that_lasts_takes_everything_since(asset):
    alarm(asset, "one", 1000, 1100)
    alarm(asset, "two", 1200, None)
    assert trained_on(asset, "pump-1") == [*range(700)]
    alarm(asset, "two", 1200, 1250)
    assert trained_on(asset, "pump-1") == [*range(700), *range(1251, 1900), *range(1901, 2000)]


def test_an_alarm_of_the_device_counts_under_its_earlier_asset_too(asset):
    alarm(asset, "one", 400, 500, device="pump-1", name="acme/elsewhere")
    assert trained_on(asset, "pump-1")[:101] == [*range(100), 501]
    assert trained_on(asset, "pump-1-fast")[:101] == [*range(101)]


def test_more_alarms_than_the_console_shows_are_all_heeded(asset):
    for number in range(1100):
        alarm(asset, f"alarm-{number}", 1_000_000 + number, 1_000_000 + number)
    alarm(asset, "the oldest", 1000, 1100)
    assert trained_on(asset, "pump-1")[700] == 1101


def test_the_job_fails_in_one_sentence_when_nothing_is_left(asset):
    alarm(asset, "one", 100, None)
    job = asset.trainings.ask("pump-1")
    with pytest.raises(Exception, match=r"No healthy reading of device pump-1 .* the alarms of asset acme/pump-1"):
        asset.trainings._run(job)


@pytest.mark.parametrize(
    ("devices", "seconds"),
    [([], 300), ([(1.0, 1)], 300), ([(1.0, 1), (0.1, 1)], 500), ([(20_000.0, 4096)], 300), ([(256.0, 2048)], 400)],
)
def test_the_margin_is_the_longer_of_300_seconds_and_50_readings(devices, seconds):
    assert margin_ns(DeviceRow(sample_rate_hz=rate, hop=hop) for rate, hop in devices) == seconds * SECOND_NS


def test_spans_are_in_order_apart_and_within_64_bits():
    times = [(500, 600), (100, 200), (150, 160), (590, 700), (-(2**63), -(2**63)), (2**63 - 5, None)]
    alarms = [AlarmRow(begin_ns=begin, end_ns=end) for begin, end in times]
    assert unhealthy_spans(alarms, 10) == [
        (-(2**63), -(2**63)), (90, 200), (490, 700), (2**63 - 15, 2**63 - 1),
    ]  # fmt: skip
    assert unhealthy_spans([], 10) == []
