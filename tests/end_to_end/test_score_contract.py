"""What `tocsin score` promises, on real recordings: no score knows the future, the row's number, the file or a label.

Training takes seconds, so each recording is trained once: the trainings of this file are remembered under a digest of
everything that goes into them, and whatever would change a training therefore still trains anew and shows.
"""

import csv
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cloud.training import train
from shared.recordings import read_recording
from tocsin.score import HEADER, score_to_file

pytestmark = pytest.mark.slow
CLIP_ROWS = 200
COMMAND = ["-m", "tocsin", "score", "--healthy-rows", "400", "--ignore", "anomaly,changepoint"]


@pytest.fixture(scope="module", autouse=True)
def _one_training_per_input() -> Iterator[None]:
    real, known = train.train_image, {}

    def remembered(profile, recipe, times_ns, starts, counts, *, seed, version, progress=None):  # type: ignore[no-untyped-def]
        digest = hashlib.sha256(repr((profile, recipe, seed, version, counts.shape, starts.dtype)).encode())
        for array in (times_ns, starts, counts):
            digest.update(np.ascontiguousarray(array).tobytes())
        if digest.digest() not in known:
            known[digest.digest()] = real(profile, recipe, times_ns, starts, counts, seed=seed, version=version)
        return known[digest.digest()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "train_image", remembered)
        yield


def _datasets() -> Path:
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("needs real recordings: set TOCSIN_DATASETS to the folder that holds skab/, nab/, smd/, tep/, ...")
    return Path(folder)


@dataclass(frozen=True, eq=False)
class Table:
    """A recording as it stands in a file: a time column or none, numeric columns, what is known of it."""

    values: NDArray[np.float64]
    healthy_rows: int
    form: str = "csv"
    times: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.values)

    def write(self, folder: Path) -> Path:
        """The file (or the folder of clips) that holds it."""
        if self.form == "npz":
            np.savez(folder / "recorded.npz", DE=self.values)
            return folder / "recorded.npz"
        if self.form == "clips":
            (folder / "clips").mkdir()
            for number, begin in enumerate(range(0, self.rows, CLIP_ROWS)):
                np.savetxt(folder / "clips" / f"{number}.csv", self.values[begin : begin + CLIP_ROWS], delimiter=",")
            return folder / "clips"
        names = self.names or tuple(f"c{index}" for index in range(self.values.shape[1]))
        with (folder / "recorded.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow((*(("time",) if self.times else ()), *names))
            for row, values in enumerate(self.values.tolist()):
                writer.writerow((*self.times[row : row + 1], *map(repr, values)))
        return folder / "recorded.csv"

    def head(self, rows: int) -> "Table":
        return replace(self, values=self.values[:rows], times=self.times[:rows])

    def changed(self, begin: int, end: int) -> "Table":
        """With other values in the rows from `begin` on: noise of several deviations."""
        values = self.values.copy()
        noise = np.random.default_rng(begin).normal(0.0, 4.0 * (values.std(axis=0) + 1e-3), values[begin:end].shape)
        values[begin:end] += noise
        return replace(self, values=values)


def _table(name: str) -> Table:
    """A short piece of a real recording: healthy rows, then rows in which something happens."""
    folder = _datasets()
    if name == "skab":
        lines = (folder / "skab/data/valve1/0.csv").read_text().splitlines()
        cells = [line.split(";") for line in lines[1:701]]
        return Table(
            np.array([row[1:9] for row in cells], float),
            400,
            times=tuple(row[0] for row in cells),
            names=tuple(lines[0].split(";")[1:9]),
        )
    if name == "nab":
        lines = (folder / "nab/data/realKnownCause/ambient_temperature_system_failure.csv").read_text().splitlines()
        cells = [line.split(",") for line in lines[1:]]
        healthy = round(0.15 * len(cells))
        cells = cells[: healthy + 300]
        return Table(np.array([row[1:] for row in cells], float), healthy, times=tuple(row[0] for row in cells))
    if name == "smd":
        with np.load(folder / "smd/omi-1.npz") as arrays:
            return Table(np.concatenate([arrays["train"][-500:], arrays["test"][:120]]).astype(float), 500)
    if name == "tep":
        healthy, faulty = np.loadtxt(folder / "tep/d00.dat").T[:400], np.loadtxt(folder / "tep/d01_te.dat")[120:200]
        return Table(np.concatenate([healthy, faulty]), 400, options={"sample_rate_hz": 1 / 180})
    if name == "fan":
        parts = [
            sorted((folder / "fan_esp32" / f"fan_0_low_{weight}_weight").iterdir())[:clips]
            for weight, clips in ((0, 60), (1, 12))
        ]
        clips = [np.loadtxt(path, delimiter=",")[:CLIP_ROWS] for part in parts for path in part]
        assert all(clip.shape == (CLIP_ROWS, 3) for clip in clips)
        return Table(np.concatenate(clips), 60 * CLIP_ROWS, "clips", options={"sample_rate_hz": 200.0})
    with np.load(folder / "cwru48k/1797_Normal.npz") as normal, np.load(folder / "cwru48k/1797_IR_7_DE48.npz") as inner:
        healthy, faulty = normal["DE"][: 70 * 2048], inner["DE"][: 12 * 2048]
    return Table(np.concatenate([healthy, faulty]), len(healthy), "npz", options={"sample_rate_hz": 48_000.0})


def _lines(path: Path, out: Path, *, tier: str = "both", **options: Any) -> list[str]:
    """The lines that the command writes for a recording, without the header."""
    recording = read_recording(path, **options)
    score_to_file(
        recording,
        str(path),
        out,
        tier=tier,
        false_alarms_per_day=1 / 7,
        seed=0,
        progress=None,
        healthy_source=options.get("healthy"),
    )
    lines = out.read_text().splitlines()
    assert lines[0] == HEADER
    return lines[1:]


def _judged(table: Table, folder: Path, **more: Any) -> list[str]:
    return _lines(
        table.write(folder),
        folder.parent / f"{folder.name}.csv",
        healthy_rows=table.healthy_rows,
        **table.options,
        **more,
    )


def _scores(lines: list[str]) -> NDArray[np.float64]:
    return np.array([float(line.split(",")[2] or "nan") for line in lines])


def _auc(scores: NDArray[np.float64], anomalous: NDArray[np.bool_]) -> float:
    """Probability that an anomalous row has the higher score (ties count half), over rows that have one."""
    scored = np.isfinite(scores)
    values, labels = scores[scored], anomalous[scored].astype(bool)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = int(labels.sum())
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * (len(labels) - positive)))


