"""What every store of readings promises, checked on each: embedded, and the real InfluxDB 2.7 and 1.8."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influxdb_servers import VERSIONS, fresh_bucket
from stored_blocks import SECOND_NS, make_birth, make_block

from cloud.storage.embedded import EmbeddedStore
from cloud.storage.influxdb.store import InfluxStore
from cloud.storage.port import Batch, Block, Mark
from cloud.storage.relational import Relations
from cloud.storage.settings import StoreSettings
from shared.identity import MISSING
from shared.messages import compact
from shared.messages.codec import Data, Judged, Rescore, encode_data

pytestmark = pytest.mark.services
NUMBERS = itertools.count(1)
DEVICES = ("pump-1", "fan-7")


class Case:
    """One kind of store: opened, closed and opened again. Devices are numbered, so that tests can share a bucket."""

    def __init__(self, kind, folder, bucket=None):
        self.kind, self.folder, self.bucket = kind, folder, bucket
        self.births = {}
        self.store = None

    def open(self):
        assert self.store is None
        if self.bucket is None:
            self.store = EmbeddedStore(self.folder, hot_readings=200)
            return self.store
        token = self.folder.with_suffix(".token")
        token.write_text(self.bucket.token or "user:password")
        self.relations = Relations(self.folder)
        wish = StoreSettings(
            store="influxdb",
            influxdb_url=self.bucket.url,
            influxdb_organisation=self.bucket.organisation or "-",
            influxdb_bucket=self.bucket.bucket,
            influxdb_token_file=token,
        )
        self.store = InfluxStore(wish, self.relations, self.births.get)
        return self.store

    def close(self):
        if self.store is not None:
            self.store.close()
            self.store = None
            if self.bucket is not None:
                self.relations.close()

    def again(self):
        self.close()
        return self.open()

    def fresh(self):
        """Another store with nothing in its ledger; the devices of a test's examples differ in their names."""
        self.close()
        self.folder = self.folder.with_name(f"store-{next(NUMBERS)}")
        return self.open()


@pytest.fixture(scope="module", params=["embedded", *VERSIONS])
def place(request):
    """Kind, and a bucket for all tests of this file."""
    return request.param, None if request.param == "embedded" else fresh_bucket(request.param)


@pytest.fixture
def case(place, tmp_path):
    opened = Case(place[0], tmp_path / "store", place[1])
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def store(case):
    return case.store


@pytest.fixture
def pump(case):
    """A device that no other test has."""
    device = f"pump-{next(NUMBERS)}"
    case.births[device] = make_birth(device)
    return device


def append(store, *blocks, rescores=(), marks=(), received_ns=1):
    store.append(Batch(tuple(blocks), tuple(rescores), tuple(marks), received_ns))


def rescore_of(device, sequence, count, value):
    return Rescore(
        device, 1, sequence, np.full(count, value / 2), np.full(count, value),
        np.full(count, int(value >= 1), np.uint8), np.full(count, 0xFFFF, np.uint16),
    )  # fmt: skip


def assert_equal(found, blocks):
    """Every bit of the readings of `blocks`, which are in order of boot and sequence."""
    data, judged = [block.data for block in blocks], [block.judged for block in blocks]

    def bits(values):
        return np.ascontiguousarray(values).view(np.uint64).tolist()

    assert found.times_ns.tolist() == [time for item in data for time in item.times_ns.tolist()]
    assert found.boots.tolist() == [item.boot for item in data for _ in range(len(item))]
    assert found.sequences.tolist() == [item.sequence + index for item in data for index in range(len(item))]
    assert found.stretches.tolist() == [item.stretch for item in data for _ in range(len(item))]
    assert found.model_versions.tolist() == [item.model_version for item in data for _ in range(len(item))]
    sensor = np.concatenate([item.scores() for item in data])
    assert np.array_equal(found.sensor_scores, sensor, equal_nan=True)
    for values, wanted in (
        (found.gateway_scores, np.concatenate([item.gateway_scores for item in judged])),
        (found.scores, np.concatenate([item.fused_scores for item in judged])),
    ):
        assert np.array_equal(np.isnan(values), np.isnan(wanted))
        assert bits(values[~np.isnan(values)]) == bits(wanted[~np.isnan(wanted)])
    flags = np.concatenate([item.flags for item in judged])
    assert found.flagged.tolist() == ((flags & 1) != 0).tolist()
    assert found.alarm.tolist() == ((flags & 2) != 0).tolist()
    if data[0].counts is not None:
        assert found.counts.dtype == np.int32
        assert np.array_equal(found.counts, np.concatenate([item.counts for item in data]))
        assert found.features is None
    else:
        assert found.features.dtype == np.int16
        assert np.array_equal(found.features, np.concatenate([item.features for item in data]))
        assert found.counts is None


