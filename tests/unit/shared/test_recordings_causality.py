"""Nothing after the healthy part can change what is made of the rows before it."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.recordings import Recording, read_recording

LENIENT = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

number = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))
cell = st.one_of(number.map(repr), st.sampled_from(["", "nan", "error", "1,5", "inf", '"', "2020-01-01", "-"]))
good_row = st.tuples(number, number, number)
later_line = st.one_of(
    st.lists(cell, min_size=0, max_size=5).map(lambda cells: ";".join(cells).encode()),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b"")),
)


def text(rows: list[tuple[float, ...]], later: list[bytes], header: bool, stamps: bool) -> bytes:
    lines = []
    if header:
        lines.append(b";".join([b"time"] * stamps + [b"a", b"b", b"c"]))
    for index, row in enumerate(rows):
        stamp = [f"2020-02-28 23:59:{index:02d}"] if stamps else []
        lines.append(";".join([*stamp, *map(repr, row)]).encode())
    return b"\n".join([*lines, *later]) + b"\n"


def same_start(whole: Recording, part: Recording, rows: int) -> bool:
    return (
        whole.names == part.names
        and whole.units == part.units
        and whole.sample_rate_hz == part.sample_rate_hz
        and np.array_equal(whole.times_ns[:rows], part.times_ns[:rows])
        and whole.values[:rows].tobytes() == part.values[:rows].tobytes()
    )


@LENIENT
@given(
    rows=st.lists(good_row, min_size=3, max_size=20),
    later=st.lists(later_line, max_size=8),
    other=st.lists(later_line, max_size=8),
    header=st.booleans(),
    stamps=st.booleans(),
)
def test_what_comes_later_changes_nothing_before(
    tmp_path: Path,
    rows: list[tuple[float, ...]],
    later: list[bytes],
    other: list[bytes],
    header: bool,
    stamps: bool,
) -> None:
    recordings = []
    for name, lines in (("later", later), ("other", other), ("cut", [])):
        path = tmp_path / f"{name}.csv"
        path.write_bytes(text(rows, lines, header, stamps))
        recordings.append(read_recording(path, healthy_rows=len(rows)))
    assert recordings[2].rows == len(rows)
    assert same_start(recordings[0], recordings[2], len(rows))
    assert same_start(recordings[1], recordings[2], len(rows))


@LENIENT
@given(
    rows=st.lists(good_row, min_size=3, max_size=10),
    later=st.lists(later_line.filter(lambda line: line.strip() != b""), min_size=1, max_size=8),
    data=st.data(),
)
def test_a_cut_anywhere_behind_the_healthy_part_gives_the_same_start(
    tmp_path: Path, rows: list[tuple[float, ...]], later: list[bytes], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(later)))
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    whole.write_bytes(text(rows, later, True, True))
    part.write_bytes(text(rows, later[:cut], True, True))
    first = read_recording(whole, healthy_rows=len(rows))
    second = read_recording(part, healthy_rows=len(rows))
    assert same_start(first, second, second.rows)


def test_changed_healthy_rows_do_change_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a;b\n1;off\n2;off\n3;7\n5;8\n7;9\n")
    assert read_recording(path, healthy_rows=2).names == ("a",)
    assert read_recording(path).names == ("a", "b")


@LENIENT
@given(rows=st.lists(good_row, min_size=4, max_size=20), order=st.permutations(range(4)))
def test_the_order_of_columns_changes_only_the_order(
    tmp_path: Path, rows: list[tuple[float, ...]], order: list[int]
) -> None:
    names = ["time", "a", "b", "c"]
    table = [[f"2020-02-28T23:59:{index:02d}Z", *map(repr, row)] for index, row in enumerate(rows)]
    straight, turned = tmp_path / "straight.csv", tmp_path / "turned.csv"
    straight.write_text("\n".join(",".join(line) for line in [names, *table]))
    turned.write_text("\n".join(",".join(line[index] for index in order) for line in [names, *table]))
    first = read_recording(straight)
    second = read_recording(turned)
    assert set(first.names) == set(second.names)
    assert np.array_equal(first.times_ns, second.times_ns)
    for index, name in enumerate(first.names):
        assert np.array_equal(first.values[:, index], second.values[:, second.names.index(name)])