NAMES = ("skab", "nab", "smd", "tep", "fan", "cwru")
EXAMPLES = {"skab": 8, "nab": 4, "smd": 3, "tep": 2, "fan": 2, "cwru": 2}


@pytest.mark.parametrize("name", NAMES)
def test_no_later_row_changes_an_earlier_one(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = _table(name)
    whole = _judged(table, tmp_path_factory.mktemp(name))
    assert [line.split(",")[0] for line in whole] == [str(row) for row in range(table.rows)]
    scores = _scores(whole)
    first = int(np.flatnonzero(np.isfinite(scores))[0])
    assert np.isfinite(scores[first:]).all(), "blank only before the first window"
    assert len(np.unique(scores[table.healthy_rows :])) > 5

    @settings(
        max_examples=EXAMPLES[name],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(st.integers(table.healthy_rows, table.rows - 1), st.booleans())
    def holds(border: int, cut: bool) -> None:
        other = table.head(border) if cut else table.changed(border, table.rows)
        lines = _judged(other, tmp_path_factory.mktemp(name))
        assert len(lines) == other.rows
        assert lines[:border] == whole[:border]

    holds()


@pytest.mark.parametrize("name", ["skab", "fan"])
def test_changed_rows_change_the_scores_from_there_on(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = _table(name)
    whole = _judged(table, tmp_path_factory.mktemp(name))
    begin = table.healthy_rows + 100
    changed = _judged(table.changed(begin, begin + 150), tmp_path_factory.mktemp(name))
    assert changed[:begin] == whole[:begin]
    assert (_scores(changed)[begin : begin + 150] != _scores(whole)[begin : begin + 150]).any()
    assert (_scores(changed)[begin + 150 :] != _scores(whole)[begin + 150 :]).any(), "the past counts"


def test_the_order_of_columns_labels_and_names_of_files_have_no_influence(tmp_path: Path) -> None:
    table = _table("skab")
    folders = [tmp_path / name for name in ("a", "b", "c", "d")]
    for folder in folders:
        folder.mkdir()
    expected = _judged(table, folders[0])
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    turned = replace(table, values=table.values[:, order], names=tuple(table.names[index] for index in order))
    assert _judged(turned, folders[1]) == expected
    renamed = table.write(folders[2]).rename(folders[2] / "999 valve, broken.CSV")
    assert _lines(renamed, tmp_path / "renamed.csv", healthy_rows=400) == expected
    labels = np.random.default_rng(0).integers(0, 2, (table.rows, 1))
    labelled = replace(table, values=np.hstack([labels, table.values]), names=("label", *table.names))
    assert _judged(labelled, folders[3], ignore=("label",)) == expected


@pytest.mark.parametrize("tier", ["sensor", "gateway"])
def test_each_tier_alone_keeps_the_promise(tier: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = _table("skab")
    whole = _judged(table, tmp_path_factory.mktemp("whole"), tier=tier)
    assert _judged(table.head(613), tmp_path_factory.mktemp("cut"), tier=tier) == whole[:613]
    assert whole != _judged(table, tmp_path_factory.mktemp("both"))


@cache
def _cut_arrays(folder: Path, file: str, rows: int) -> dict[str, NDArray[np.float64]]:
    with np.load(folder / file) as arrays:
        return {key: arrays[key][:rows] for key in arrays.files}


def test_a_second_file_is_the_healthy_part(tmp_path: Path) -> None:
    folder = _datasets()
    np.savetxt(tmp_path / "healthy.dat", np.loadtxt(folder / "tep/d00.dat").T)
    lines = _lines(
        folder / "tep/d01_te.dat", tmp_path / "tep.csv", healthy=str(tmp_path / "healthy.dat"), sample_rate_hz=1 / 180
    )
    assert len(lines) == 960
    assert lines[0].split(",")[2] == "", "no score of the healthy file stands in the other one"
    assert _auc(_scores(lines), np.arange(960) >= 160) > 0.95


def test_an_array_of_the_same_file_is_the_healthy_part(tmp_path: Path) -> None:
    arrays = _cut_arrays(_datasets(), "smd/omi-1.npz", 1000)
    np.savez(tmp_path / "machine.npz", train=arrays["train"][:600], test=arrays["test"][:200])
    machine = str(tmp_path / "machine.npz")
    lines = _lines(Path(f"{machine}::test"), tmp_path / "smd.csv", healthy=f"{machine}::train")
    assert len(lines) == 200
    assert np.isfinite(_scores(lines)[32:]).all()


def test_a_bearing_recorded_in_another_file_is_told_from_the_healthy_one(tmp_path: Path) -> None:
    folder = _datasets()
    np.savez(tmp_path / "normal.npz", DE=_cut_arrays(folder, "cwru48k/1797_Normal.npz", 80 * 2048)["DE"])
    for name, file in (("healthy", "1797_Normal"), ("ball", "1797_B_7_DE48")):
        np.savez(tmp_path / f"{name}.npz", DE=_cut_arrays(folder, f"cwru48k/{file}.npz", 110 * 2048)["DE"][-20_480:])
    scores = {
        name: _scores(
            _lines(
                tmp_path / f"{name}.npz",
                tmp_path / f"{name}.csv",
                healthy=f"{tmp_path}/normal.npz::DE",
                sample_rate_hz=48_000.0,
            )
        )
        for name in ("healthy", "ball")
    }
    assert np.nanmedian(scores["ball"]) > 1.0 > np.nanmedian(scores["healthy"])


def test_the_command_gives_the_same_bytes_for_the_same_recording_and_finds_its_anomaly(tmp_path: Path) -> None:
    original = _datasets() / "skab/data/valve1/0.csv"
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "another name.csv"
    copy.write_bytes(original.read_bytes())
    for number, file in enumerate((original, copy)):
        process = subprocess.run(
            [sys.executable, *COMMAND, str(file), "--out", str(tmp_path / f"{number}.csv")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert process.returncode == 0, process.stderr
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()
    lines = (tmp_path / "0.csv").read_text().splitlines()[1:]
    labels = np.array([float(line.split(";")[9]) for line in original.read_text().splitlines()[1:]])
    assert len(lines) == len(labels)
    assert _auc(_scores(lines)[400:], labels[400:] > 0.5) >= 0.8
    again = _lines(original, tmp_path / "2.csv", healthy_rows=400, ignore=("anomaly", "changepoint"))
    assert again == lines