def test_what_was_appended_is_read_back_exactly_also_after_opening_again(case, store, pump):
    fan = f"fan-{next(NUMBERS)}"
    case.births[fan] = make_birth(fan, "acme/north/fan", "fast")
    first, second = make_block(pump), make_block(pump, 16, boot=2, stretch=3)
    fast = make_block(fan, kind="fast", count=5)
    append(store, first, fast, second, marks=[Mark("g", 7, 3, 3)], received_ns=99)
    for found in (store, case.again()):
        assert_equal(found.readings(pump), [first, second])
        assert_equal(found.readings(fan), [fast])
        assert found.marks() == (Mark("g", 7, 3, 3),)
        assert found.span(pump) == (first.data.times_ns[0], second.data.times_ns[-1])
        assert found.span("nobody") is None
        latest = found.latest(pump)
        assert (latest.boot, latest.next_sequence, latest.stored, latest.lost) == (2, 32, 16, 16)
        assert latest.score == second.judged.fused_scores[-1]
        assert [position.boot for position in found.positions(pump)] == [1, 2]
        assert len(found.readings("nobody")) == 0
        assert found.counts("nobody") == (0, 0)
        assert found.refused().points == 0


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
SCORES = st.one_of(FINITE, st.just(math.nan), st.sampled_from([-0.0, 5e-324, 2.2250738585072014e-308, 1e308, 0.1]))
COUNTS = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([MISSING, 2**31 - 1, -(2**31) + 1, 0]))
TIMES = st.one_of(
    st.integers(-(2**45), 2**45), st.sampled_from([0, -1, 2**20 - 1, 2**20, 1_700_000_000 * SECOND_NS, -(2**62), 2**62])
)

Q12 = st.one_of(st.integers(0, 2**32 - 1), st.just(compact.NO_SCORE))


@st.composite
def blocks_of(draw):
    """A few consecutive readings that hold anything that a reading may hold."""
    count = draw(st.integers(1, 12))
    rows = st.lists(st.lists(COUNTS, min_size=2, max_size=2), min_size=count, max_size=count)
    column = st.lists(SCORES, min_size=count, max_size=count)
    data = Data(
        device="",
        boot=draw(st.sampled_from([0, 1, 2**31, 2**40])),
        sequence=draw(st.sampled_from([0, 5, 2**33, 2**62])),
        oldest=0,
        stretch=draw(st.integers(0, 2**31)),
        model_version=draw(st.integers(0, 2**31)),
        clipped=0,
        times_ns=np.array(draw(st.lists(TIMES, min_size=count, max_size=count)), np.int64),
        scores_q12=np.array(
            draw(st.lists(Q12, min_size=count, max_size=count)), np.uint32
        ),
        tops=np.zeros(count, np.uint16),
        counts=np.array(draw(rows), np.int32),
        features=None,
    )  # fmt: skip
    judged = Judged(
        b"", np.array(draw(column)), np.array(draw(column)),
        np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), np.uint8),
        np.array(draw(st.lists(st.sampled_from([0, 1, 0xFFFF]), min_size=count, max_size=count)), np.uint16),
    )  # fmt: skip
    return data, judged


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=blocks_of())
def test_any_reading_comes_back_bit_for_bit(case, content):
    device = f"any-{next(NUMBERS)}"
    data = replace(content[0], device=device)
    block = Block(data, replace(content[1], data=encode_data(data)))
    append(case.store, block)
    assert case.store.counts(device) == (len(data), len(data))
    assert_equal(case.store.readings(device), [block])
    first, last = case.store.span(device)
    assert (first, last) == (data.times_ns.min(), data.times_ns.max())
    assert case.store.refused().points == 0


