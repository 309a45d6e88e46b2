"""The time of each row: which column tells it, the sample rate, and stamps that cannot be read."""

import re

import numpy as np
from numpy.typing import NDArray

from shared.recordings.recording import UNKNOWN_START_NS
from shared.recordings.stamps import NO_STAMP

_TIME_WORDS = {"time", "timestamp", "timestamps", "datetime", "date", "t", "ts", "epoch", "unixtime", "seconds"}
_UNIT_WORDS = {"s", "sec", "ms", "us", "µs", "ns", "min", "h", "utc", "unix", "stamp", "elapsed", "hours", "in"}
#: Numbers of seconds since 1970 between 2001 and 2065.
_EPOCH_S = (1.0e9, 3.0e9)


def looks_like_time(name: str, values: NDArray[np.float64], position: int) -> bool:
    """Whether a column of numbers tells the time: by its name, or as the first column with stamps since 1970.

    >>> looks_like_time("time [s]", np.array([0.0, 0.1]), 3), looks_like_time("temperature", np.array([1.0, 2.0]), 0)
    (True, False)
    >>> looks_like_time("column_1", np.array([1583748873.0, 1583748874.0]), 0)
    True
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 2 or np.mean(np.diff(finite) > 0) < 0.5:
        return False
    words = set(re.findall(r"[a-zµ]+", name.lower()))
    if words & _TIME_WORDS and words <= _TIME_WORDS | _UNIT_WORDS:
        return True
    if position != 0:
        return False
    size = float(np.median(finite))
    return any(_EPOCH_S[0] * unit <= size <= _EPOCH_S[1] * unit for unit in (1, 1e3, 1e6, 1e9)) and bool(
        np.all(np.diff(finite) >= 0)
    )


def rate_of(stamps: NDArray[np.int64], clip_starts: NDArray[np.int64], healthy_rows: int) -> float | None:
    """One over the median of the positive time steps within the clips of the healthy part; None when there is none.

    >>> rate_of(np.array([0, 5_000_000, 10_000_000, 99_000_000]), np.array([0]), 3)
    200.0
    """
    healthy = stamps[:healthy_rows]
    steps = np.diff(healthy)
    good = (healthy[1:] != NO_STAMP) & (healthy[:-1] != NO_STAMP) & (steps > 0)
    inner = clip_starts[(clip_starts > 0) & (clip_starts < len(healthy))] - 1
    good[inner] = False
    if not good.any():
        return None
    return 1e9 / float(np.median(steps[good]))


def carried(stamps: NDArray[np.int64], rate_hz: float) -> tuple[NDArray[np.int64], int]:
    """Stamps with each unreadable one replaced by the one before it plus a sample; and how many were.

    Unreadable stamps before the first good one count back from it, or from 2000-01-01 when there is none.

    >>> times, lost = carried(np.array([NO_STAMP, 1_000, NO_STAMP, NO_STAMP, 9_000]), 1e9 / 100)
    >>> times.tolist(), lost
    ([900, 1000, 1100, 1200, 9000], 3)
    """
    bad = stamps == NO_STAMP
    lost = int(bad.sum())
    if not lost:
        return stamps, 0
    period = round(1e9 / rate_hz)
    rows = np.arange(len(stamps))
    good = rows[~bad]
    if not len(good):
        return evenly(len(stamps), rate_hz, UNKNOWN_START_NS), lost
    source = np.maximum.accumulate(np.where(bad, good[0], rows))
    return stamps[source] + (rows - source) * period, lost


def evenly(rows: int, rate_hz: float, start_ns: int) -> NDArray[np.int64]:
    """Times of rows at a steady rate, each rounded to the nanosecond by itself (no error adds up).

    >>> evenly(3, 3200.0, 0).tolist()
    [0, 312500, 625000]
    """
    return np.rint(np.arange(rows, dtype=np.float64) * (1e9 / rate_hz)).astype(np.int64) + start_ns
