"""Text tables of many dialects come out as the numbers and times that went in."""

import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.recordings import read_recording

START = datetime(2021, 11, 13, 22, 58, 7, tzinfo=UTC)
START_NS = int(START.timestamp()) * 1_000_000_000
FORMATS = {
    "iso": lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
    "iso T": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S"),
    "iso Z": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "iso zone": lambda t: t.astimezone(timezone(timedelta(hours=5, minutes=30))).strftime("%Y-%m-%dT%H:%M:%S+05:30"),
    "slashes": lambda t: t.strftime("%Y/%m/%d %H:%M:%S"),
    "day first": lambda t: t.strftime("%d.%m.%Y %H:%M:%S"),
    "month first": lambda t: t.strftime("%m/%d/%Y %I:%M:%S %p"),
    "month name": lambda t: t.strftime("%d-%b-%Y %H:%M:%S"),
    "compact": lambda t: t.strftime("%Y%m%dT%H%M%S"),
    "epoch s": lambda t: str(int(t.timestamp())),
    "epoch ms": lambda t: str(int(t.timestamp()) * 1000),
    "epoch us": lambda t: str(int(t.timestamp()) * 1_000_000),
    "epoch ns": lambda t: str(int(t.timestamp()) * 1_000_000_000),
}
SPACELESS = ("iso T", "iso Z", "iso zone", "compact", "epoch s", "epoch ms", "epoch us", "epoch ns")

finite = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 6) + 0.0)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(finite, min_size=width, max_size=width), min_size=3, max_size=12)
)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=tables,
    separator=st.sampled_from([",", ";", "\t", "|", " ", "   "]),
    comma=st.booleans(),
    form=st.sampled_from(sorted(FORMATS)),
    header=st.booleans(),
    quoted=st.booleans(),
)
def test_every_dialect_gives_back_its_numbers(
    tmp_path: Path,
    rows: list[list[float]],
    separator: str,
    comma: bool,
    form: str,
    header: bool,
    quoted: bool,
) -> None:
    comma = comma and separator != ","
    if separator.isspace() and separator != "\t" and form not in SPACELESS:
        form = "iso T"
    lines = []
    if header:
        lines.append(separator.join(["time", *(f"sensor{i}" for i in range(len(rows[0])))]))
    for index, row in enumerate(rows):
        cells = [repr(value).replace(".", ",") if comma else repr(value) for value in row]
        if quoted and not separator.isspace():
            cells = [f'"{cell}"' for cell in cells]
        lines.append(separator.join([FORMATS[form](START + timedelta(seconds=2 * index)), *cells]))
    recording = read_recording(write(tmp_path / "a.csv", "\n".join(lines) + "\n"))
    values = np.array(rows)
    counters = [
        index
        for index in range(values.shape[1])
        if len(rows) >= 10 and len(set(np.diff(values[:, index]))) == 1 and values[0, index] != values[1, index]
    ]
    if counters:
        return
    assert np.array_equal(recording.values, values)
    assert recording.times_ns.tolist() == [START_NS + 2_000_000_000 * index for index in range(len(rows))]
    assert recording.sample_rate_hz == 0.5
    if header:
        assert recording.names == tuple(f"sensor{i}" for i in range(len(rows[0])))


def test_units_are_taken_from_the_header_or_from_a_row_below_it(tmp_path: Path) -> None:
    inline = read_recording(write(tmp_path / "a.csv", "t [s];Temp (degC);p\n0;20,5;1\n0,5;21,5;3\n1;20;2\n"))
    assert (inline.names, inline.units, inline.sample_rate_hz) == (("Temp (degC)", "p"), ("degC", ""), 2.0)
    below = read_recording(write(tmp_path / "b.csv", "time,temp,p\n-,degC,bar\n0,1,5\n1,2,7\n2,4,6\n"))
    assert (below.names, below.units) == (("temp", "p"), ("degC", "bar"))
    assert below.values.tolist() == [[1, 5], [2, 7], [4, 6]]


def test_preamble_comments_blank_lines_and_latin_letters(tmp_path: Path) -> None:
    text = "# written by a logger\nsep=;\n\ndate;T °C;note\n01.02.2020 00:00;1,5;ok\n\n01.02.2020 00:01;2,5;ok\n"
    recording = read_recording(write(tmp_path / "a.csv", text.encode("latin-1")))
    assert recording.names == ("T °C",)
    assert recording.values.tolist() == [[1.5], [2.5]]
    assert np.diff(recording.times_ns).tolist() == [60_000_000_000]
    assert any("note" in sentence for sentence in recording.notes)