def test_the_same_batch_again_adds_nothing(case, store, pump):
    batch = Batch((make_block(pump), make_block(pump, 16)), (), (), 1)
    store.append(batch)
    store.append(batch)
    assert store.counts(pump) == (32, 32)
    again = case.again()
    again.append(batch)
    append(again, make_block(pump, 24), received_ns=2)
    assert again.counts(pump) == (40, 40)
    assert again.latest(pump).duplicates == 32 + 32 + 8


def test_a_kill_between_the_readings_and_the_marks_makes_no_double(case, store, pump, monkeypatch):
    def killed(*_arguments):
        raise KeyboardInterrupt

    append(store, make_block(pump), marks=[Mark("g", 7, 1, 1)])
    commit = "cloud.storage.embedded._upsert" if case.kind == "embedded" else "cloud.storage.ledger.Ledger.commit"
    with monkeypatch.context() as patch:
        patch.setattr(commit, killed)
        with pytest.raises(KeyboardInterrupt):
            append(store, make_block(pump, 16), make_block(pump, 0, boot=2), marks=[Mark("g", 7, 3, 3)])
    # Meanwhile the device was given to another asset: what was written must not be written elsewhere.
    case.births[pump] = make_birth(pump, "acme/south/pump-9", names=("a", "b", "c"))
    again = case.again()
    assert again.marks() == (Mark("g", 7, 1, 1),)
    assert again.latest(pump).next_sequence == 16
    assert len(again.readings(pump)) == 16
    append(again, make_block(pump, 16), make_block(pump, 0, boot=2), marks=[Mark("g", 7, 3, 3)])
    assert_equal(again.readings(pump), [make_block(pump, 0, 32), make_block(pump, 0, boot=2)])
    assert again.counts(pump) == (48, 48)
    assert again.latest(pump).duplicates == 0


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 80), st.integers(1, 20)), max_size=4), max_size=8
    )
)
def test_no_order_of_deliveries_makes_a_double(case, pieces):
    device = f"order-{next(NUMBERS)}"
    for number, batch in enumerate(pieces):
        blocks = [make_block(device, sequence, count, boot=boot) for boot, sequence, count in batch]
        append(case.store, *blocks, received_ns=number)
    stored, distinct = case.store.counts(device)
    assert stored == distinct == sum(position.stored for position in case.store.positions(device))
    found = case.store.readings(device)
    assert len(found) == stored
    if found.counts is not None:
        assert np.array_equal(found.counts[:, 0], found.sequences * 1000)


def test_boots_with_the_same_times_and_sequences_stay_apart(store, pump):
    blocks = [make_block(pump, 0, 50, boot=boot, begin_ns=0) for boot in range(1, 9)]
    append(store, *blocks)
    assert store.counts(pump) == (400, 400)
    assert_equal(store.readings(pump), blocks)


def test_readings_with_one_time_stamp_stay_apart(store, pump):
    blocks = [make_block(pump, sequence, 500, step_ns=0) for sequence in range(0, 3000, 500)]
    append(store, *blocks)
    assert store.counts(pump) == (3000, 3000)
    assert_equal(store.readings(pump), blocks)
    buckets = store.history(pump, 0, 2**62, 10)
    assert [bucket.readings for bucket in buckets] == [3000]


def test_a_rescore_reaches_readings_of_this_and_of_earlier_batches_and_the_latest(case, store, pump):
    for number in range(12):
        append(store, make_block(pump, 16 * number, scored=False), received_ns=number)
    assert store.latest(pump).score is None
    append(store, make_block(pump, 192, scored=False), rescores=[rescore_of(pump, 8, 200, 1.25)])
    for opened in (store, case.again()):
        found = opened.readings(pump)
        assert np.isnan(found.scores[:8]).all()
        assert (found.scores[8:] == 1.25).all()
        assert (found.gateway_scores[8:] == 0.625).all()
        assert found.flagged[8:].all()
        assert not found.flagged[:8].any()
        assert (found.sensor_scores == (np.arange(208) % 9000) / 4096.0).all()
        assert opened.latest(pump).score == 1.25
        assert opened.latest(pump).top_channel is None
        assert opened.counts(pump) == (208, 208)


