"""FEMTO bearings run to failure (PHM 2012): snapshots of 2,560 samples at 25.6 kHz, two axes.

Nobody knows from when on such a bearing is damaged. What is asked: an alarm before the end, the earlier the better, and
none in the first half of life.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.recordings import read_recording
from tocsin.evaluation.exams.made import after, recording_of, settled
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
        recording = recording_of(read.values, 1.0 / SAMPLE_RATE_HZ, healthy_rows, starts)
        rows = np.arange(recording.rows)
        labels = rows >= int(starts[snapshots // 2])
        counted = after(recording.rows, healthy_rows) & settled(recording.rows, starts, SETTLE_ROWS)
        yield Trial(home.name, recording, healthy_rows, labels, counted, group=home.name)


EXAM = Exam(
    "FEMTO",
    "bearings run to failure",
    "The first sixth of life is healthy; no alarm is to begin in the first half of life, one is to stand before its "
    "end. Rows of the second half count as anomalous, though nobody knows since when the bearing is damaged.",
    trials,
    (Published("RMS above six sigma", "Bearing1_2, of 871 snapshots", {"first_alarm_share_of_life": 831 / 871}),),
    "Bearings 1_2 (every fifth snapshot) and 3_1 (every third).",
)
