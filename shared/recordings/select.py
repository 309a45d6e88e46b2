"""From all columns of a table to a recording: which is the time, which are channels, which are labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recordings.columns import Column, Table
from shared.recordings.recording import UNKNOWN_START_NS, Recording
from shared.recordings.timing import carried, evenly, rate_of

#: Rows from which on a column with exactly equal steps is a counter of rows, not a measurement.
_COUNTER_ROWS = 10


def recording_from(
    table: Table,
    source: str,
    healthy_rows: int | None,
    channels: Sequence[str] | None,
    time_column: str | None,
    sample_rate_hz: float | None,
    ignore: Sequence[str],
) -> Recording:
    """Choose among the columns by what the healthy part shows; UsageError when nothing numeric is left."""
    healthy = table.rows if healthy_rows is None else min(healthy_rows, table.rows)
    by_name = {column.name: column for column in table.columns}
    for what, wanted in (("channel", channels or ()), ("time column", (time_column,) if time_column else ()),
                         ("column to ignore", ignore)):  # fmt: skip
        unknown = [name for name in wanted if name not in by_name]
        if unknown:
            raise UsageError(f"{source} has no {what} {unknown[0]!r}; its columns are {', '.join(by_name)}")
    starts = np.array(table.clip_starts, dtype=np.int64)
    notes = list(table.notes)
    time = _time(table, source, channels, time_column, ignore)
    times_ns, rate = _times(table, time, sample_rate_hz, starts, healthy, notes)
    chosen = _channels(table, source, healthy, channels, time, ignore, notes)
    values = np.empty((table.rows, len(chosen)), dtype=np.float64)
    for index, column in enumerate(chosen):
        values[:, index] = column.numbers
    _note_values(chosen, healthy, notes)
    if ignore:
        notes.append(f"Kept as labels, no channels: {', '.join(ignore)}.")
    if len(starts) > 1:
        notes.append(f"{len(starts)} clips.")
    names, units = tuple(column.name for column in chosen), tuple(column.unit for column in chosen)
    labels = {name: by_name[name].label() for name in ignore}
    return Recording(times_ns, values, names, units, rate, starts, healthy_rows, tuple(notes), labels)


def _time(
    table: Table, source: str, channels: Sequence[str] | None, time_column: str | None, ignore: Sequence[str]
) -> Column | None:
    taken = {*ignore, *(channels or ())}
    candidates = [column for column in table.columns if column.stamps is not None and column.name not in taken]
    if time_column is not None:
        named = next((column for column in table.columns if column.name == time_column), None)
        if named is None or named.stamps is None:
            raise UsageError(f"{source}: column {time_column!r} holds no times in a known format; name another one")
        return named
    # Dates are surer than numbers that look like times; of two, the first one counts.
    return min(candidates, key=lambda c: c.stamp_format is not None and c.stamp_format.order == "elapsed", default=None)


def _times(
    table: Table,
    time: Column | None,
    sample_rate_hz: float | None,
    starts: NDArray[np.int64],
    healthy: int,
    notes: list[str],
) -> tuple[NDArray[np.int64], float]:
    if time is None or time.stamps is None:
        rate = sample_rate_hz or table.sample_rate_hz
        start = UNKNOWN_START_NS if table.start_ns is None else table.start_ns
        if rate is None:
            rate = 1.0
            notes.append("No time column and no sample rate given: taken as 1 Hz from 2000-01-01T00:00:00Z.")
        elif table.start_ns is None:
            notes.append(f"No time column: {rate:g} Hz as given, from 2000-01-01T00:00:00Z.")
        return evenly(table.rows, rate, start), rate
    found = rate_of(time.stamps, starts, healthy)
    form = f" ({time.stamp_format.describe()})" if time.stamp_format else ""
    if sample_rate_hz is not None:
        rate = sample_rate_hz
        notes.append(f"Time from column {time.name!r}{form}, sample rate {rate:g} Hz as given.")
    elif found is not None:
        rate = found
        notes.append(f"Time from column {time.name!r}{form}, sample rate {rate:g} Hz by the median step.")
    else:
        rate = 1.0
        notes.append(f"Time from column {time.name!r}{form}; it stands still in the healthy part: taken as 1 Hz.")
    times, lost = carried(time.stamps, rate)
    if lost:
        notes.append(f"{lost} time stamps could not be read: the one before plus a sample stands there.")
    steps = np.diff(times)
    inside = np.ones(len(steps), dtype=bool)
    inside[starts[starts > 0] - 1] = False
    steps = steps[inside]
    for count, what in (
        (int((steps == 0).sum()), "time stamps repeat the one before"),
        (int((steps < 0).sum()), "time stamps step back"),
        (int((steps > 3e9 / rate).sum()), "steps in time are gaps of three samples or more"),
    ):
        if count:
            notes.append(f"{count} {what}; the order of the rows was kept.")
    return times, rate


def _channels(
    table: Table,
    source: str,
    healthy: int,
    channels: Sequence[str] | None,
    time: Column | None,
    ignore: Sequence[str],
    notes: list[str],
) -> list[Column]:
    numeric = [c for c in table.columns if c.is_numeric(healthy)]
    if channels is not None:
        unfit = [name for name in channels if name not in {column.name for column in numeric}]
        if unfit:
            raise UsageError(f"{source}: column {unfit[0]!r} has no numbers in the healthy part; choose other channels")
        if not channels:
            raise UsageError(f"{source}: no channel was chosen; name at least one")
        chosen = [next(c for c in table.columns if c.name == name) for name in dict.fromkeys(channels)]
        notes.append(f"Channels as chosen: {', '.join(column.name for column in chosen)}.")
        return chosen
    free = [c for c in numeric if c is not time and c.name not in ignore and (c.stamps is None or _measures(c))]
    counters = [c for c in free if _counts_rows(c, healthy)] if len(free) > 1 else []
    if len(counters) < len(free):
        free = [c for c in free if c not in counters]
        if counters:
            notes.append(f"Left out, because it only counts the rows: {', '.join(c.name for c in counters)}.")
    if not free:
        raise UsageError(
            f"{source} has no numeric column in its healthy part to take as a channel; its columns are "
            f"{', '.join(column.name for column in table.columns)}"
        )
    notes.append(f"{len(free)} channel{'s' * (len(free) > 1)}: {', '.join(column.name for column in free)}.")
    told = {*ignore, *(column.name for column in (*free, *counters, time) if column is not None)}
    left = [column.name for column in table.columns if column.name not in told]
    if left:
        notes.append(f"Left out, because the healthy part holds no numbers there: {', '.join(left)}.")
    return free


def _measures(column: Column) -> bool:
    """Whether a column that could tell the time may be a channel after all: plain numbers that are no dates."""
    return column.stamp_format is not None and column.stamp_format.order == "elapsed"


def _counts_rows(column: Column, healthy: int) -> bool:
    head = column.numbers[:healthy]
    if len(head) < _COUNTER_ROWS:
        return False
    steps = np.diff(head)
    return bool(steps[0] != 0 and np.all(steps == steps[0]))


def _note_values(chosen: Sequence[Column], healthy: int, notes: list[str]) -> None:
    for column in chosen:
        missing = int(np.isnan(column.numbers).sum())
        if missing:
            told = [f"{missing} missing values in {column.name!r}"]
            if len(column.refused):
                later = int((column.refused >= healthy).sum())
                told.append(f"{len(column.refused)} of them text that is no number, {later} after the healthy part")
            if len(column.infinite):
                told.append(f"{len(column.infinite)} of them infinite")
            notes.append(", ".join(told) + ".")