def test_a_rescore_without_a_score_takes_one_away(store, pump):
    append(store, make_block(pump))
    append(store, rescores=[rescore_of(pump, 4, 12, math.nan)])
    found = store.readings(pump)
    assert np.isnan(found.scores).tolist() == [False] * 4 + [True] * 12
    assert np.isnan(found.gateway_scores).tolist() == [False] * 4 + [True] * 12
    assert not np.isnan(found.sensor_scores).any()
    buckets = store.history(pump, *store.span(pump), 100)
    assert [bucket.score_max is None for bucket in buckets] == [False] * 4 + [True] * 12


@pytest.fixture(params=["fetched", "in windows"])
def way(request, monkeypatch):
    """How InfluxDB's history comes about; the embedded store has one way only."""
    if request.param == "in windows":
        monkeypatch.setattr("cloud.storage.influxdb.history.FETCHED_READINGS", 0)


@pytest.mark.usefixtures("way")
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(peak=st.integers(0, 999), points=st.integers(1, 400), gap=st.integers(1, 10**12))
def test_history_hides_no_peak_and_keeps_to_its_points(case, peak, points, gap):
    device = f"peak-{next(NUMBERS)}"
    scores = np.full(1000, 0.25)
    scores[peak] = 7.5
    parts = [make_block(device, s, 250, scores=scores[s : s + 250], step_ns=gap) for s in range(0, 1000, 250)]
    append(case.store, *parts)
    first, last = case.store.span(device)
    buckets = case.store.history(device, first, last, points, ("counts", 1))
    assert len(buckets) <= points
    assert sum(bucket.readings for bucket in buckets) == 1000
    assert max(bucket.score_max for bucket in buckets) == 7.5
    assert sum(bucket.score_mean * bucket.readings for bucket in buckets) == pytest.approx(0.25 * 999 + 7.5)
    assert min(bucket.value_min for bucket in buckets) == 1
    assert max(bucket.value_max for bucket in buckets) == 999_001
    assert sum(bucket.flagged for bucket in buckets) == 1
    assert sum(bucket.alarm for bucket in buckets) == 1
    assert [b.time_ns for b in buckets] == sorted(b.time_ns for b in buckets)
    holder = next(b for b, after in itertools.zip_longest(buckets, buckets[1:]) if b.score_max == 7.5)
    assert holder.time_ns <= first + peak * gap
    assert holder.alarm


@pytest.mark.usefixtures("way")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.tuples(st.integers(-5, 405), st.integers(-5, 405)), points=st.integers(1, 40), shift=st.integers(0, 10**7)
)
def test_history_counts_what_lies_between_the_times_and_nothing_else(case, cuts, points, shift):
    device = f"cut-{next(NUMBERS)}"
    begin, gap = 10**18 + shift, 700_001  # about three readings in two milliseconds
    items = [make_block(device, s, 100, begin_ns=begin, step_ns=gap) for s in range(0, 400, 100)]
    items[1].data.counts[7, 2] = MISSING
    items[3].data.counts[:, 2] = MISSING
    append(case.store, *items)
    first, last = (begin + cut * gap for cut in sorted(cuts))
    buckets = case.store.history(device, first, last, points, ("counts", 2))
    wanted = [number for number in range(400) if first <= begin + number * gap <= last]
    assert sum(bucket.readings for bucket in buckets) == len(wanted)
    assert len(buckets) <= points
    times = [bucket.time_ns for bucket in buckets]
    assert times == sorted(set(times))
    assert set(times) <= {begin + number * gap for number in wanted}
    if wanted:
        assert times[0] == begin + wanted[0] * gap
        scores = [(number * 7919 % 1000) / 1000.0 for number in wanted]
        assert max(bucket.score_max for bucket in buckets) == max(scores)
        assert min(bucket.score_min for bucket in buckets) == min(scores)
    values = [number * 1000 + 2 for number in wanted if number < 300 and number != 107]
    assert max((b.value_max for b in buckets if b.value_max is not None), default=None) == max(values, default=None)
    assert min((b.value_min for b in buckets if b.value_min is not None), default=None) == min(values, default=None)
    middle = [b for b in buckets if b.value_mean is not None]
    assert all(b.value_min <= b.value_mean <= b.value_max for b in middle)


