"""NumPy, Parquet, folders of clips, and every kind of bad input."""

from pathlib import Path

import numpy as np
import pytest

from shared.errors import UsageError
from shared.recordings import read_recording
from shared.recordings.simulator import simulate, write_simulation

VALUES = np.array([[1.0, 10.0], [3.0, 30.0], [2.0, 10.0], [5.0, 20.0]])


def test_arrays_of_equal_length_are_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=VALUES, y=VALUES[:, :1], label=np.array([0, 0, 1, 0]), rate=np.array(5.0))
    recording = read_recording(path, sample_rate_hz=100, ignore=["label"])
    assert recording.names == ("x_1", "x_2", "y")
    assert recording.labels["label"].tolist() == [0, 0, 1, 0]
    assert recording.kind == "fast"
    assert np.array_equal(recording.values, VALUES[:, [0, 1, 0]])
    assert any("'rate' is a single value" in note for note in recording.notes)


def test_one_array_of_an_archive_with_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, train=VALUES[:3], test=VALUES, test_label=np.arange(4) > 2)
    recording = read_recording(f"{path}::test", ignore=["test_label"])
    assert recording.names == ("column_1", "column_2")
    assert recording.labels["test_label"].tolist() == [0, 0, 0, 1]
    assert read_recording(f"{path}::train").rows == 3
    both = read_recording(f"{path}::test", healthy=f"{path}::train", ignore=[])
    assert (both.rows, both.healthy_rows, both.clip_starts.tolist()) == (7, 3, [0, 3])
    assert np.array_equal(both.values, np.concatenate([VALUES[:3], VALUES]))
    with pytest.raises(UsageError, match="different lengths"):
        read_recording(path)
    with pytest.raises(UsageError, match="no array 'other'; it has train, test, test_label"):
        read_recording(f"{path}::other")


def test_times_in_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    stamps = np.array(["2020-01-01", "2020-01-02", "NaT", "2020-01-04"], dtype="datetime64[s]")
    np.savez(path, when=stamps, x=VALUES[:, 0])
    recording = read_recording(path)
    assert recording.names == ("x",)
    assert np.diff(recording.times_ns).tolist() == [86_400_000_000_000] * 3
    np.savez(path, t=np.array([0.0, 0.01, 0.02, 0.03]), x=VALUES[:, 0])
    assert read_recording(path).sample_rate_hz == 100.0


def test_npy_and_transposed_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES.T)
    recording = read_recording(tmp_path / "a.npy", transpose=True)
    assert np.array_equal(recording.values, VALUES)


