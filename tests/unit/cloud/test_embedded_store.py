import subprocess
import sys

import numpy as np
import pytest

from cloud.errors import StoreUnavailable
from cloud.storage.embedded import EmbeddedStore
from cloud.storage.port import Batch
from shared.messages.codec import Rescore


def rescore_of(sequence, count, value, device="pump-1"):
    return Rescore(
        device, 1, sequence, np.full(count, value / 2), np.full(count, value),
        np.full(count, int(value >= 1), np.uint8), np.full(count, 0xFFFF, np.uint16),
    )  # fmt: skip


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