def test_history_shows_single_readings_when_they_are_few_and_nothing_outside_the_times(store, pump):
    item = make_block(pump, count=10)
    item.data.counts[4, 0] = MISSING
    append(store, item)
    times = item.data.times_ns
    buckets = store.history(pump, times[3], times[6], 100, ("counts", 0))
    assert [bucket.readings for bucket in buckets] == [1, 1, 1, 1]
    assert [bucket.value_mean for bucket in buckets] == [3000.0, None, 5000.0, 6000.0]
    assert store.history(pump, 0, 5, 100) == ()
    assert store.history(pump, times[0], times[9], 5, ("counts", 99))[0].value_min is None
    assert [b.readings for b in store.history(pump, times[3] + 1, times[5] - 1, 100)] == [1]


def test_healthy_readings_leave_out_alarms_and_newest_keeps_the_last(store, pump):
    scores = np.linspace(0.0, 3.0, 100)
    append(store, make_block(pump, count=100, scores=scores))
    healthy = store.readings(pump, healthy=True)
    assert healthy.scores.max() < 1.0
    assert len(healthy) == int((scores < 1.0).sum())
    assert store.readings(pump, newest=7).sequences.tolist() == list(range(93, 100))
    assert store.readings(pump, healthy=True, newest=3).sequences.tolist() == [30, 31, 32]
    assert len(store.readings(pump, newest=0)) == 0


def test_model_versions_and_boots_are_chosen_from(store, pump):
    blocks = []
    for boot, version in ((1, 2), (2, 5), (3, 2)):
        item = make_block(pump, boot=boot, count=20)
        blocks.append(Block(replace(item.data, model_version=version), item.judged))
    append(store, *blocks)
    assert_equal(store.readings(pump, model_versions=[2]), [blocks[0], blocks[2]])
    assert_equal(store.readings(pump, model_versions=[5, 9]), [blocks[1]])
    assert len(store.readings(pump, model_versions=[])) == 0
    assert store.readings(pump, newest=25).boots.tolist() == [2] * 5 + [3] * 20


def test_spans_leave_out_their_first_and_last_reading(store, pump):
    items = [make_block(pump, sequence, 40) for sequence in range(0, 200, 40)]
    append(store, *items)
    begin = int(items[0].data.times_ns[0])
    spans = [(-(2**63), begin + 9 * 10**9), (begin + 50 * 10**9, begin + 59 * 10**9), (begin + 190 * 10**9, 2**63 - 1)]
    kept = store.readings(pump, without=spans)
    assert kept.sequences.tolist() == [*range(10, 50), *range(60, 190)]
    assert store.readings(pump, newest=5, without=spans).sequences.tolist() == [*range(185, 190)]


def test_clocks_that_leap_and_run_backwards_lose_nothing(store, pump):
    begins = [10**18, 5, 2 * 10**18, -(10**17), 10**18 + 10**9, 10**18]
    blocks = [
        make_block(pump, 30 * number, 30, begin_ns=begin - 30 * number * SECOND_NS, stretch=number)
        for number, begin in enumerate(begins)
    ]
    for block in blocks:
        append(store, block)
    assert_equal(store.readings(pump), blocks)
    assert store.readings(pump, newest=45).sequences.tolist() == list(range(135, 180))
    assert store.span(pump) == (-(10**17), 2 * 10**18 + 29 * SECOND_NS)


@pytest.mark.parametrize(
    "device", ["a b, c=d", "q\"uo'te", "back\\slash\\", "käse-漢字-🔔", "${x}", "a\\,b\\ c\\=", "100 %", "# comment"]
)
def test_names_of_any_kind(case, store, device):
    case.births[device] = replace_names(make_birth("x", f"asset of {device}"), device)
    name = f"{device}/{next(NUMBERS)}"
    case.births[name] = case.births[device]
    items = [make_block(name, 16 * number, scored=False) for number in range(2)]
    append(store, *items)
    assert_equal(store.readings(name), items)
    append(store, items[1], rescores=[rescore_of(name, 0, 32, 1.5)])
    assert (store.readings(name).scores == 1.5).all()
    assert store.counts(name) == (32, 32)
    assert sum(bucket.readings for bucket in store.history(name, *store.span(name), 5)) == 32
    assert len(store.readings(device)) == 0


def replace_names(birth, name):
    """A birth whose channels and units have a difficult name, two of them the same."""
    channels = tuple(
        replace(channel, name=name if index else "", unit=name) for index, channel in enumerate(birth.profile.channels)
    )
    return replace(birth, profile=replace(birth.profile, channels=channels))
