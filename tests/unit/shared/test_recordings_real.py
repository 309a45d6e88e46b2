"""Recordings that others published are read as their authors describe them."""

import os
from pathlib import Path

import numpy as np
import pytest

from shared.recordings import profile_of, read_recording

FOLDER = os.environ.get("TOCSIN_DATASETS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="set TOCSIN_DATASETS to a folder with the public recordings")
DATASETS = Path(FOLDER or ".")


def test_skab_semicolons_and_labels() -> None:
    path = DATASETS / "skab/data/valve1/0.csv"
    recording = read_recording(path, healthy_rows=400, ignore=("anomaly", "changepoint"))
    assert recording.values.shape == (1147, 8)
    assert (recording.kind, recording.sample_rate_hz, recording.names[7]) == ("slow", 1.0, "Volume Flow RateRMS")
    assert recording.labels["anomaly"].sum() == 401
    profile, counts = profile_of(recording, 400, "device", "rig")
    assert len(profile.channels) == 8
    assert np.abs(counts[:400].astype(np.float64).std(axis=0) / 2**16 - 1).max() < 1e-5


def test_skab_cut_short_is_the_beginning_of_the_whole(tmp_path: Path) -> None:
    lines = (DATASETS / "skab/data/valve1/1.csv").read_text().splitlines(keepends=True)
    whole = read_recording(DATASETS / "skab/data/valve1/1.csv", healthy_rows=400)
    for rows in (400, 401, 777):
        (tmp_path / "cut.csv").write_text("".join(lines[: rows + 1]))
        cut = read_recording(tmp_path / "cut.csv", healthy_rows=400)
        assert (cut.rows, cut.names) == (rows, whole.names)
        assert cut.values.tobytes() == whole.values[:rows].tobytes()
        assert np.array_equal(cut.times_ns, whole.times_ns[:rows])


def test_nab_five_minutes_one_channel_every_file() -> None:
    files = sorted((DATASETS / "nab/data").glob("*/*.csv"))
    assert len(files) > 20
    for file in files:
        recording = read_recording(file, healthy_rows=500)
        assert recording.names == ("value",)
        assert 1 / 4000 < recording.sample_rate_hz < 1 / 4


def test_server_machines_as_arrays() -> None:
    path = DATASETS / "smd/machine-1-6.npz"
    recording = read_recording(f"{path}::test", healthy=f"{path}::train", ignore=())
    assert (recording.values.shape, recording.healthy_rows) == ((23688 + 23689, 38), 23688)
    assert recording.clip_starts.tolist() == [0, 23688]


def test_tennessee_eastman_white_space_and_transposed() -> None:
    turned = read_recording(DATASETS / "tep/d00.dat", transpose=True)
    straight = read_recording(DATASETS / "tep/d01_te.dat")
    assert (turned.values.shape, straight.values.shape) == ((500, 52), (960, 52))
    assert np.all(np.abs(turned.values[:, 6] - 2705) < 30)  # reactor pressure in kPa
    assert not np.isnan(straight.values).any()


def test_bearings_at_48_kilohertz() -> None:
    recording = read_recording(DATASETS / "cwru48k/1797_Normal.npz", sample_rate_hz=48_000)
    assert (recording.values.shape, recording.kind, recording.names) == ((243_938, 2), "fast", ("DE", "FE"))


def test_fan_clips_of_two_hundred_rows_without_header() -> None:
    recording = read_recording(DATASETS / "fan_esp32/fan_0_low_0_weight", sample_rate_hz=200)
    assert recording.values.shape[1] == 3
    assert set(np.diff(recording.clip_starts).tolist()) == {200}
    assert abs(float(np.median(recording.values[:, 2])) - 1.0) < 0.2  # gravity in g


def test_femto_snapshots_by_chosen_channels() -> None:
    folder = DATASETS / "femto/Learning_set/Bearing3_1"
    recording = read_recording(folder, sample_rate_hz=25_600, channels=("column_5", "column_6"))
    assert set(np.diff(recording.clip_starts).tolist()) == {2560}
    assert recording.rows == 2560 * len(recording.clip_starts)


def test_turbofan_cycles() -> None:
    recording = read_recording(DATASETS / "cmapss/train_FD001.txt", healthy_rows=100)
    assert recording.rows == 20631
    assert len(recording.names) == 25  # the cycle only counts in the healthy part
    assert any("only counts the rows: column_2" in note for note in recording.notes)