def test_parquet_with_times_nulls_and_text(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed; install the extra 'recordings'")
    import pyarrow.parquet as writer

    stamps = [1_600_000_000_123_456_789 + 10**9 * i for i in range(4)]
    table = arrow.table(
        {
            "when": arrow.array(stamps, arrow.timestamp("ns", tz="Europe/Berlin")),
            "x": arrow.array([1.0, None, float("inf"), 4.0]),
            "n": arrow.array([3, None, 5, 9], arrow.int64()),
            "on": arrow.array([True, False, True, True]),
            "text": ["a", "b", "c", "d"],
            "anomaly": arrow.array([0, 0, 1, 1], arrow.int8()),
            "nested": [[1], [2], [3], [4]],
        }
    )
    writer.write_table(table, tmp_path / "a.parquet")
    recording = read_recording(tmp_path / "a.parquet", ignore=["anomaly"])
    assert recording.names == ("x", "n", "on")
    assert recording.times_ns.tolist() == stamps
    assert np.isnan(recording.values).tolist() == [[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert any("'nested'" in note for note in recording.notes)
    integers = arrow.table({"timestamp": arrow.array([*stamps[:3], None]), "x": [1.0, 5.0, 2.0, 3.0]})
    writer.write_table(integers, tmp_path / "b.parquet")
    exact = read_recording(tmp_path / "b.parquet", healthy_rows=3)
    assert exact.times_ns.tolist() == stamps


def test_the_same_table_as_csv_and_parquet_is_the_same_recording(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed; install the extra 'recordings'")
    import pyarrow.parquet as writer

    days = [f"2020-01-{day:02d} 12:00:00" for day in (1, 2, 3, 4)]
    writer.write_table(arrow.table({"date": days, "a": VALUES[:, 0], "b": VALUES[:, 1]}), tmp_path / "a.parquet")
    lines = ["date,a,b", *(f"{day},{a!r},{b!r}" for day, (a, b) in zip(days, VALUES.tolist(), strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    first, second = read_recording(tmp_path / "a.parquet"), read_recording(tmp_path / "a.csv")
    assert np.array_equal(first.times_ns, second.times_ns)
    assert np.array_equal(first.values, second.values)
    assert (first.names, first.sample_rate_hz) == (second.names, second.sample_rate_hz)


def test_a_folder_is_a_row_of_clips_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        (tmp_path / f"clip{number}.csv").write_text(f"x,y\n{number},1\n{number},2\n")
    (tmp_path / "readme.txt").write_text("not a clip")
    (tmp_path / ".hidden.csv").write_text("nor this")
    recording = read_recording(tmp_path, sample_rate_hz=200)
    assert recording.values[:, 0].tolist() == [9, 9, 10, 10, 100, 100]
    assert recording.clip_starts.tolist() == [0, 2, 4]


def test_clips_with_columns_in_another_order_are_matched_by_name(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,2\n3,5\n")
    (tmp_path / "2.csv").write_text("y,x,z\n20,10,0\n50,30,0\n")
    assert read_recording(tmp_path).values.tolist() == [[1, 2], [3, 5], [10, 20], [30, 50]]


def test_clips_of_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "1.npz", x=VALUES[:, 0], y=VALUES[:, 1])
    np.savez(tmp_path / "2.npz", y=VALUES[:2, 1])
    recording = read_recording(tmp_path)
    assert recording.clip_starts.tolist() == [0, 4]
    assert np.isnan(recording.values[4:, 0]).all()
    assert recording.values[4:, 1].tolist() == [10, 30]


def test_a_healthy_file_stands_before_the_other(tmp_path: Path) -> None:
    (tmp_path / "healthy.csv").write_text("x,y\n1,2\n3,5\n4,4\n")
    (tmp_path / "later.csv").write_text("y,x\n20,text\n50,30\n")
    recording = read_recording(tmp_path / "later.csv", healthy=tmp_path / "healthy.csv")
    assert recording.healthy_rows == 3
    assert recording.clip_starts.tolist() == [0, 3]
    assert np.array_equal(recording.values[3:], [[np.nan, 20], [30, 50]], equal_nan=True)


def test_written_simulations_are_read_back(tmp_path: Path) -> None:
    simulation = simulate(3, "outer_race", duration_s=20, onset_s=10)
    vibration, process, truth = write_simulation(simulation, tmp_path)
    read = read_recording(vibration)
    assert read.values.tobytes() == simulation.vibration.values.tobytes()
    assert np.array_equal(read.times_ns, simulation.vibration.times_ns)
    assert (read.names, read.units, read.kind) == (simulation.vibration.names, ("g", "g", "g"), "fast")
    table = read_recording(process)
    assert table.values.tobytes() == simulation.process.values.tobytes()
    assert np.array_equal(table.times_ns, simulation.process.times_ns)
    assert table.units == simulation.process.units
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in (vibration, process, truth))


def bad(tmp_path: Path) -> dict[str, tuple[object, dict[str, object], str]]:
    def file(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    np.savez(tmp_path / "objects.npz", x=np.array([{}, {}], dtype=object))
    np.savez(tmp_path / "cube.npz", x=np.zeros((2, 2, 2)))
    np.savez(tmp_path / "complex.npz", x=np.zeros(3, dtype=complex))
    np.savez(tmp_path / "none.npz", x=np.zeros((0, 2)))
    whole = (tmp_path / "cube.npz").read_bytes()
    (tmp_path / "folder").mkdir()
    good = file("good.csv", b"time,a,b\n0,1,2\n1,3,5\n")
    return {
        "no file": (tmp_path / "no.csv", {}, "does not exist"),
        "empty folder": (tmp_path / "folder", {}, "folder without recordings"),
        "empty": (file("empty.csv", b""), {}, "is empty"),
        "blank": (file("blank.csv", b"\n \n\n"), {}, "is empty"),
        "header only": (file("header.csv", b"a,b,c\n"), {}, "header and no rows"),
        "no numbers": (file("words.csv", b"a,b\nred,green\nblue,red\n"), {}, "no numeric column"),
        "only time": (file("time.csv", b"time\n2020-01-01 00:00:00\n2020-01-01 00:00:01\n"), {}, "no numeric column"),
        "unknown channel": (good, {"channels": ["c"]}, "no channel 'c'; its columns are time, a, b"),
        "unknown time": (good, {"time_column": "t"}, "no time column 't'"),
        "unknown label": (good, {"ignore": ["anomaly"]}, "no column to ignore 'anomaly'"),
        "too few rows": (good, {"healthy_rows": 3}, "has 2 rows, fewer than the 3"),
        "no healthy rows": (good, {"healthy_rows": 0}, "at least 1"),
        "no rate": (good, {"sample_rate_hz": 0.0}, "positive number of hertz"),
        "binary": (file("noise.csv", bytes(range(256)) * 8), {}, "not a text table"),
        "broken parquet": (file("a.parquet", b"PAR1 and no more"), {}, "no Parquet file"),
        "broken npz": (file("a.npz", whole[: len(whole) // 2]), {}, "no NumPy file"),
        "no npz": (file("b.npz", b"a,b\n1,2\n"), {}, "cannot be read"),
        "objects": (tmp_path / "objects.npz", {}, "Python objects"),
        "three dimensions": (tmp_path / "cube.npz", {}, "3 dimensions"),
        "complex": (tmp_path / "complex.npz", {}, "real numbers"),
        "no rows": (tmp_path / "none.npz", {}, "no rows"),
        "array of a text": (f"{good}::x", {}, "of an .npz file"),
    }


KINDS = ["no file", "empty folder", "empty", "blank", "header only", "no numbers", "only time", "unknown channel",
         "unknown time", "unknown label", "too few rows", "no healthy rows", "no rate", "binary", "broken parquet",
         "broken npz", "no npz", "objects", "three dimensions", "complex", "no rows", "array of a text"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused_in_one_sentence_with_the_remedy(tmp_path: Path, kind: str) -> None:
    cases = bad(tmp_path)
    assert set(cases) == set(KINDS)
    source, options, words = cases[kind]
    with pytest.raises(UsageError) as caught:
        read_recording(source, **options)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    assert ";" in sentence or ":" in sentence
