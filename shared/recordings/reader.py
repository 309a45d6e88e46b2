"""Reading a recording: what kind of file it is, which column is the time, which columns are channels."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shared.errors import UsageError
from shared.recordings.arrays import read_arrays
from shared.recordings.clips import joined
from shared.recordings.columns import Table
from shared.recordings.parquet import read_parquet
from shared.recordings.recording import Recording
from shared.recordings.select import recording_from
from shared.recordings.text import read_text

_ARRAYS = (".npz", ".npy")
_PARQUET = (".parquet", ".pq")
_TEXT = (".csv", ".tsv", ".txt", ".dat", ".tab", ".asc")


def read_recording(
    source: str | Path,
    *,
    healthy_rows: int | None = None,
    channels: Sequence[str] | None = None,
    time_column: str | None = None,
    sample_rate_hz: float | None = None,
    ignore: Sequence[str] = (),
    transpose: bool = False,
    healthy: str | Path | None = None,
) -> Recording:
    """Read a recording that someone else wrote.

    Everything that is not told is inferred from the healthy part alone, so that no later row can change what is made
    of an earlier one; a later cell that does not fit becomes missing and is counted in the notes.

    Parameters
    ----------
    source
        A text table (any common separator, header or none, decimal point or comma, any common date format), a Parquet
        file, a NumPy file (``file.npz::array`` for one of its arrays), or a folder of clips: files that are read in
        natural order of their names, each the start of a new stretch.
    healthy_rows
        The first rows are healthy: the only ones that anything is inferred from. None: all are.
    channels
        Names of the columns to take; None takes every numeric column.
    time_column
        Name of the column with the time; None finds it, if there is one.
    sample_rate_hz
        Samples per second; None takes it from the time column. Without either it is 1 Hz.
    ignore
        Columns that are no channels, such as labels. They stay in `Recording.labels`.
    transpose
        The file holds one channel per row.
    healthy
        A second recording of the same layout, put in front of `source` as its healthy part; `healthy_rows` is then
        the number of its rows.

    Raises
    ------
    UsageError
        The file does not exist, cannot be read, has no numeric column or row, lacks a named column, or holds fewer
        rows than `healthy_rows`.
    """
    if healthy_rows is not None and healthy_rows < 1:
        raise UsageError(f"healthy rows must be at least 1, not {healthy_rows}; say how many first rows are healthy")
    if sample_rate_hz is not None and not (math.isfinite(sample_rate_hz) and 0 < sample_rate_hz <= 1e9):
        raise UsageError(f"sample rate must be a positive number of hertz, not {sample_rate_hz}; correct --sample-rate")
    if healthy is not None and healthy_rows is not None:
        raise UsageError("give either healthy rows or a healthy recording, not both; leave one of them out")

    if healthy is None:
        table = _table(source, healthy_rows, ignore, time_column, transpose)
    else:
        table, healthy_rows = _with_healthy(healthy, source, ignore, time_column, transpose)
    if healthy_rows is not None and healthy_rows > table.rows:
        raise UsageError(
            f"{source} has {table.rows} rows, fewer than the {healthy_rows} declared healthy; lower the number"
        )
    return recording_from(table, str(source), healthy_rows, channels, time_column, sample_rate_hz, ignore)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A sort key that puts ``clip10`` after ``clip9``.

    >>> sorted(["clip10.csv", "clip9.csv"], key=natural_order)
    ['clip9.csv', 'clip10.csv']
    """
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _table(
    source: str | Path, healthy_rows: int | None, ignore: Sequence[str], time_column: str | None, transpose: bool
) -> Table:
    """All columns of a file or a folder of clips."""
    paths, array = _files(source)
    kind = _kind(paths[0])
    if kind == "text":
        return read_text(paths, healthy_rows, ignore, time_column, transpose)
    tables = []
    for path in paths:
        if kind == "arrays":
            tables.append(read_arrays(path, array, healthy_rows, ignore, time_column, transpose))
        elif transpose:
            raise UsageError(f"{path} is Parquet, whose columns are its channels; leave --transpose out")
        else:
            tables.append(read_parquet(path, healthy_rows, ignore, time_column))
    return joined(tables)


def _with_healthy(
    healthy: str | Path, source: str | Path, ignore: Sequence[str], time_column: str | None, transpose: bool
) -> tuple[Table, int]:
    """The healthy recording and behind it the other one, read by the rules found in the healthy one."""
    first = _table(healthy, None, ignore, time_column, transpose)
    paths, others = _files(healthy)[0], _files(source)[0]
    if _kind(paths[0]) == _kind(others[0]) == "text":
        return read_text([*paths, *others], first.rows, ignore, time_column, transpose), first.rows
    return joined([first, _table(source, first.rows, ignore, time_column, transpose)]), first.rows


def _files(source: str | Path) -> tuple[list[Path], str | None]:
    """The files of a source in their order, and the array that is asked for."""
    text = str(source)
    path, array = Path(text), None
    if not path.exists() and "::" in text:
        file, _, array = text.rpartition("::")
        path = Path(file)
        if path.suffix.lower() != ".npz":
            raise UsageError(f"{text}: '::' chooses an array of an .npz file; give the path alone")
    if path.is_dir():
        return _clips(path), None
    if not path.exists():
        raise UsageError(f"{path} does not exist; give the path of a recording")
    if not path.is_file():
        raise UsageError(f"{path} is no regular file; give the path of a recording")
    if path.stat().st_size == 0:
        raise UsageError(f"{path} is empty; give a recording with at least one row of numbers")
    return [path], array


def _clips(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".") and f.stat().st_size]
    kinds = Counter(f.suffix.lower() for f in files if f.suffix.lower() in (*_ARRAYS, *_PARQUET, *_TEXT))
    if not kinds:
        raise UsageError(f"{folder} is a folder without recordings; give a file or a folder of .csv, .parquet or .npz")
    commonest = max(sorted(kinds), key=lambda suffix: kinds[suffix])
    return sorted((f for f in files if f.suffix.lower() == commonest), key=lambda f: natural_order(f.name))


def _kind(path: Path) -> str:
    if path.suffix.lower() in _ARRAYS:
        return "arrays"
    return "parquet" if path.suffix.lower() in _PARQUET else "text"