def test_date_and_clock_in_two_columns_are_one_time(tmp_path: Path) -> None:
    recording = read_recording(
        write(tmp_path / "a.txt", "Date Time x y\n2020-03-09 10:00:00 1 5\n2020-03-09 10:00:02 2 7\n")
    )
    assert recording.names == ("x", "y")
    assert recording.times_ns.tolist() == [1583748000_000000000, 1583748002_000000000]


def test_missing_infinite_and_unreadable_cells_are_missing_and_counted(tmp_path: Path) -> None:
    body = "time,a,b\n0,1,1\n1,,2\n2,NaN,inf\n3,4,-Infinity\n4,fault,5\n5,6,1_0\n6,7\n"
    recording = read_recording(write(tmp_path / "a.csv", body), healthy_rows=3)
    a, b = recording.values.T
    assert [math.isnan(x) for x in a] == [False, True, True, False, True, False, False]
    assert [math.isnan(x) for x in b] == [False, False, True, True, False, True, True]
    notes = " ".join(recording.notes)
    assert "3 missing values in 'a', 1 of them text that is no number, 1 after the healthy part" in notes
    assert "2 of them infinite" in notes
    assert "1 rows had another number of cells" in notes


def test_duplicate_reversed_and_gappy_stamps_survive_in_the_order_of_rows(tmp_path: Path) -> None:
    stamps = [0, 1, 2, 2, 1, 3, 50, 51, 52]
    body = "time,x\n" + "".join(f"{t},{i % 4}\n" for i, t in enumerate(stamps))
    recording = read_recording(write(tmp_path / "a.csv", body))
    first = recording.times_ns[0]
    assert ((recording.times_ns - first) // 1_000_000_000).tolist() == stamps
    assert recording.sample_rate_hz == 1.0
    notes = " ".join(recording.notes)
    assert "1 time stamps repeat" in notes
    assert "1 time stamps step back" in notes
    assert "gaps of three samples" in notes


def test_a_later_stamp_that_cannot_be_read_carries_on_from_the_one_before(tmp_path: Path) -> None:
    body = "when,x\n" + "".join(f"2020-01-01 00:00:{2 * i:02d},{i % 3}\n" for i in range(5)) + "garbage,7\n,8\n"
    recording = read_recording(write(tmp_path / "a.csv", body), healthy_rows=4)
    assert np.diff(recording.times_ns).tolist() == [2_000_000_000] * 6
    assert "2 time stamps could not be read" in " ".join(recording.notes)


def test_a_file_without_time_starts_in_2000_and_says_its_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dat", "  1.0   2.0\n  2.0   1.0\n  4.0   7.0\n")
    recording = read_recording(path)
    assert recording.sample_rate_hz == 1.0
    assert recording.times_ns[0] == 946_684_800_000_000_000
    assert any("taken as 1 Hz" in note for note in recording.notes)
    fast = read_recording(path, sample_rate_hz=3200)
    assert fast.kind == "fast"
    assert fast.times_ns.tolist() == [946_684_800_000_000_000 + 312_500 * i for i in range(3)]


def test_a_counter_of_rows_is_no_channel_unless_it_is_asked_for(tmp_path: Path) -> None:
    body = ",x\n" + "".join(f"{i},{i * i % 7}\n" for i in range(12))
    path = write(tmp_path / "a.csv", body)
    recording = read_recording(path)
    assert recording.names == ("x",)
    assert any("only counts the rows: column_1" in note for note in recording.notes)
    assert read_recording(path, channels=["column_1", "x"]).names == ("column_1", "x")


def test_labels_are_kept_and_never_become_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,anomaly,state\n1,0,run\n2,1,stop\n4,0,run\n")
    recording = read_recording(path, ignore=("anomaly", "state"))
    assert recording.names == ("x",)
    assert recording.labels["anomaly"].tolist() == [0.0, 1.0, 0.0]
    assert recording.labels["state"].tolist() == ["run", "stop", "run"]


def test_transposed_tables_are_turned(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a.dat", "1 2 3 5\n10 20 30 60\n"), transpose=True)
    assert recording.values.tolist() == [[1, 10], [2, 20], [3, 30], [5, 60]]


def test_one_column_with_decimal_commas(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a.csv", "value\n1,5\n2,25\n3,5\n"))
    assert recording.values.ravel().tolist() == [1.5, 2.25, 3.5]


def test_byte_order_marks_are_no_part_of_a_name(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        path = write(tmp_path / f"{encoding}.csv", "x,y\n1,2\n2,2\n5,6\n".encode(encoding))
        assert read_recording(path).names == ("x", "y")
