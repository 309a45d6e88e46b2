import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.errors import StoreUnavailable
from cloud.storage.embedded import EmbeddedStore
from cloud.storage.port import Batch, Mark
from shared.identity import MISSING
from shared.messages.codec import Rescore


def rescore_of(sequence, count, value, device="pump-1"):
    return Rescore(
        device, 1, sequence, np.full(count, value / 2), np.full(count, value),
        np.full(count, int(value >= 1), np.uint8), np.full(count, 0xFFFF, np.uint16),
    )  # fmt: skip


def test_what_was_appended_is_read_back_exactly(store, block):
    first, second = block(sequence=0), block(sequence=16, boot=2, stretch=3)
    fast = block(device="fan-7", kind="fast", count=5)
    store.append(Batch((first, fast, second), (), (Mark("g", 7, 3, 3),), 99))
    found = store.readings("pump-1")
    for name, column in (
        ("times_ns", found.times_ns),
        ("counts", found.counts),
    ):
        expected = np.concatenate([getattr(first.data, name), getattr(second.data, name)])
        assert np.array_equal(column, expected)
    assert found.counts.dtype == np.int32
    assert found.features is None
    assert found.boots.tolist() == [1] * 16 + [2] * 16
    assert found.stretches.tolist() == [0] * 16 + [3] * 16
    assert np.array_equal(found.sensor_scores, np.concatenate([first.data.scores(), second.data.scores()]))
    assert np.array_equal(found.scores, np.concatenate([first.judged.fused_scores, second.judged.fused_scores]))
    assert np.array_equal(store.readings("fan-7").features, fast.data.features)
    assert store.marks() == (Mark("g", 7, 3, 3),)
    assert store.span("pump-1") == (first.data.times_ns[0], second.data.times_ns[-1])
    assert store.span("nobody") is None
    latest = store.latest("pump-1")
    assert (latest.boot, latest.next_sequence, latest.stored, latest.lost) == (2, 32, 16, 16)


def test_the_same_batch_again_adds_nothing(tmp_path, block):
    batch = Batch((block(sequence=0), block(sequence=16)), (), (), 1)
    first = EmbeddedStore(tmp_path)
    first.append(batch)
    first.append(batch)
    assert first.counts("pump-1") == (32, 32)
    first.close()
    again = EmbeddedStore(tmp_path)
    again.append(batch)
    again.append(Batch((block(sequence=24),), (), (), 2))
    assert again.counts("pump-1") == (40, 40)
    assert again.latest("pump-1").duplicates == 32 + 32 + 8
    again.close()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 80), st.integers(1, 20)), max_size=4), max_size=8
    )
)
def test_no_order_of_deliveries_makes_a_double(tmp_path_factory, block, pieces):
    store = EmbeddedStore(tmp_path_factory.mktemp("store"), hot_readings=60)
    for number, batch in enumerate(pieces):
        blocks = tuple(block(sequence=sequence, count=count, boot=boot) for boot, sequence, count in batch)
        store.append(Batch(blocks, (), (), number))
    stored, distinct = store.counts("pump-1")
    assert stored == distinct == sum(position.stored for position in store.positions("pump-1"))
    found = store.readings("pump-1")
    if found.counts is not None:
        assert np.array_equal(found.counts[:, 0], found.sequences * 1000)
    store.close()


def test_a_rescore_reaches_readings_in_the_table_in_segments_and_the_latest(tmp_path, block):
    store = EmbeddedStore(tmp_path, hot_readings=100)
    for number in range(12):
        store.append(Batch((block(sequence=16 * number, scored=False),), (), (), number))
    assert list((tmp_path / "segments").glob("*.parquet"))
    assert store.latest("pump-1").score is None
    store.append(Batch((block(sequence=192, scored=False),), (rescore_of(8, 200, 1.25),), (), 13))
    found = store.readings("pump-1")
    assert np.isnan(found.scores[:8]).all()
    assert (found.scores[8:] == 1.25).all()
    assert (found.gateway_scores[8:] == 0.625).all()
    assert found.flagged[8:].all()
    assert not found.flagged[:8].any()
    assert store.latest("pump-1").score == 1.25
    assert store.counts("pump-1") == (208, 208)
    store.close()
    again = EmbeddedStore(tmp_path, hot_readings=100)
    assert np.array_equal(again.readings("pump-1").scores, found.scores, equal_nan=True)
    again.close()


def test_sealing_keeps_every_reading_and_a_moved_folder_opens(tmp_path, block):
    store = EmbeddedStore(tmp_path / "here", hot_readings=100)
    for number in range(20):
        store.append(Batch((block(sequence=16 * number), block("fan-7", 8 * number, 8, kind="fast")), (), (), number))
    before = store.readings("pump-1")
    store.close()
    (tmp_path / "here").rename(tmp_path / "there")
    again = EmbeddedStore(tmp_path / "there", hot_readings=100)
    after = again.readings("pump-1")
    assert after.sequences.tolist() == list(range(320))
    assert np.array_equal(after.counts, before.counts)
    assert np.array_equal(after.scores, before.scores)
    assert again.readings("fan-7").features.shape == (160, 3)
    again.close()


