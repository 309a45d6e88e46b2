"""FEMTO bearings run to failure (PHM 2012): snapshots of 2,560 samples at 25.6 kHz, two axes.

Nobody knows from when on such a bearing is damaged. What is asked: an alarm before the end, the earlier the better, and
none in the first half of life. Snapshots stand at the time of day that their files tell: the device sleeps in between.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.recordings import read_recording
from tocsin.evaluation.exams.made import EPOCH_NS, after, recording_of, settled
from tocsin.evaluation.trial import Exam, Published, Trial

SAMPLE_RATE_HZ = 25_600.0
SNAPSHOT_ROWS = 2560
#: What a snapshot begins with is not counted: no window has closed by then.
SETTLE_ROWS = 2048
#: Snapshots that are declared healthy: the first sixth of life.
HEALTHY_SHARE = 1 / 6
#: Columns of the two accelerations, behind a clock of four.
_AXES = ("column_5", "column_6")


def trials(folder: Path) -> Iterator[Trial]:
    """One per bearing; the second half of life counts as anomalous, so that a delay is one from half of life on."""
    for home in sorted((folder / "femto" / "Learning_set").glob("Bearing*")):
        read = read_recording(home, channels=_AXES, sample_rate_hz=SAMPLE_RATE_HZ)
        snapshots = len(read.clip_starts)
        healthy_rows = int(snapshots * HEALTHY_SHARE) * SNAPSHOT_ROWS
        starts = read.clip_starts.astype(np.int64)
        made = recording_of(read.values, 1.0 / SAMPLE_RATE_HZ, healthy_rows, starts)
        recording = replace(made, times_ns=EPOCH_NS + times_of(clocks(home)))
        rows = np.arange(recording.rows)
        labels = rows >= int(starts[snapshots // 2])
        counted = after(recording.rows, healthy_rows) & settled(recording.rows, starts, SETTLE_ROWS)
        yield Trial(home.name, recording, healthy_rows, labels, counted, group=home.name)


def clocks(home: Path) -> NDArray[np.int64]:
    """Time of day of each snapshot of a folder, seconds, int64 (snapshots,)."""
    times = []
    for path in sorted(home.glob("*.csv")):
        with path.open(encoding="ascii") as lines:
            hours, minutes, seconds = re.split("[,;]", lines.readline())[:3]
        times.append(int(hours) * 3600 + int(minutes) * 60 + int(float(seconds)))
    return np.array(times, np.int64)


def times_of(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nanoseconds since the first snapshot of every row, from the time of day of each; midnight is passed unseen.

    >>> times_of(np.array([86_399, 9])).reshape(2, -1)[:, 0].tolist()
    [0, 10000000000]
    """
    days = np.concatenate(([0], np.cumsum(np.diff(seconds) < 0)))
    begins = (seconds + days * 86_400 - seconds[0]) * 10**9
    steps = np.rint(np.arange(SNAPSHOT_ROWS) * (1e9 / SAMPLE_RATE_HZ)).astype(np.int64)
    return np.asarray((begins[:, None] + steps).ravel(), np.int64)


EXAM = Exam(
    "FEMTO",
    "bearings run to failure",
    "The first sixth of life is healthy; no alarm is to begin in the first half of life, one is to stand before its "
    "end. Rows of the second half count as anomalous, though nobody knows since when the bearing is damaged.",
    trials,
    (Published("RMS above six sigma", "Bearing1_2, of 871 snapshots", {"first_alarm_share_of_life": 831 / 871}),),
    "Bearings 1_2 (every fifth snapshot) and 3_1 (every third).",
)