def test_files_that_a_crash_left_behind_are_removed_at_the_start(tmp_path, block):
    store = EmbeddedStore(tmp_path, hot_readings=100)
    for number in range(10):
        store.append(Batch((block(sequence=16 * number),), (), (), number))
    store.close()
    segments = tmp_path / "segments"
    kept = {path.name for path in segments.iterdir()}
    assert kept
    (segments / "readings-00000900.parquet").write_bytes(b"sealed, and killed before the commit")
    (segments / "readings-00000901.unfinished").write_bytes(b"half")
    again = EmbeddedStore(tmp_path, hot_readings=100)
    assert {path.name for path in segments.iterdir()} == kept
    assert again.counts("pump-1") == (160, 160)
    again.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(peak=st.integers(0, 999), points=st.integers(1, 400), gap=st.integers(1, 10**15))
def test_history_hides_no_peak_and_keeps_to_its_points(tmp_path_factory, block, peak, points, gap):
    store = EmbeddedStore(tmp_path_factory.mktemp("store"))
    scores = np.full(1000, 0.25)
    scores[peak] = 7.5
    parts = [block(sequence=s, count=250, scores=scores[s : s + 250], step_ns=gap) for s in range(0, 1000, 250)]
    store.append(Batch(tuple(parts), (), (), 1))
    first, last = store.span("pump-1")
    buckets = store.history("pump-1", first, last, points, ("counts", 1))
    assert len(buckets) <= points
    assert sum(bucket.readings for bucket in buckets) == 1000
    assert max(bucket.score_max for bucket in buckets) == 7.5
    assert sum(bucket.score_mean * bucket.readings for bucket in buckets) == pytest.approx(0.25 * 999 + 7.5)
    assert min(bucket.value_min for bucket in buckets) == 1
    assert max(bucket.value_max for bucket in buckets) == 999_001
    assert [b.time_ns for b in buckets] == sorted(b.time_ns for b in buckets)
    holder = next(b for b, after in itertools.zip_longest(buckets, buckets[1:]) if b.score_max == 7.5)
    assert holder.time_ns <= first + peak * gap
    store.close()


def test_history_shows_single_readings_when_they_are_few_and_nothing_outside_the_times(store, block):
    item = block(count=10)
    item.data.counts[4, 0] = MISSING
    store.append(Batch((item,), (), (), 1))
    buckets = store.history("pump-1", item.data.times_ns[3], item.data.times_ns[6], 100, ("counts", 0))
    assert [bucket.readings for bucket in buckets] == [1, 1, 1, 1]
    assert [bucket.value_mean for bucket in buckets] == [3000.0, None, 5000.0, 6000.0]
    assert store.history("pump-1", 0, 5, 100) == ()
    assert store.history("pump-1", item.data.times_ns[0], item.data.times_ns[9], 5, ("counts", 99))[0].value_min is None


def test_healthy_readings_leave_out_alarms_and_newest_keeps_the_last(store, block):
    scores = np.linspace(0.0, 3.0, 100)
    store.append(Batch((block(count=100, scores=scores),), (), (), 1))
    healthy = store.readings("pump-1", healthy=True)
    assert healthy.scores.max() < 1.0
    assert len(healthy) == int((scores < 1.0).sum())
    assert store.readings("pump-1", newest=7).sequences.tolist() == list(range(93, 100))
    assert len(store.readings("nobody")) == 0


def test_spans_leave_out_their_first_and_last_reading_also_of_segments(tmp_path, block):
    store = EmbeddedStore(tmp_path, hot_readings=100)
    for sequence in range(0, 200, 40):
        item = block(sequence=sequence, count=40)
        store.append(Batch((item,), (), (), 1))
    assert list(tmp_path.rglob("*.parquet"))
    begin = int(item.data.times_ns[0]) - 160 * 10**9
    spans = [(-(2**63), begin + 9 * 10**9), (begin + 50 * 10**9, begin + 59 * 10**9), (begin + 190 * 10**9, 2**63 - 1)]
    kept = store.readings("pump-1", without=spans)
    assert kept.sequences.tolist() == [*range(10, 50), *range(60, 190)]
    assert store.readings("pump-1", newest=5, without=spans).sequences.tolist() == [*range(185, 190)]
    store.close()


def test_a_store_that_another_process_writes_is_refused_in_one_sentence(tmp_path):
    store = EmbeddedStore(tmp_path)
    script = (
        "import sys; from pathlib import Path; from cloud.storage.embedded import EmbeddedStore; "
        "EmbeddedStore(Path(sys.argv[1]))"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "StoreUnavailable: The store" in ended.stderr.splitlines()[-1]
    store.close()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        EmbeddedStore(tmp_path / "file" / "store")
